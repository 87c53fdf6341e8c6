"""The corpus: designs of every kind, whose Verilog, manifest, estimate and board files are recorded.

`CASES` are named and quick, `RANDOM` and `LARGE` are the slow ones. A case says how it is made, not what comes out.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bitwright_core.network import Network
from bitwright_core.plan import LayerPlan, Plan, default_plan, hardwired, with_folds, with_loadable, with_planes
from tests.corpus.networks import cnn, drawn_network, mlp
from tests.corpus.newer import branches, class_map, depthwise, tables

QUICK_RANDOM = 4
RANDOM_COUNT = 300


@dataclass(frozen=True, kw_only=True)
class Case:
    """A design; `board` names a board whose build is recorded with it."""

    name: str
    network: Callable[[], Network]
    plan: Callable[[Network], Plan]
    board: str = ""


def folded(
    pe: int | Sequence[int] = 4, simd: int | Sequence[int] = 3, *, memory: str = "auto", **options: Any
) -> Callable[[Network], Plan]:
    """Every layer at `pe` and `simd`, cut to its size, with `memory`."""

    def make(network: Network) -> Plan:
        rows, lanes = ([n] if isinstance(n, int) else list(n) for n in (pe, simd))
        plan = with_folds(default_plan(network), network, pe=rows, simd=lanes)
        return replace(plan, layers=tuple(replace(layer, memory=memory) for layer in plan.layers), **options)

    return make


def whole(network: Network) -> Plan:
    """Every layer at all its rows and lanes."""
    layers = network.matrix_layers
    return folded([layer.outputs for layer in layers], [layer.inputs for layer in layers])(network)


def constants(**options: Any) -> Callable[[Network], Plan]:
    """Every layer hardwired."""
    return lambda network: replace(hardwired(default_plan(network), network), **options)


def first_folded(network: Network) -> Plan:
    """A folded layer, then hardwired ones."""
    layers = [
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        for layer in network.matrix_layers
    ]
    layers[0] = LayerPlan(name=layers[0].name, pe=3, simd=4)
    return Plan(layers=tuple(layers), target="xc7")


def random_plan(network: Network, seed: int) -> Plan:
    """Any fold of every layer, primes and non-divisors too, and any options."""
    dice = random.Random(seed)
    layers = tuple(
        LayerPlan(
            name=layer.name,
            pe=dice.randint(1, layer.outputs),
            simd=dice.randint(1, layer.inputs),
            memory=dice.choice(["auto", "block", "distributed"]),
        )
        for layer in network.matrix_layers
    )
    return Plan(
        layers=layers,
        scores=network.is_classifier and dice.random() < 0.5,
        data_bits=dice.choice([bits for bits in (8, 16, 32, 64, 128) if bits >= network.input.bits]),
        target=dice.choice(["generic", "xc7", "ecp5"]),
        clock_mhz=dice.choice([50.0, 100.0, 200.0]),
    )


def _several(prefix: str, network: Callable[[], Network], plans: dict[str, Callable[[Network], Plan]]) -> list[Case]:
    return [Case(name=f"{prefix}-{name}", network=network, plan=plan) for name, plan in plans.items()]


def _cases() -> list[Case]:
    found: list[Case] = []
    small = cache(lambda: mlp(0))
    found += _several(
        "mlp",
        small,
        {
            "1x1": folded(1, 1),
            "4x3": folded(),
            "primes": folded(7, 11),
            "whole": folded(13, 20),
            "scores": folded(scores=True),
            "whole-scores": folded(13, 20, scores=True),
            "200mhz": folded(5, 16, clock_mhz=200.0),
            "400mhz-xc7": folded(5, 16, clock_mhz=400.0, target="xc7"),
            "block": folded(2, 2, memory="block"),
            "distributed": folded(2, 2, memory="distributed"),
            "distributed-xc7": folded(2, 2, memory="distributed", target="xc7"),
            "xc7": folded(target="xc7"),
            "ecp5": folded(target="ecp5"),
            "whole-xc7": folded(13, 20, target="xc7"),
            "whole-ecp5": folded(13, 20, target="ecp5"),
            "host": folded(encoding="host"),
            **{f"stream{bits}": folded(data_bits=bits) for bits in (8, 16, 32, 128, 256, 1024)},
            "hardwired": constants(),
            "hardwired-xc7": constants(target="xc7"),
            "hardwired-ecp5": constants(target="ecp5"),
            "hardwired-200mhz": constants(target="xc7", clock_mhz=200.0),
            "mixed-engines": first_folded,
        },
    )
    found += [
        Case(name="mlp-thermometer", network=lambda: mlp(1, levels=3), plan=folded()),
        Case(name="mlp-thermometer-host", network=lambda: mlp(1, levels=3), plan=folded(encoding="host", data_bits=16)),
        Case(name="mlp-one-bit", network=lambda: mlp(2, bits=1, shape=(37,)), plan=folded()),
        Case(name="mlp-12-bit", network=lambda: mlp(3, bits=12, shape=(9,), levels=2), plan=folded()),
        Case(name="mlp-integers", network=lambda: mlp(4, levels=0), plan=folded()),
        Case(name="mlp-integers-odd", network=lambda: mlp(4, levels=0, shape=(10,)), plan=folded(5, 7, target="xc7")),
        Case(name="mlp-integers-bits", network=lambda: mlp(5, levels=0, bits=4, hidden=()), plan=folded(2, 6)),
        Case(name="mlp-rows", network=lambda: mlp(10, rows=20, levels=2), plan=folded()),
        Case(name="mlp-rows-host", network=lambda: mlp(10, rows=20, levels=2), plan=folded(encoding="host")),
        Case(name="mlp-integer-rows", network=lambda: mlp(11, bits=4, rows=20, levels=0), plan=folded(target="xc7")),
        Case(name="mlp-votes", network=lambda: mlp(6, last="votes"), plan=folded(scores=True)),
        Case(name="mlp-bits", network=lambda: mlp(7, last="bits", outputs=70), plan=folded()),
        Case(name="mlp-one-layer", network=lambda: mlp(8, hidden=()), plan=folded()),
        Case(
            name="mlp-wide",
            network=lambda: mlp(9, shape=(16, 16), hidden=(64, 32)),
            plan=folded(16, 32, target="xc7"),
        ),
        Case(name="mlp-hardwired-bits", network=lambda: mlp(7, last="bits"), plan=constants()),
    ]
    same = {"outputs": 5, "kernel": (3, 3), "padding": (1, 1, 1, 1)}
    pooled = {"outputs": 6, "kernel": (3, 3), "pool": {"kernel": (2, 2), "stride": (2, 2)}}
    overlapping = {
        "outputs": 4,
        "kernel": (2, 2),
        "pool": {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1, 1, 1)},
    }
    nets: dict[str, dict[str, Any]] = {
        "plain": {},
        "zero": {"convs": [{**same, "value": "zero"}]},
        "plus": {"convs": [{**same, "value": "plus_one"}]},
        "minus": {"convs": [{**same, "value": "minus_one"}]},
        "strided": {"convs": [{"outputs": 5, "kernel": (3, 2), "stride": (2, 1), "padding": (0, 1, 1, 0)}]},
        "pooled": {"convs": [pooled, {"outputs": 7, "kernel": (2, 2)}]},
        "overlapping": {"convs": [overlapping]},
        "integers": {"levels": 0, "convs": [same, {"outputs": 4, "kernel": (1, 1)}]},
        "rows": {"rows": 2, "levels": 2, "convs": [same]},
        "integer-rows": {"rows": 2, "levels": 0, "convs": [same]},
        "thermometer": {"levels": 2, "convs": [pooled]},
        "deep": {"shape": (9, 9, 3), "convs": [same, pooled, {"outputs": 8, "kernel": (3, 3)}], "last": "votes"},
        "image": {"last": None},
        "image-pooled": {"convs": [pooled], "last": None},
        "bits": {"last": "bits", "outputs": 9},
        "gray": {"shape": (8, 8), "bits": 8, "convs": [{"outputs": 4, "kernel": (5, 5)}]},
    }
    for number, (name, arguments) in enumerate(nets.items()):
        plan = folded(3, 5, target=("generic", "xc7", "ecp5")[number % 3], data_bits=(64, 32, 8)[number % 3])
        found.append(Case(name=f"cnn-{name}", network=lambda n=number, a=arguments: cnn(n, **a), plan=plan))
    found += [
        Case(name="cnn-1x1", network=lambda: cnn(30, convs=[pooled]), plan=folded(1, 1)),
        Case(name="cnn-whole", network=lambda: cnn(30, convs=[pooled]), plan=whole),
        Case(name="cnn-host", network=lambda: cnn(30, convs=[pooled]), plan=folded(encoding="host")),
        Case(name="board-pynq-z2", network=small, plan=folded(target="xc7", scores=True), board="pynq-z2"),
        Case(name="board-pynq-z1", network=lambda: cnn(31), plan=folded(), board="pynq-z1"),
        Case(name="board-ulx3s", network=small, plan=folded(target="ecp5"), board="ulx3s-85f"),
        Case(name="board-icebreaker", network=small, plan=folded(clock_mhz=12.0), board="icebreaker"),
        Case(name="gowin-mlp", network=lambda: mlp(1, levels=3), plan=folded(target="gowin", memory="distributed")),
        Case(name="gowin-tables", network=lambda: tables(0), plan=folded(target="gowin")),
        Case(
            name="board-tang-nano-20k",
            network=small,
            plan=folded(target="gowin", clock_mhz=27.0),
            board="tang-nano-20k",
        ),
        Case(
            name="board-tang-nano-9k", network=small, plan=folded(target="gowin", clock_mhz=54.0), board="tang-nano-9k"
        ),
    ]
    return found + [_random(seed) for seed in range(QUICK_RANDOM)] + [*NEWER[:2], PLANES[0], WIRED[0], LOADABLE[0]]


def serial(*folds: int | Sequence[int], **options: Any) -> Callable[[Network], Plan]:
    """As `folded`, with bit-planes one after the other where a layer has several."""
    return lambda network: with_planes(folded(*folds, **options)(network), network, "serial")


def loaded(plan: Callable[[Network], Plan]) -> Callable[[Network], Plan]:
    """`plan`, with weights that are loaded while it runs."""
    return lambda network: with_loadable(plan(network), network, "all")


def _random(seed: int) -> Case:
    return Case(
        name=f"random-{seed}", network=lambda: drawn_network(seed), plan=lambda network: random_plan(network, seed)
    )


def _lfc() -> Network:
    return mlp(40, shape=(784,), hidden=(1024, 1024, 1024), outputs=10)


def _cnv() -> Network:
    """Of CNV's shapes, on integers, with random weights."""
    sizes = [(64, False), (64, True), (128, False), (128, True), (256, False), (256, False)]
    pool = {"kernel": (2, 2), "stride": (2, 2)}
    convs = [{"outputs": n, "kernel": (3, 3), **({"pool": pool} if pooled else {})} for n, pooled in sizes]
    return cnn(41, shape=(32, 32, 3), bits=8, levels=0, convs=convs, hidden=(512, 512), outputs=10)


