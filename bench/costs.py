"""The cost model's constants and what they are fitted to.

    python bench/costs.py measure FAMILY     Yosys' counts of the designs below into bench/costs/FAMILY.json (minutes);
                                             --designs N: of the dense designs only the N smallest
    python bench/costs.py fit FAMILY         the constants of families/FAMILY/costs.py that suit them best

A measurement says how a design, or a part by itself, is made, and what Yosys counts of it. `fit` asks the model of
bitwright_hw.estimate for the same, and moves the constants by least squares. Each constant in use and as fitted, and
how well either does, is printed. Nothing is written: to take other constants is a decision.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from designs import ESTIMATED, random_network

import bitwright as bw
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_hw.cells import Counts
from bitwright_hw.emit import emit
from bitwright_hw.estimate import costs_of, estimate
from bitwright_hw.families import COUNTED, Family, family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import Gearbox, gearbox_counts
from bitwright_hw.popcount import AccumulateRow
from bitwright_hw.stages.queue import queue_counts
from bitwright_hw.synth import synthesize, synthesize_verilog

DATA = Path(__file__).with_name("costs")
# constants that are no LUTs, or follow from the cells themselves
FIXED = ("tree_ffs", "tag_lutram", "tag_ffs", "lut_inputs", "odd_bits")
ROUNDS = 3
HOLD = 0.05  # how much a constant is held where it is

DENSE: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    *ESTIMATED,
    ((40, 24, 10), {"pe": 1, "simd": 1}),
    ((96, 32, 16), {"pe": [4, 4], "simd": [8, 8], "data_bits": 8}),
    ((96, 32, 16), {"pe": [4, 4], "simd": [8, 8], "memory": "distributed"}),
    ((96, 32, 16), {"pe": [8, 2], "simd": [12, 16], "memory": "block", "data_bits": 16, "scores": True}),
    ((144, 72, 20), {"pe": [6, 5], "simd": [9, 24], "encoding": "host", "data_bits": 8}),
]
CONV: list[dict[str, Any]] = [
    {"shape": (8, 8, 4), "outputs": 8, "kernel": (3, 3), "pe": 2, "simd": 4},
    {"shape": (12, 12, 8), "outputs": 16, "kernel": (3, 3), "padding": (1, 1, 1, 1), "pe": 4, "simd": 8},
    {"shape": (16, 10, 3), "outputs": 12, "kernel": (2, 3), "stride": (2, 1), "pe": 3, "simd": 9},
    {"shape": (10, 10, 32), "outputs": 32, "kernel": (3, 3), "pe": 8, "simd": 32},
]
GEARBOXES = [
    (8, 64, 784),
    (13, 39, 390),
    (4, 20, 100),
    (16, 32, 256),
    (7, 49, 784),
    (64, 8, 784),
    (39, 13, 100),
    (32, 4, 128),
    (48, 16, 96),
    (64, 16, 100),
    (8, 18, 200),
    (12, 18, 200),
    (8, 5, 200),
    (12, 5, 200),
    (7, 13, 60),
    (64, 13, 784),
    (10, 24, 110),
    (25, 56, 200),
    (49, 16, 784),
    (13, 64, 784),
    (16, 24, 256),
]
FLOWING = [(240, 200, 400), (160, 136, 400), (72, 56, 216), (24, 16, 72), (8, 6, 24), (24, 18, 216)]  # as of windows
QUEUES = [(8, 64, 2, 4), (16, 256, 2, 8), (32, 784, 2, 4), (13, 100, 3, 9), (64, 784, 2, 1), (10, 110, 4, 6)]
ROWS = [(simd, stages) for stages in (1, 2) for simd in (8, 16, 25, 32, 49, 64, 96, 128)]


class Flowing(wiring.Component):
    """A gearbox to narrower words whose reader never waits."""

    def __init__(self, in_width: int, out_width: int, bits: int):
        self.box = Gearbox(in_width=in_width, out_width=out_width, bits=bits)
        super().__init__({"i": In(stream.Signature(in_width)), "o": Out(out_width), "valid": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.box = box = self.box
        wiring.connect(m, wiring.flipped(self.i), box.i)
        m.d.comb += [box.o.ready.eq(1), self.o.eq(box.o.payload), self.valid.eq(box.o.valid)]
        return m


def dense(sizes: tuple[int, ...], options: dict[str, Any], family: Family) -> tuple[Network, Plan]:
    network = random_network(sizes)
    memory = options.get("memory", "auto")
    rest = {key: value for key, value in options.items() if key != "memory"}
    plan = bw.size(network, target=family.name, **rest)
    return network, replace(plan, layers=tuple(replace(layer, memory=memory) for layer in plan.layers))


def conv(options: dict[str, Any], family: Family) -> tuple[Network, Plan]:
    layer = {key: value for key, value in options.items() if key not in ("pe", "simd")}
    network = bw.conv_layer(**layer)
    return network, bw.size(network, pe=options["pe"], simd=options["simd"], target=family.name)


def _counts(counts: Counts) -> dict[str, float]:
    return {
        "luts": counts.luts,
        "lutram": counts.lutram,
        "ffs": counts.ffs,
        "block_rams": counts.block_rams,
        "dsps": counts.dsps,
    }


def _design(network: Network, plan: Plan, family: Family, what: dict[str, Any]) -> dict[str, Any]:
    with TemporaryDirectory(prefix="bitwright-") as folder:
        report = synthesize(bw.generate(network, plan, Path(folder) / "design"), family=family)
    layers = [{"engine": _counts(layer.engine), "queue": _counts(layer.queue)} for layer in report.layers]
    return {**what, "layers": layers, "other": _counts(report.other)}


def _part(component: Any, family: Family, what: dict[str, Any]) -> dict[str, Any]:
    with TemporaryDirectory(prefix="bitwright-") as folder:
        file = Path(folder) / "part.v"
        file.write_text(emit(component, "part"))
        return {**what, **_counts(synthesize_verilog([file], "part", family=family)["part"])}


def measure(family: Family, designs: int | None = None) -> None:
    """Writes bench/costs/FAMILY.json, a line for each measurement, quick ones first; at most `designs` dense ones."""
    jobs: list[Any] = []
    for widths in GEARBOXES:
        jobs.append(lambda w=widths: _part(Gearbox(in_width=w[0], out_width=w[1], bits=w[2]), family, {"gearbox": w}))
    for widths in FLOWING:
        jobs.append(lambda w=widths: _part(Flowing(*w), family, {"flowing": w}))
    for width, bits, banks, repeats in QUEUES:
        queue = {"in_width": width, "out_width": width, "bits": bits, "banks": banks, "repeats": repeats}
        jobs.append(lambda q=queue: _part(FrameQueue(**q), family, {"queue": q}))
    for simd, stages in ROWS:
        row = {"simd": simd, "stages": stages, "bits": 12}
        jobs.append(lambda r=row: _part(AccumulateRow(**r), family, {"row": r}))
    for options in CONV:
        jobs.append(lambda o=options: _design(*conv(o, family), family, {"conv": o}))
    for sizes, chosen in sorted(DENSE, key=lambda entry: sum(entry[0]))[:designs]:
        what = {"dense": sizes, "options": chosen}
        jobs.append(lambda s=sizes, o=chosen, w=what: _design(*dense(s, o, family), family, w))
    DATA.mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool, (DATA / f"{family.name}.json").open("w") as file:
        for done, found in enumerate(pool.map(lambda job: job(), jobs)):
            file.write(("[" if done == 0 else ",\n") + json.dumps(found))
            file.flush()
            print(f"{family.name}: {done + 1} of {len(jobs)}", file=sys.stderr)
        file.write("]\n")


def modelled(what: dict[str, Any], family: Family) -> list[tuple[str, Counts, dict[str, float]]]:
    """Each part of a measurement: its name, what the model says of it, and what Yosys counted."""
    costs = costs_of(family)
    if "gearbox" in what:
        return [(f"gearbox {what['gearbox']}", gearbox_counts(*what["gearbox"], costs), what)]
    if "flowing" in what:
        return [(f"flowing {what['flowing']}", gearbox_counts(*what["flowing"], costs, flowing=True), what)]
    if "queue" in what:
        return [(f"queue {what['queue']}", queue_counts(**what["queue"], costs=costs), what)]
    if "row" in what:
        luts = round(costs.portable_row.at(what["row"]["simd"])) if family.rows.luts is None else 0
        return [(f"row {what['row']}", Counts(luts=luts), what)] if luts else []
    network, plan = _made(what, family)
    expected = estimate(network, plan, family=family)
    name = f"{what.get('dense', what.get('conv'))}"
    parts = [(f"{name}, the rest", expected.other, what["other"])]
    for layer, counted in zip(expected.layers, what["layers"], strict=True):
        parts += [(f"{name}, {layer.name}", layer.engine, counted["engine"])]
        parts += [(f"{name}, queue of {layer.name}", layer.queue, counted["queue"])]
    return parts


@cache
def _network(text: str, family: Family) -> tuple[Network, Plan]:
    what = json.loads(text)
    if "conv" in what:
        return conv({key: tuple(v) if isinstance(v, list) else v for key, v in what["conv"].items()}, family)
    return dense(tuple(what["dense"]), what["options"], family)


def _made(what: dict[str, Any], family: Family) -> tuple[Network, Plan]:
    return _network(json.dumps({key: what[key] for key in ("conv", "dense", "options") if key in what}), family)


def _numbers(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of the constants that `fit` may move: LUTs, as numbers."""
    found: list[tuple[str, ...]] = []
    for field in fields(value):
        inner = getattr(value, field.name)
        if is_dataclass(inner):
            found += _numbers(inner, (*path, field.name))
        elif isinstance(inner, float | int) and not isinstance(inner, bool) and field.name not in FIXED:
            found.append((*path, field.name))
    return found


