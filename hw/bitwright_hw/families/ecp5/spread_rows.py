"""A placement of nextpnr's on an LFE5U-85F, drawn apart over all rows of the device.

nextpnr's placers minimize the length of wires, and so pack a design as densely as slices go, into the part of the
device that it fills. Where every neuron takes bits from everywhere, that part has too few wires: layers that are
hardwired do not route with half of the device empty. Moving whole rows of tiles apart keeps what depends on
neighbours (carry chains, wide LUTs, flip-flops beside their LUTs) and gives the same wires more rows. This is a step
between placing and routing, on nextpnr's own netlist.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from bitwright_hw.netlist import Netlist

# rows of slices: 85 of 123 tiles make 83,640 LUTs (Lattice FPGA-DS-02012); block RAMs and multipliers have the others
ROWS = tuple(row for row in range(2, 94) if row % 12 != 10)
_SLICE = {"TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW"}
_FEW = 1 / 8  # of the fullest row's cells, below which a row is not full
_PLACE = re.compile(r"(X\d+/Y)(\d+)(/.*)")


def spread_rows(netlist: Netlist, top: str) -> int:
    """Moves the rows of tiles that module `top` uses apart in nextpnr's JSON, which it changes.

    Full rows keep their order and get the same distance; rows with a few cells alone, which need few wires, get the
    free rows nearest to where they would be among them.

    Returns how many rows it uses.
    """
    found = []
    for cell in netlist["modules"][top]["cells"].values():
        place = _PLACE.fullmatch(cell["attributes"].get("NEXTPNR_BEL", ""))
        if cell["type"] in _SLICE and place is not None:
            found.append((cell["attributes"], place))
    fill = Counter(int(place[2]) for _, place in found)
    to = _apart(fill)
    for attributes, place in found:
        attributes["NEXTPNR_BEL"] = f"{place[1]}{to[int(place[2])]}{place[3]}"
    return len(fill)


def _apart(fill: Mapping[int, int]) -> dict[int, int]:
    """Where each row goes, by the cells that it has."""
    used = sorted(fill)
    full = [row for row in used if fill[row] >= max(fill.values()) * _FEW]
    last = len(ROWS) - 1
    to = {row: round(k * last / max(1, len(full) - 1)) for k, row in enumerate(full)}
    free = set(range(len(ROWS))) - set(to.values())
    for row in used:
        if row in to:
            continue
        wanted = last * bisect_left(full, row) / len(full)
        place = min(free, key=lambda k: (abs(k - wanted), k))
        free.remove(place)
        to[row] = place
    return {row: ROWS[place] for row, place in to.items()}
