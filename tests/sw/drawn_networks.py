"""Networks of the kinds after chains of bits, for tests that draw designs: few bits, groups, graphs, tables."""

import random

from bitwright_core.engine_rules import refusal, serial_refusal
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan import LayerPlan, Planes

from .conv_networks import random_conv_network
from .few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from .graph_networks import random_graph_network
from .lut_networks import random_lut_network

NEWER_KINDS = ("few bits", "groups", "branches", "tables")


def newer_network(kind: str, seed: int, dice: random.Random) -> Network:
    """A small network of one of `NEWER_KINDS`: scores or votes, of branches and tables bits, too."""
    shape = (dice.randint(2, 6), dice.randint(2, 6), dice.randint(1, 4))
    classes = dice.randint(2, 4)
    if kind == "tables":
        return random_lut_network(seed, dense=dice.random() < 0.5)
    if kind == "branches":
        return random_graph_network(
            seed,
            shape=shape if dice.random() < 0.7 else (dice.randint(3, 20),),
            integers=dice.random() < 0.3,
            steps=dice.randint(2, 4),
            classes=classes if dice.random() < 0.8 else 0,
            sums=dice.random() < 0.5,
        )
    few = (
        {"weight_types": FEW_WEIGHTS, "act_types": FEW_ACTIVATIONS} if kind == "few bits" or dice.random() < 0.3 else {}
    )
    grouped = kind == "groups"
    return random_conv_network(
        seed,
        shape=shape,
        bits=dice.choice((1, 2, 4)),
        integers=dice.random() < 0.3,
        convs=dice.randint(1, 2),
        channels=(2, 3, 4, 6),
        dense=(dice.randint(1, 6),),
        classes=classes,
        votes=dice.random() < 0.3,
        grouped=grouped,
        dilated=grouped,
        **few,
    )


def random_pe(layer: MatrixLayer, dice: random.Random) -> int:
    """A PE that the layer may have: any, or of one in groups those that its groups allow."""
    rows = layer.outputs // layer.groups
    if layer.groups == 1:
        return dice.randint(1, layer.outputs)
    return dice.choice([pe for pe in range(1, layer.outputs + 1) if rows % pe == 0 or pe % rows == 0])


def random_planes(layer: MatrixLayer, choice: LayerPlan, dice: random.Random) -> Planes:
    """Planes one after the other for one of three layers that may have them so."""
    serial = dice.random() < 0.3 and serial_refusal(choice.engine, layer) is None
    return "serial" if serial else "parallel"


def random_wired(layer: MatrixLayer, choice: LayerPlan, dice: random.Random) -> LayerPlan:
    """One of six convolutions that may be so hardwired, whatever else was chosen; everything else as chosen."""
    wired = dice.random() < 1 / 6 and layer.windows is not None
    if not wired or refusal("hardwired", layer, layer.outputs, layer.inputs) is not None:
        return choice
    return LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
