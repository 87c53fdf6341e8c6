"""`make bench`: what bitwright measures of itself, each figure beside its goal or reference.

A measurement is a function that takes a `Context` and gives rows; MEASUREMENTS lists them all. Figures are of the
machine that runs this: compare rates only within one run.
"""

import argparse
import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import da4ml_compare
import few_bits as two_bits
import numpy as np
from designs import ESTIMATED, LFC, SFC, random_cnn, random_network
from few_bit_designs import FEW_BIT_DESIGNS

import bitwright as bw
from bitwright.cli.output import print_table, progress
from bitwright_core import golden
from bitwright_core.atomic import write_text
from bitwright_core.errors import ToolError
from bitwright_core.network import Network
from bitwright_core.plan import LayerPlan, Plan
from bitwright_core.progress import Progress
from bitwright_hw.cells import Counts
from bitwright_hw.families import ECP5, GENERIC, XC7, Family
from bitwright_hw.synth import synthesize_verilog
from bitwright_sim import verify
from bitwright_sim.cache import BuildCache
from bitwright_sim.sliced.build import build_sliced


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `met` is None where there is a reference but no goal."""

    what: str
    value: float
    unit: str
    goal: str
    met: bool | None = None
    note: str = ""


@dataclass(kw_only=True)
class Context:
    """What measurements share: a folder, progress, and the networks they use."""

    folder: Path
    progress: Progress
    networks: dict[tuple[int, ...], Network] = field(default_factory=dict)

    def network(self, *sizes: int) -> Network:
        """A random network sizes[0]-...-sizes[-1] on 8-bit inputs, the last layer giving scores."""
        if sizes not in self.networks:
            self.networks[sizes] = random_network(sizes)
        return self.networks[sizes]

    def design(self, network: Network, plan: Plan) -> bw.Design:
        return bw.generate(network, plan, self.folder / f"{network.name}_{len(list(self.folder.iterdir()))}")

    @staticmethod
    def frames(network: Network, count: int) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (count, network.input.size), dtype=np.uint8)


def native_against_cocotb(context: Context) -> list[Row]:
    """The same 1,000 frames of an sfc, through the compiled model and through the cocotb bench."""
    from bitwright_sim import simulate_frames

    network = context.network(*SFC)
    design = context.design(network, bw.size(network, cycles=256, scores=True))
    frames = context.frames(network, 1000)  # enough that starting cocotb counts little
    bench = simulate_frames(design, frames, progress=context.progress)
    if not bench.passed:
        raise SystemExit(f"bench: the cocotb bench failed: {[test.message for test in bench.tests]}")
    bw.verify(design, frames[:10], progress=context.progress)  # builds
    one = bw.verify(design, frames, jobs=1, progress=context.progress)
    every = bw.verify(design, frames, progress=context.progress)
    if one.mismatches or every.mismatches:
        raise SystemExit("bench: the design differs from the golden model")
    alone = one.frames_per_second / bench.frames_per_second
    together = every.frames_per_second / bench.frames_per_second
    return [
        Row(what="sfc through cocotb, Verilator", value=bench.frames_per_second, unit="frames/s", goal="reference"),
        Row(what="sfc natively, one process", value=one.frames_per_second, unit="frames/s", goal="reference"),
        Row(what="sfc natively, every core", value=every.frames_per_second, unit="frames/s", goal="reference"),
        Row(what="native over cocotb, one process", value=alone, unit="times", goal="reference"),
        Row(what="native over cocotb, every core", value=together, unit="times", goal=">= 50", met=together >= 50),
    ]


def golden_model(context: Context) -> list[Row]:
    """The golden model by itself."""
    rows = []
    for name, sizes, count in (("sfc", SFC, 10_000), ("lfc", LFC, 4_000)):
        network = context.network(*sizes)
        frames = context.frames(network, count)
        golden.outputs(network, frames[:100])
        started = time.perf_counter()
        golden.outputs(network, frames)
        rate = count / (time.perf_counter() - started)
        rows.append(Row(what=f"{name} in the golden model", value=rate, unit="frames/s", goal="reference"))
        context.progress("golden model", len(rows), 2)
    return rows


def interval_over_ideal(context: Context) -> list[Row]:
    """Measured by simulation of back-to-back frames, for folds that divide and folds that do not."""
    small = (100, 60, 40, 10)
    folds: list[tuple[str, tuple[int, ...], dict[str, Any], int]] = [
        ("small", small, {"pe": 1, "simd": 1}, 200),
        ("small", small, {"pe": [60, 40, 10], "simd": [100, 60, 40]}, 1000),
        ("small", small, {"pe": 7, "simd": 13}, 1000),
        ("small", small, {"pe": [60, 1, 3], "simd": [3, 60, 7]}, 1000),
        ("sfc", SFC, {"pe": 16, "simd": [49, 16, 16, 16]}, 1000),
        ("sfc", SFC, {"pe": [23, 11, 19, 7], "simd": [41, 29, 13, 31]}, 1000),
        ("sfc", SFC, {"cycles": 98}, 1000),
        ("lfc", LFC, {"cycles": 512}, 1000),
        ("lfc", LFC, {"pe": [61, 67, 71, 3], "simd": [53, 59, 61, 37]}, 1000),
    ]
    rows = []
    for index, (name, sizes, options, count) in enumerate(folds):
        network = context.network(*sizes)
        plan = bw.size(network, **options)
        report = bw.verify(context.design(network, plan), context.frames(network, count))
        if report.mismatches or report.interval_cycles is None:
            raise SystemExit(f"bench: {name}, {options}: {report.first_mismatch}")
        ratio = report.interval_cycles / report.ideal_interval_cycles
        shown = " ".join(f"{key} {value}" for key, value in options.items())
        rows.append(
            Row(
                what=f"interval over ideal, {name}, {shown}",
                value=ratio,
                unit="",
                goal="<= 1.01",
                met=ratio <= 1.01,
                note=f"{report.interval_cycles:g} of {report.ideal_interval_cycles} cycles, {count} frames",
            )
        )
        context.progress("intervals", index + 1, len(folds))
    return rows


def generation(context: Context) -> list[Row]:
    """Network to Verilog: CPU time of this process and its children, and how it grows with the network."""
    rows, times = [], {}
    widths = {"64": (784, 64, 64, 64, 10), "sfc": SFC, "512": (784, 512, 512, 512, 10), "lfc": LFC}
    cases = [(name, context.network(*sizes), 256) for name, sizes in widths.items()]
    channels = (128, 128, 256, 256, 512, 512)  # of Larq's BinaryNet: all but the first padded with zeros
    binary_net = random_cnn(
        "binarynet", channels=channels, pooled=(1, 3, 5), dense=(1024, 1024, 10), padded=range(1, 6)
    )
    goals = {"lfc": 10, "binarynet": 20}
    for name, network, cycles in [*cases, ("binarynet", binary_net, 1_000_000)]:
        plan = bw.size(network, cycles=cycles)
        before = sum(os.times()[:4])
        context.design(network, plan)
        times[name] = sum(os.times()[:4]) - before
        goal = goals.get(name)
        row = Row(
            what=f"{name}, network to Verilog",
            value=times[name],
            unit="s CPU",
            goal=f"<= {goal}" if goal else "reference",
            met=times[name] <= goal if goal else None,
            note=f"{network.weight_bits:,} weights",
        )
        rows.append(row)
        context.progress("generation", len(rows), len(cases) + 1)
    weights = context.network(*LFC).weight_bits / context.network(*SFC).weight_bits
    growth = times["lfc"] / times["sfc"]
    rows.append(
        Row(
            what="time of lfc over sfc",
            value=growth,
            unit="times",
            goal=f"<= {weights:.1f}",
            met=growth <= weights,
            note=f"{weights:.1f} times the weights",
        )
    )
    return rows


FINN_HLS, FINN_RTL = 2.9, 2.1  # LUTs a lane of FINN's binary matrix-vector unit, published for PE 32 x SIMD 32


def luts_a_lane(context: Context) -> list[Row]:
    """An engine of 1,024 inputs x 1,024 outputs, all of it, by Yosys; and on ECP5 against the portable engine.

    The portable rows (bitwright_hw.arithmetic.tree) take fewer LUTs than Yosys makes of a plain sum of the lanes.
    """
    layer = bw.dense_layer(1024, 1024, seed=0)

    def engine(pe: int, simd: int, target: Family, family: Family) -> Counts:
        plan = bw.size(layer, pe=pe, simd=simd, target=target.name)
        plan = replace(plan, layers=tuple(replace(choice, memory="block") for choice in plan.layers))
        return bw.synth(context.design(layer, plan), family=family.name, progress=context.progress).layers[0].engine

    rows = []
    for pe, simd, goal in ((32, 32, 1.45), (16, 64, 1.35)):
        counts = engine(pe, simd, XC7, XC7)
        row = Row(
            what=f"xc7 engine, PE {pe} x SIMD {simd}",
            value=counts.luts / 1024,
            unit="LUTs a lane",
            goal=f"<= {goal} (FINN: {FINN_HLS} HLS, {FINN_RTL} RTL)",
            met=counts.luts <= goal * 1024,
            note=f"{counts.luts:,} LUTs, {counts.block_rams:g} BRAM36",
        )
        rows.append(row)
    ecp5, plain = engine(32, 32, ECP5, ECP5), engine(32, 32, GENERIC, ECP5)
    less = 1 - ecp5.luts / plain.luts
    rows.append(
        Row(
            what="ecp5 engine, PE 32 x SIMD 32, below the portable one",
            value=100 * less,
            unit="%",
            goal=">= 25",
            met=less >= 0.25,
            note=f"{ecp5.luts:,} of {plain.luts:,} LUT4, {ecp5.block_rams:g} EBR",
        )
    )
    return rows


def few_bits(context: Context) -> list[Row]:
    """Engines on two bits beside those of one bit of the same lanes, on xc7: the planes are the only price."""
    rows = []
    for index, shape in enumerate(two_bits.SHAPES):
        context.progress("engines of a few bits", index, len(two_bits.SHAPES))
        counts = {name: two_bits.engine_luts(types, shape) for name, types in two_bits.TYPES.items()}
        inputs, outputs, pe, simd = shape
        for name, goal in two_bits.GOALS.items():
            times = counts[name] / counts["W1A1"]
            rows.append(
                Row(
                    what=f"xc7 engine {inputs} x {outputs}, PE {pe} x SIMD {simd}, {name} over W1A1",
                    value=times,
                    unit="times",
                    goal=f"<= {goal}",
                    met=times <= goal,
                    note=f"{counts[name]:,} and {counts['W1A1']:,} LUTs",
                )
            )
    return rows


def plane_serial(context: Context) -> list[Row]:
    """Plane-serial engines beside the plane-parallel ones of the same PE and SIMD, on xc7."""
    rows = []
    for index, shape in enumerate(two_bits.SERIAL_SHAPES):
        context.progress("plane-serial engines", index, len(two_bits.SERIAL_SHAPES))
        inputs, outputs, pe, simd = shape
        for name, types in two_bits.SERIAL_TYPES.items():
            parallel, serial = (two_bits.engine_luts(types, shape, planes) for planes in ("parallel", "serial"))
            rows.append(
                Row(
                    what=f"xc7 engine {inputs} x {outputs}, PE {pe} x SIMD {simd}, {name}, serial over parallel",
                    value=serial / parallel,
                    unit="times",
                    goal="parallel 1",
                    note=f"{serial:,} and {parallel:,} LUTs",
                )
            )
    return rows


FITTED = (XC7, ECP5)  # families whose estimates are measured


def _estimated(context: Context, what: str, network: Network, plan: Plan) -> Row:
    """The estimate of a design over what Yosys counts."""
    design = context.design(network, plan)
    expected = bw.estimate(network, design.plan).total
    measured = bw.synth(design).total
    return Row(
        what=f"estimate over Yosys, {what}",
        value=expected.luts / measured.luts,
        unit="LUTs",
        goal="0.85 .. 1.15, same block RAM",
        met=abs(expected.luts / measured.luts - 1) <= 0.15 and expected.block_rams == measured.block_rams,
        note=f"{expected.luts:,} of {measured.luts:,}; "
        f"blocks {expected.block_rams:g} of {measured.block_rams:g}; "
        f"flip-flops {expected.ffs:,} of {measured.ffs:,}",
    )


def _with_the_worst(rows: list[Row]) -> list[Row]:
    worst = max(rows, key=lambda row: abs(row.value - 1))
    note = worst.what.removeprefix("estimate over Yosys, ")
    return [*rows, replace(worst, what=f"estimate over Yosys, the worst of {len(rows)}", note=note)]


def estimates(context: Context) -> list[Row]:
    """The estimate over what Yosys counts: LUTs and block RAM of whole designs, on each family."""
    rows = []
    for index, (family, (sizes, options)) in enumerate(itertools.product(FITTED, ESTIMATED)):
        network = context.network(*sizes)
        memory = options.get("memory", "auto")
        plan = bw.size(network, target=family.name, **{key: value for key, value in options.items() if key != "memory"})
        plan = replace(plan, layers=tuple(replace(layer, memory=memory) for layer in plan.layers))
        shown = " ".join(f"{key} {value}" for key, value in options.items())
        what = f"{family.name}, {'-'.join(map(str, sizes))}, {shown}"
        rows.append(_estimated(context, what, network, plan))
        context.progress("estimates", index + 1, len(FITTED) * len(ESTIMATED))
    return _with_the_worst(rows)


def few_bit_estimates(context: Context) -> list[Row]:
    """The same of networks of few bits, of branches and of mobile shapes, which no constant was fitted to."""
    rows = []
    for index, (family, (network, cycles)) in enumerate(itertools.product((XC7, ECP5), FEW_BIT_DESIGNS)):
        plan = bw.size(network, target=family.name, cycles=cycles)
        rows.append(_estimated(context, f"{family.name}, {network.name}", network, plan))
        context.progress("estimates of few bits", index + 1, 2 * len(FEW_BIT_DESIGNS))
    return _with_the_worst(rows)


PUBLISHED_LFC = "BNN-PYNQ's LFC: 168,000 frames/s, 28,360 LUTs"


def lfc_on_pynq(context: Context) -> list[Row]:
    """lfc sized for a PYNQ-Z2: its rate by simulation, what it takes by Yosys. Some twenty minutes."""
    network = context.network(*LFC)
    plan = bw.size(network, board="pynq-z2", progress=context.progress)
    design = context.design(network, plan)
    # simulated as portable Verilog: compiling models of every LUT of weights takes Verilator half an hour
    portable = context.design(network, replace(plan, target=GENERIC.name))
    if portable.manifest.interval_cycles != design.manifest.interval_cycles:
        raise SystemExit("bench: lfc for pynq-z2 has other cycles in portable Verilog")
    report = bw.verify(portable, context.frames(network, 1000), progress=context.progress)
    if report.mismatches or report.interval_cycles is None:
        raise SystemExit(f"bench: lfc for pynq-z2: {report.first_mismatch}")
    rate = plan.clock_mhz * 1e6 / report.interval_cycles
    counts = bw.synth(design, progress=context.progress).total
    expected = bw.estimate(network, plan).total
    return [
        Row(
            what="lfc on a PYNQ-Z2 at 100 MHz, by simulation",
            value=rate,
            unit="frames/s",
            goal=f">= 400,000 ({PUBLISHED_LFC})",
            met=rate >= 400_000,
            note=f"{report.interval_cycles:g} cycles a frame, {report.frames} frames bit-exact",
        ),
        Row(
            what="the same, by Yosys",
            value=counts.luts,
            unit="LUTs",
            goal="<= 42,560, 140 BRAM36",
            met=counts.luts <= 42_560 and counts.block_rams <= 140,
            note=f"{counts.block_rams:g} BRAM36, {counts.ffs:,} flip-flops; estimated {expected.luts:,} LUTs and "
            f"{expected.block_rams:g} BRAM36",
        ),
    ]


def clocks(context: Context) -> list[Row]:
    """The highest clock of sfc at PE 16 on an ECP5-85F, speed grade 6, by nextpnr: one seed, so some MHz either way."""
    network = context.network(*SFC)
    plan = bw.size(network, pe=16, simd=16, target=ECP5.name, clock_mhz=125)
    report = bw.synth(context.design(network, plan), place=True, progress=context.progress)
    assert report.placed is not None  # place was asked for
    return [
        Row(
            what="sfc at PE 16 x SIMD 16 on ECP5-85F",
            value=report.placed.fmax_mhz,
            unit="MHz",
            goal=">= 125",
            met=report.placed.fmax_mhz >= 125,
            note=f"{report.total.luts:,} LUT4, {report.total.block_rams:g} EBR; {report.placed.tool}",
        )
    ]


def hardwired_digits(context: Context) -> list[Row]:
    """The digits network hardwired: trained here, every held-out digit through it, its LUTs on both families, and its
    clock on ECP5, which takes a quarter of an hour to place and route."""
    from bitwright_data import load_dataset

    network = bw.train_network("digits", context.folder / "digits", progress=context.progress).network
    test = load_dataset("digits", None)
    rows = []
    for family in (XC7, ECP5):
        design = context.design(network, bw.size(network, hardwired=True, target=family.name))
        if family is XC7:
            report = bw.verify(design, test.test_frames, test.test_labels, progress=context.progress)
            if report.mismatches or report.interval_cycles is None:
                raise SystemExit(f"bench: the hardwired digits differ from the golden model: {report.first_mismatch}")
            row = Row(
                what="digits hardwired, cycles a frame",
                value=report.interval_cycles,
                unit="cycles",
                goal="1",
                met=report.interval_cycles == 1,
                note=f"{report.frames} held-out frames, bit-exact, {100 * (report.accuracy or 0):.1f} % right",
            )
            rows.append(row)
        counts = bw.synth(design, family=family.name, place=family is ECP5, progress=context.progress)
        inside = sum(layer.engine.luts for layer in counts.layers)
        note = f"{inside:,} of them in the layers, {counts.total.ffs:,} FF, {counts.total.dsps} DSP"
        rows.append(
            Row(
                what=f"digits hardwired, {family.name}",
                value=counts.total.luts,
                unit="LUTs",
                goal="reference",
                note=note,
            )
        )
        if counts.placed is not None:
            fmax = counts.placed.fmax_mhz
            note = f"a frame a cycle; {counts.placed.device}, {counts.placed.tool}, seed {counts.placed.seed}"
            rows.append(Row(what="digits hardwired on ECP5-85F", value=fmax, unit="MHz", goal="reference", note=note))
    return rows


def hardwired_against_da4ml(context: Context) -> list[Row]:
    """784-64-10 hardwired against da4ml, by the same Yosys command: from encoded bits to the last popcounts, so neither
    encoder nor scores nor class on either side. bitwright's is fully pipelined, da4ml's combinational."""
    network, weights = _mnist64(context)
    design = context.design(network, bw.size(network, hardwired=True, encoding="host", target=XC7.name))
    layers = bw.synth(design, family=XC7.name, progress=context.progress).layers
    mine = sum(layer.engine.luts for layer in layers)
    flops = sum(layer.engine.ffs for layer in layers)
    interpreter = da4ml_compare.python()
    note = f"{weights}; {flops:,} FF, a frame every {design.manifest.interval_cycles} cycle"
    if interpreter is None:
        note = f"{note}; {da4ml_compare.HOW}"
    rows = [Row(what="784-64-10 hardwired, xc7", value=mine, unit="LUTs", goal="reference", note=note)]
    if interpreter is None:
        return rows
    context.progress("da4ml (minutes)", 0, 1)
    da4ml = da4ml_compare.run(network, context.folder / "da4ml", interpreter)
    context.progress("da4ml (minutes)", 1, 1)
    synthesized = synthesize_verilog(da4ml.files, da4ml.top, family=XC7, check=False, progress=context.progress)
    counts = synthesized[da4ml.top]
    less = 1 - mine / counts.luts
    note = f"da4ml {da4ml.version}, {da4ml.seconds:.0f} s, combinational"
    rows.append(Row(what="784-64-10 by da4ml, xc7", value=counts.luts, unit="LUTs", goal="reference", note=note))
    rows.append(Row(what="784-64-10 hardwired, below da4ml", value=100 * less, unit="%", goal=">= 30", met=less >= 0.3))
    return rows


def lut_networks_against_dwn2rtl(context: Context) -> list[Row]:
    """A layer of 300 tables on MNIST by bitwright and by dwn2rtl, each trained here for as long, and counted by Yosys
    for xc7 with everything in it. Needs MNIST (BITWRIGHT_DATA) and training; without dwn2rtl its row is missing."""
    compared = "300 tables on MNIST, networks trained and counted"
    if not os.environ.get("BITWRIGHT_DATA"):
        note = "skipped: BITWRIGHT_DATA names no folder with MNIST"
        return [Row(what=compared, value=0, unit="of 2", goal="reference", note=note)]
    import dwn2rtl_compare

    seconds = float(os.environ.get("BITWRIGHT_LUT_SECONDS", dwn2rtl_compare.SECONDS))
    data = Path(os.environ["BITWRIGHT_DATA"])
    found, skipped = dwn2rtl_compare.sides(300, context.folder, data, seconds, context.progress)
    rows = [Row(what=compared, value=len(found), unit="of 2", goal="reference", note=skipped)]
    for side in found:
        rows.append(Row(what=f"{side.what}, xc7", value=side.luts, unit="LUTs", goal="reference", note=side.note))
        rows.append(Row(what=f"{side.what}, told right", value=side.accuracy, unit="%", goal="reference"))
    return rows


def _cnv() -> tuple[Network, Plan]:
    """A random network of the shape of BNN-PYNQ's CNV, and its original folding."""
    network = random_cnn("cnv", channels=(64, 64, 128, 128, 256, 256), pooled=(1, 3), dense=(512, 512, 10))
    pe, simd = (16, 32, 16, 16, 4, 1, 1, 1, 4), (3, 32, 32, 32, 32, 32, 4, 8, 1)
    folds = tuple(
        LayerPlan(name=layer.name, pe=p, simd=s) for layer, p, s in zip(network.matrix_layers, pe, simd, strict=True)
    )
    return network, Plan(layers=folds, target=XC7.name)


