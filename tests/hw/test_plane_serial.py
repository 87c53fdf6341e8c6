"""Plane-serial engines: products of bit-planes one after the other, beside dot products, and accelerators of them."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitwright.api import size
from bitwright_core.derived import integers_a_frame
from bitwright_core.engine_rules import plane_products
from bitwright_core.errors import PlanError
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_core.plan import LayerPlan, Plan, default_plan, folds, with_planes
from bitwright_hw.generator import generate
from bitwright_hw.plane_counter import PlaneCounter
from bitwright_hw.plane_order import PlaneOrder
from bitwright_hw.popcount import SerialRow
from bitwright_hw.products import Products
from bitwright_hw.solve import solved
from tests.hw.test_accelerator import check
from tests.hw.test_conv_accelerators import random_plan
from tests.hw.test_few_bits import random_case
from tests.sim.sliced_cases import check_golden
from tests.sw.conv_networks import random_conv_network
from tests.sw.few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS
from tests.sw.networks import random_network

VALUES = (BINARY, TERNARY, unsigned_type(2), unsigned_type(4), unsigned_type(8), signed_type(2), signed_type(4))
WEIGHTS = (BINARY, TERNARY, signed_type(2), signed_type(3), signed_type(4))
PAIRS = [pair for pair in itertools.product(VALUES, WEIGHTS) if pair != (BINARY, BINARY)]


def drawn(rng, number, shape):
    """Stored values of a type."""
    return rng.integers(number.stored[0], number.stored[1] + 1, shape)


def plane_words(order, stored, weights):
    """Of each step the lanes (words, SIMD) and weights (rows, words, SIMD) that rows take."""
    simd, products = stored.shape[-1], order.products
    for step in order.steps:
        plane = stored >> step.product.x & 1
        if products.weights.xnor and products.takes.planes[step.product.x] < 0:
            plane = 1 - plane
        yield plane.reshape(-1, simd), weights >> step.product.w & 1


@pytest.mark.parametrize(("takes", "weights"), PAIRS, ids=str)
def test_rows_count_dot_products_plane_by_plane(takes, weights):
    """SerialRow over passes of two words, with pauses, beside the dot products; preloads as an engine makes them."""
    rng, bits, simd, passes = np.random.default_rng(7), 12, 5, 6
    order = PlaneOrder(products=Products(takes=takes, weights=weights))
    row = SerialRow(
        simd=simd,
        gate=order.gate,
        base=order.base,
        doublings=order.doublings,
        flips=order.flips,
        bits=bits,
        stages=len(order.steps) % 3,
    )
    starts = rng.integers(-(1 << bits - 1), 1 << bits - 1, passes)
    lanes, rows = drawn(rng, takes, (passes, 2, simd)), drawn(rng, weights, (passes, 2, simd))
    dots = (takes.integers(lanes) * weights.integers(rows)).sum(axis=(1, 2))
    expected = (starts + dots + (1 << bits)) % (1 << bits)
    given = order.fed_as(starts - order.excess(rows.reshape(passes, -1)), bits)
    words = []
    for stored, mine, preload in zip(lanes, rows, given.tolist(), strict=True):
        found = list(plane_words(order, stored, mine))
        for number, (step, (xs, ws)) in enumerate(zip(order.steps, found, strict=True)):
            for k, (x, w) in enumerate(zip(xs, ws, strict=True)):
                ends = k == len(xs) - 1
                flags = ends and number == len(found) - 1, ends and step.doubles, ends and step.flips, step.turn
                words.append((as_bits(x), as_bits(w), preload, *flags))
    seen = []

    async def feed(ctx):
        delay = row.preload_delay
        pending = [None] * delay
        for word in [*words, *[None] * (row.latency + 2)]:
            for pause in range(int(rng.integers(0, 2)), -1, -1):
                now = word if pause == 0 else None
                ctx.set(row.x, now[0] if now else 0)
                ctx.set(row.w, now[1] if now else 0)
                pending.append(now)
                flags = pending.pop(0)
                ctx.set(row.valid, flags is not None)
                ctx.set(row.last, flags[3] if flags else 0)
                if flags:
                    ctx.set(row.preload, flags[2])
                    ctx.set(row.double, flags[4])
                    if row.flips:
                        ctx.set(row.flip, flags[5])
                    if row.doublings > 1:
                        ctx.set(row.turn, flags[6])
                await ctx.tick()

    async def watch(ctx):
        before = []
        async for _, _, last, o in ctx.tick().sample(row.last, row.o):
            if len(before) > row.stages and before[-1 - min(1, row.stages)]:
                seen.append(o % (1 << bits))
            before.append(last)

    simulator = Simulator(row)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    assert seen == expected.tolist()


def as_bits(values):
    return sum(int(value) << k for k, value in enumerate(values))


@pytest.mark.parametrize(
    "takes, weights", [(unsigned_type(2), BINARY), (unsigned_type(2), TERNARY), (signed_type(3), signed_type(4))]
)
@pytest.mark.parametrize(("inputs", "simd"), [(7, 7), (13, 5)])
def test_addresses_are_those_of_the_plane(takes, weights, inputs, simd):
    network = random_conv_network(0, shape=(1, 1, 1), convs=0)
    order = PlaneOrder(products=Products(takes=takes, weights=weights))
    fold = replace(
        folds(network, default_plan(network))[0],
        inputs=inputs,
        outputs=3,
        pe=1,
        simd=simd,
        planes=(takes.bits, weights.bits),
    )
    counter, words = PlaneCounter(order=order, fold=fold), fold.synapse_folds
    expected = [
        ((passed * weights.bits + step.product.w) * words + word, number, word == words - 1 and step is order.steps[-1])
        for _ in range(2)
        for passed in range(3)
        for number, step in enumerate(order.steps)
        for word in range(words)
    ]
    seen = []

    async def run(ctx):
        ctx.set(counter.step, 1)
        for _ in expected:
            seen.append((ctx.get(counter.address), ctx.get(counter.product), bool(ctx.get(counter.last))))
            await ctx.tick()

    simulator = Simulator(counter)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    assert seen == expected


LARGEST = 200_000  # lanes times cycles of a frame: seconds in Icarus


def serial_case(seed, *, most=20):
    """A few-bit network, dense or with convolutions, some of whose layers are plane-serial, at any fold."""
    for again in itertools.count():
        network, plan = random_case(seed + 1000 * again, most=most)
        made = folds(network, plan)
        work = sum(fold.lanes for fold in made) * max(fold.frame_cycles for fold in made)
        several = any(
            choice.engine == "folded" and plane_products(layer) > 1
            for layer, choice in zip(network.matrix_layers, plan.layers, strict=True)
        )
        if several and work <= LARGEST:
            break
    dice = random.Random(seed)
    serial = with_planes(plan, network, "serial").layers
    return network, replace(
        plan, layers=tuple(b if dice.random() < 0.8 else a for a, b in zip(plan.layers, serial, strict=True))
    )


W1, W2, W4, A2, A4, S2, S4 = BINARY, *map(signed_type, (2, 4)), *map(unsigned_type, (2, 4)), *map(signed_type, (2, 4))
TYPED = [(W1, A2), (W2, A2), (TERNARY, A2), (TERNARY, TERNARY), (W1, A4), (W1, S4), (W4, A4), (W2, S2), (W4, BINARY)]


def typed_case(weights, takes, *, seed=0, target="generic", scores=False):
    """Bits, a convolution, and two dense layers, the convolution and the first of them on values of these types: each
    with a prime fold."""
    network = random_conv_network(
        seed,
        shape=(4, 3, 2),
        convs=2,
        channels=(3, 5),
        pools=False,
        dense=(7,),
        classes=3,
        weight_types=(weights,),
        act_types=(takes,),
    )
    folds_ = [
        (min(layer.outputs, pe), min(layer.inputs, simd))
        for layer, pe, simd in zip(network.matrix_layers, (3, 2, 5, 3), (5, 7, 11, 3), strict=True)
    ]
    layers = tuple(
        LayerPlan(name=layer.name, pe=pe, simd=simd)
        for layer, (pe, simd) in zip(network.matrix_layers, folds_, strict=True)
    )
    plan = with_planes(Plan(layers=layers, target=target, scores=scores), network, "serial")
    return network, plan


def checked(network, plan, folder, **options):
    """`check`, and that the manifest says what planes cost."""
    design = check(network, plan, folder, **options)
    assert design.plan == plan
    for entry, fold, layer in zip(design.manifest.layers, folds(network, plan), network.matrix_layers, strict=True):
        products = layer.takes.bits * layer.weight_type.bits if entry.planes == "serial" else 1
        assert entry.ideal_cycles == fold.neuron_folds * fold.synapse_folds * layer.pixels * products
    assert design.manifest.interval_cycles == solved(network, plan).interval_cycles


@pytest.mark.parametrize(
    ("weights", "takes", "target", "simulator"),
    [
        (W2, A2, "xc7", "icarus"),
        *(
            pytest.param(*pair, target, "icarus", marks=pytest.mark.slow)
            for pair in TYPED
            for target in ("generic", "ecp5")
        ),
        *(pytest.param(*pair, "xc7", "verilator", marks=pytest.mark.slow) for pair in TYPED),
    ],
    ids=str,
)
def test_layers_of_each_type(weights, takes, target, simulator, tmp_path):
    network, plan = typed_case(weights, takes, target=target)
    kinds = {
        layer.kind
        for layer, choice in zip(network.matrix_layers, plan.layers, strict=True)
        if choice.planes == "serial"
    }
    assert kinds == {"dense", "conv2d"}
    checked(network, plan, tmp_path / "design", frames=3, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "takes"), [(W2, A2), (TERNARY, S4)], ids=str)
def test_the_sliced_engine_sees_every_integer(weights, takes, tmp_path):
    design = generate(*typed_case(weights, takes), tmp_path / "design")
    counts = check_golden(design, 100, 3)
    assert counts.integers == 100 * sum(integers_a_frame(design.network).values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_accelerators(seed, tmp_path):
    checked(*serial_case(seed), tmp_path / "design", frames=6)


@pytest.mark.slow
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_accelerators(seed, simulator, tmp_path):
    check(*serial_case(seed, most=40), tmp_path / "design", frames=8, simulator=simulator)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_groups_are_serial_too(seed, tmp_path):
    network = random_conv_network(
        seed,
        shape=(5, 4, 4),
        convs=2,
        channels=(4, 8),
        grouped=True,
        weight_types=FEW_WEIGHTS,
        act_types=FEW_ACTIVATIONS,
    )
    check(network, with_planes(random_plan(network, seed), network, "serial"), tmp_path / "design", frames=6)


def few(seed=0):
    return random_conv_network(
        seed,
        shape=(4, 4, 2),
        convs=0,
        dense=(12,),
        classes=3,
        weight_types=(signed_type(2),),
        act_types=(unsigned_type(2),),
    )


def test_the_interval_is_multiplied_by_the_products():
    network = few()
    plan = default_plan(network)
    serial = with_planes(plan, network, "serial")
    assert [choice.planes for choice in serial.layers] == ["serial"] * len(serial.layers)
    cycles = [fold.frame_cycles for fold in folds(network, plan)]
    mine = [fold.frame_cycles for fold in folds(network, serial)]
    products = [layer.takes.bits * layer.weight_type.bits for layer in network.matrix_layers]
    assert mine == [each * count for each, count in zip(cycles, products, strict=True)]
    assert solved(network, serial).interval_cycles == max(mine)


def test_plans_keep_the_planes(tmp_path):
    network = few()
    plan, serial = default_plan(network), size(network, planes="serial", cycles=500)
    serial.save(tmp_path / "plan.toml")
    assert Plan.load(tmp_path / "plan.toml") == serial
    assert 'planes = "serial"' in serial.text and "planes" not in plan.text
    assert max(fold.frame_cycles for fold in folds(network, serial)) <= 500
    assert size(network, plan=serial, planes="parallel").layers == tuple(
        replace(choice, planes="parallel") for choice in serial.layers
    )
    (tmp_path / "plan.toml").write_text(serial.text.replace('"serial"', '"seriel"', 1))
    with pytest.raises(PlanError, match="serial"):
        Plan.load(tmp_path / "plan.toml")


def test_what_has_no_second_plane_is_refused():
    binary = random_network(0, shape=(4,), bits=1, levels=1, hidden=(8,))
    plan = default_plan(binary)
    wrong = replace(plan, layers=(replace(plan.layers[0], planes="serial"), *plan.layers[1:]))
    with pytest.raises(PlanError, match="binary values and binary weights have one plane each"):
        wrong.check(binary)
    with pytest.raises(PlanError, match="no folded layer on values or weights of several bits"):
        size(binary, planes="serial")
    network = few()
    with pytest.raises(PlanError, match="give hardwired or planes, not both"):
        size(network, hardwired=True, planes="serial")
    hard = size(network, hardwired=True)
    with pytest.raises(PlanError, match="a hardwired layer adds all planes at a time"):
        replace(hard, layers=tuple(replace(choice, planes="serial") for choice in hard.layers)).check(network)


def test_serial_folds_are_sized():
    network = few()
    plan = size(network, board="pynq-z2", target_fps=20_000, planes="serial")
    assert all(choice.planes == "serial" for choice in plan.layers)
    assert solved(network, plan).interval_cycles <= plan.clock_mhz * 1e6 / 20_000


def test_orders_end_in_a_sum():
    """Every pair of types that a layer may have: the products fall by one shift at the most, and the last is added."""
    for takes, weights in itertools.product([*VALUES, *map(unsigned_type, (1, 3, 16)), signed_type(8)], WEIGHTS):
        if (takes, weights) == (BINARY, BINARY) or takes.bits * weights.bits == 1:
            continue
        order = PlaneOrder(products=Products(takes=takes, weights=weights))
        assert len(order.steps) == takes.bits * weights.bits
        assert not order.steps[-1].doubles and not order.steps[-1].flips
        assert order.doublings == takes.bits + weights.bits - 2
