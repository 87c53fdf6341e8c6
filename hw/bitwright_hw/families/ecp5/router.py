"""How eagerly nextpnr's router2 takes nets apart that want the same wire.

Router2 negotiates (PathFinder, McMurchie and Ebeling, 1995; CRoute, Vercruyce et al., 2019): each round, a wire that
several nets want costs more. Its own weights let that price grow by small steps, which gives short wires where there
are enough of them; designs that want most of a region's wires stay in conflict for hours. These weights begin higher
and grow faster, and a net may go further around. The settings go with the netlist: nextpnr has no options for them.
"""

from bitwright_hw.netlist import Netlist

WEIGHTS = {
    "router2/initCurrCongWeight": "2.0",  # of a wire that is wanted twice, at first; 0.5 by itself
    "router2/currCongWeightMult": "8.0",  # added each round; 2 by itself
    "router2/bbMargin/x": f"{6:032b}",  # tiles around the box of a net's ends in which it looks for wires; 3 by itself
    "router2/bbMargin/y": f"{6:032b}",
}


def set_weights(netlist: Netlist, top: str) -> int:
    """Gives module `top` of a Yosys JSON netlist, which it changes, router2's weights; returns how many."""
    netlist["modules"][top].setdefault("settings", {}).update(WEIGHTS)
    return len(WEIGHTS)
