"""The class of each pixel in hardware: the unit beside the rule, and accelerators that give class maps."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitwright_core.network import ChannelArgMax
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_core.plan import LayerPlan, Plan, default_plan
from bitwright_hw.pixel_class import PixelClass, PixelClassParams
from bitwright_hw.solve import solved
from tests.hw.test_accelerator import check
from tests.sw.test_arg_max import class_map


@pytest.mark.parametrize("number", [BINARY, TERNARY, unsigned_type(3), signed_type(4)], ids=str)
@pytest.mark.parametrize(("channels", "lanes"), [(2, 1), (5, 3), (7, 7), (4, 2), (3, 2)])
def test_classes_of_pixels(number, channels, lanes):
    """Every pixel's class `latency` cycles after its last word; what lies beyond the last channel does not matter."""
    rng = np.random.default_rng([channels, lanes])
    params = PixelClassParams(number=number, channels=channels, lanes=lanes)
    unit = PixelClass(params=params)
    pixels = rng.integers(number.stored[0], number.stored[1] + 1, (12, channels))
    expected = ChannelArgMax(name="m", shape=(channels,), takes=number).compute(pixels)[:, 0].tolist()
    beyond = rng.integers(number.stored[0], number.stored[1] + 1, (12, params.words * lanes - channels))
    seen, ends = [], []

    async def feed(ctx):
        for values in np.concatenate([pixels, beyond], axis=1).reshape(12, params.words, lanes).tolist():
            for k, word in enumerate(values):
                for _ in range(int(rng.integers(0, 2))):
                    ctx.set(unit.i.valid, 0)
                    await ctx.tick()
                ctx.set(unit.i.valid, 1)
                packed = (value % (1 << number.bits) << lane * number.bits for lane, value in enumerate(word))
                ctx.set(unit.i.payload, sum(packed))
                await ctx.tick()
                ends.append(k == params.words - 1)
        ctx.set(unit.i.valid, 0)
        await ctx.tick().repeat(params.latency + 1)

    cycles = []

    async def watch(ctx):
        taken = 0
        async for _, _, given, valid, payload in ctx.tick().sample(unit.i.valid, unit.o.valid, unit.o.payload):
            taken += given
            cycles.append((given and taken % params.words == 0, valid))
            if valid:
                seen.append(payload)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert seen == expected
    starts = [cycle for cycle, (ended, _) in enumerate(cycles) if ended]
    assert [cycle for cycle, (_, valid) in enumerate(cycles) if valid] == [start + params.latency for start in starts]


def folded(network, pe, simd, **options):
    return Plan(layers=(LayerPlan(name="scores", pe=pe, simd=simd),), **options)


@pytest.mark.parametrize(
    ("pe", "simd", "classes", "target", "simulator"),
    [
        (3, 7, 5, "generic", "icarus"),
        *(
            pytest.param(*each, simulator, marks=pytest.mark.slow)
            for simulator in ("icarus", "verilator")
            for each in (
                (1, 18, 2, "xc7"),
                (5, 18, 5, "xc7"),
                (4, 5, 11, "ecp5"),
                (300, 18, 300, "xc7"),
                (7, 18, 300, "generic"),
            )
        ),
    ],
)
def test_class_maps(pe, simd, classes, target, simulator, tmp_path):
    network = class_map(classes, shape=(3, 4, 2), classes=classes)
    plan = folded(network, pe, simd, target=target)
    design = check(network, plan, tmp_path / "design", frames=3, simulator=simulator)
    output = design.manifest.output
    assert (output.value_bits, output.signed, output.outputs) == (8 if classes <= 256 else 16, False, 12)
    assert design.manifest.interval_cycles == solved(network, plan).interval_cycles


def test_a_map_of_classes_takes_fewer_beats_than_its_scores():
    network = class_map(shape=(8, 8, 2), classes=10)
    solution = solved(network, default_plan(network, cycles=400))
    assert solution.graph.output.beats == 8


@pytest.mark.parametrize("loadable", [False, True])
def test_zeros_around_an_image_of_one_pixel(loadable, tmp_path):
    """All its windows lack the same lanes: sums begin with what those would count, although no border is told apart."""
    network = class_map(1, shape=(1, 1, 3))
    scores = replace(network.layers[0], padding_value="zero")
    classes = replace(network.layers[1], takes=scores.edge.number)
    network = replace(network, layers=(scores, classes))
    plan = Plan(layers=(LayerPlan(name="scores", pe=2, simd=4, loadable=loadable),))
    check(network, plan, tmp_path / "design", frames=8)