def _get(value: Any, path: tuple[str, ...]) -> float:
    for name in path:
        value = getattr(value, name)
    return float(value)


def _with(value: Any, path: tuple[str, ...], number: float) -> Any:
    name, *rest = path
    return replace(value, **{name: number if not rest else _with(getattr(value, name), tuple(rest), number)})


def residuals(data: list[dict[str, Any]], family: Family, costs: Costs) -> np.ndarray:
    """Of each part, how far the model's LUTs are from Yosys', over the latter and 20 more."""
    tried = replace(family, costs=costs)
    return np.array(
        [
            (counts.luts - counted["luts"]) / (counted["luts"] + 20)
            for what in data
            for _, counts, counted in modelled(what, tried)
        ]
    )


def fit(family: Family) -> None:
    """Prints each constant as it is and as it suits the data best, and how well either does."""
    data = json.loads((DATA / f"{family.name}.json").read_text())
    costs = costs_of(family)
    paths = _numbers(costs)
    for _ in range(ROUNDS):
        now = residuals(data, family, costs)
        steps = [max(1.0, abs(_get(costs, path)) / 4) for path in paths]
        slopes = np.stack(
            [
                (residuals(data, family, _with(costs, path, _get(costs, path) + step)) - now) / step
                for path, step in zip(paths, steps, strict=True)
            ],
            axis=1,
        )
        # a constant that hardly matters stays where it is
        scale = np.array(steps)
        held = np.concatenate([slopes * scale, HOLD * np.eye(len(paths))])
        moves = np.linalg.lstsq(held, np.concatenate([-now, np.zeros(len(paths))]), rcond=None)[0] * scale
        for path, move in zip(paths, moves, strict=True):
            costs = _with(costs, path, _get(costs, path) + move)
    before = costs_of(family)
    for path in paths:
        print(f"{'.'.join(path):28} {_get(before, path):8.2f} -> {_get(costs, path):8.2f}")
    for name, tried in (("in use", before), ("fitted", costs)):
        errors = np.abs(residuals(data, family, tried))
        print(
            f"{name}: {100 * errors.mean():.1f} % off on average, {100 * np.quantile(errors, 0.9):.1f} % in nine of ten"
        )
    report(data, family)


def report(data: list[dict[str, Any]], family: Family) -> None:
    """Prints each whole design beside Yosys' counts, with the constants in use."""
    print("LUTs, block RAMs and flip-flops of whole designs with the constants in use, over Yosys'")
    for what in data:
        parts = modelled(what, family)
        if len(parts) > 1:
            mine = sum((counts for _, counts, _ in parts), Counts())
            theirs = [sum(counted[key] for _, _, counted in parts) for key in ("luts", "block_rams", "ffs")]
            print(
                f"  {parts[0][0].removesuffix(', the rest')} {what.get('options', '')}: {mine.luts / theirs[0]:.3f}, "
                f"{mine.block_rams:g} of {theirs[1]:g}, {mine.ffs / theirs[2]:.2f}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measures what the cost model is fitted to, and fits it.")
    parser.add_argument("command", choices=("measure", "fit"))
    parser.add_argument("family", choices=[family.name for family in COUNTED])
    parser.add_argument("--designs", metavar="N", type=int, help="measure: dense designs, the smallest (default: all)")
    args = parser.parse_args()
    chosen = family_named(args.family)
    if args.command == "measure":
        measure(chosen, args.designs)
    else:
        fit(chosen)