def sliced_simulation(context: Context) -> list[Row]:
    """10,000 frames through the sliced engine, beside Verilator's rate on some frames of the same design."""
    lfc = context.network(*LFC)
    folds = zip(lfc.matrix_layers, (32, 64, 32, 10), (64, 32, 64, 8), strict=True)
    lfc_plan = Plan(layers=tuple(LayerPlan(name=layer.name, pe=p, simd=s) for layer, p, s in folds), target=XC7.name)
    rows = []
    for name, (network, plan), few in (("lfc", (lfc, lfc_plan), 500), ("cnv", _cnv(), 8)):
        design = context.design(network, plan)
        frames = context.frames(network, 10_000)
        cache = BuildCache(context.folder / f"cache-{name}")
        started = time.perf_counter()
        build_sliced(design, cache=cache, progress=context.progress)
        build = time.perf_counter() - started
        started = time.perf_counter()
        report = verify(design, network, frames, engine="sliced", proof=False, cache=cache, progress=context.progress)
        seconds = time.perf_counter() - started
        other = verify(design, network, frames[:few], engine="verilator", cache=cache, progress=context.progress)
        if report.mismatches or other.mismatches:
            raise SystemExit(f"bench: {name} differs from the golden model")
        times = report.frames_per_second / other.frames_per_second
        goal, met = ("<= 15", seconds <= 15) if name == "lfc" else ("<= 180", seconds + build <= 180)
        rows += [
            Row(what=f"{name}, sliced build", value=build, unit="s", goal="reference"),
            Row(
                what=f"{name}, 10,000 frames sliced",
                value=seconds,
                unit="s",
                goal=goal,
                met=met,
                note=f"{report.integers:,} integers" + ("; goal with the build" if name == "cnv" else ""),
            ),
            Row(what=f"{name}, sliced", value=report.frames_per_second, unit="frames/s", goal="reference"),
            Row(
                what=f"{name}, Verilator",
                value=other.frames_per_second,
                unit="frames/s",
                goal="reference",
                note=f"{few} frames",
            ),
            Row(
                what=f"{name}, sliced over Verilator",
                value=times,
                unit="times",
                goal=">= 50" if name == "cnv" else "reference",
                met=times >= 50 if name == "cnv" else None,
            ),
        ]
    return rows