NEWER = (  # the first two are quick
    Case(
        name="deep-groups-at-once", network=lambda: depthwise(1), plan=folded((4, 3, 5, 4, 7, 2), (18, 9, 4, 5, 8, 7))
    ),
    Case(name="branches", network=lambda: branches(1), plan=folded(3, 5, target="xc7")),
    Case(name="deep-1x2", network=lambda: depthwise(1), plan=folded(1, 2, target="xc7")),
    Case(name="deep-ecp5", network=lambda: depthwise(2), plan=folded(4, 9, target="ecp5", scores=True)),
    Case(name="branches-1x1", network=lambda: branches(2), plan=folded(1, 1, data_bits=16)),
    Case(name="tables", network=lambda: tables(1), plan=folded(5, 7, target="xc7")),
)
PLANES = (  # the first is quick
    Case(name="deep-serial", network=lambda: depthwise(1), plan=serial((4, 3, 5, 4, 7, 2), (18, 9, 4, 5, 8, 7))),
    Case(name="deep-serial-xc7", network=lambda: depthwise(1), plan=serial(3, 5, target="xc7")),
    Case(name="deep-serial-1x2-ecp5", network=lambda: depthwise(2), plan=serial(1, 2, target="ecp5")),
)
WIRED = (  # the first is quick
    Case(
        name="cnn-hardwired",
        network=lambda: cnn(32, convs=[{"outputs": 5, "kernel": (3, 3), "padding": (1, 1, 1, 1)}]),
        plan=constants(target="xc7"),
    ),
    Case(
        name="cnn-hardwired-integers",
        network=lambda: cnn(33, levels=0, convs=[{"outputs": 4, "kernel": (2, 2)}]),
        plan=constants(target="ecp5"),
    ),
)
LOADABLE = (  # the first is quick
    Case(name="loadable-few", network=lambda: depthwise(1), plan=loaded(folded(3, 5, target="xc7"))),
    Case(name="loadable-serial", network=lambda: depthwise(2), plan=loaded(serial(4, 9, target="ecp5", scores=True))),
    Case(name="loadable-integers", network=lambda: mlp(9, levels=0), plan=loaded(folded(target="xc7", scores=True))),
    Case(name="loadable-bits", network=lambda: mlp(1, levels=3), plan=loaded(folded(memory="block", scores=True))),
)
MAPS = (
    Case(name="class-map", network=lambda: class_map(1), plan=folded(3, 7, target="xc7")),
    Case(name="class-map-serial", network=lambda: class_map(2), plan=serial(6, 11, target="ecp5")),
)
CASES = tuple(_cases())
RANDOM = tuple(_random(seed) for seed in range(QUICK_RANDOM, RANDOM_COUNT))
LARGE = (
    Case(name="large-lfc", network=_lfc, plan=folded((32, 64, 32, 10), (49, 32, 64, 16), scores=True, target="xc7")),
    Case(name="large-lfc-generic", network=_lfc, plan=folded((32, 64, 32, 10), (49, 32, 64, 16))),
    Case(
        name="large-cnv",
        network=_cnv,
        plan=folded((16, 32, 16, 16, 4, 1, 1, 1, 4), (3, 32, 32, 32, 32, 32, 4, 8, 1), target="xc7"),
    ),
    *NEWER[2:],
    *PLANES[1:],
    *WIRED[1:],
    *LOADABLE[1:],
    *MAPS,
)