def _mnist64(context: Context) -> tuple[Network, str]:
    """A trained 784-64-10 where MNIST is at hand (BITWRIGHT_DATA), else a random one; and which it is."""
    if not os.environ.get("BITWRIGHT_DATA"):
        return context.network(784, 64, 10), "random weights (BITWRIGHT_DATA names no folder with MNIST)"
    from bitwright_train import TrainConfig

    config = TrainConfig(
        name="mnist64", dataset="mnist", hidden=(64,), thresholds=(128,), epochs=8, learning_rate=0.04, shift=1
    )
    report = bw.train_network(
        config, context.folder / "mnist64", data_dir=os.environ["BITWRIGHT_DATA"], progress=context.progress
    )
    return report.network, f"trained, {100 * report.test_accuracy:.1f} % on MNIST"


MEASUREMENTS: list[Callable[[Context], list[Row]]] = [
    native_against_cocotb,
    sliced_simulation,
    golden_model,
    interval_over_ideal,
    generation,
    luts_a_lane,
    few_bits,
    plane_serial,
    estimates,
    few_bit_estimates,
    lfc_on_pynq,
    clocks,
    hardwired_digits,
    hardwired_against_da4ml,
    lut_networks_against_dwn2rtl,
]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints a table, writes bench.json; 1 if a goal was missed. What a missing tool keeps from being
    measured is a row that says so."""
    names = [function.__name__ for function in MEASUREMENTS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="folder for bench.json")
    parser.add_argument("--only", choices=names, action="append", help="this measurement alone (repeatable)")
    args = parser.parse_args(argv)
    chosen = [function for function in MEASUREMENTS if not args.only or function.__name__ in args.only]
    rows: list[tuple[str, Row]] = []
    with TemporaryDirectory(prefix="bitwright-bench-") as folder, progress() as report:
        context = Context(folder=Path(folder), progress=report)
        for function in chosen:
            try:
                rows += [(function.__name__, row) for row in function(context)]
            except ToolError as error:  # a tool of an extra is not installed: said, and the others are measured
                rows.append((function.__name__, Row(what="not measured", value=0, unit="", goal="", note=str(error))))
            _write(args.out, rows)  # so that an interrupted run keeps what it has measured
    verdict = {True: "met", False: "MISSED", None: ""}
    print_table(
        ["figure", "value", "unit", "goal", "", "note"],
        [[row.what, row.value, row.unit, row.goal, verdict[row.met], row.note] for _, row in rows],
        title="bitwright bench",
    )
    print(f"written to {args.out / 'bench.json'}; {_cpu()}, {os.cpu_count()} cores")
    return 1 if any(row.met is False for _, row in rows) else 0


def _write(out: Path, rows: list[tuple[str, Row]]) -> None:
    result: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "cpu": _cpu(), "python": platform.python_version()},
        "version": bw.__version__,
        "rows": [{"measurement": name, **asdict(row)} for name, row in rows],
    }
    write_text(out / "bench.json", json.dumps(result, indent=2) + "\n")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
