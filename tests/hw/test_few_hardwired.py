"""Hardwired layers on values, and with weights, of a few bits: their sums as data, and whole accelerators."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitwright_core.errors import PlanError
from bitwright_core.network import BINARY, Dense, Edge, Thresholds
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type
from bitwright_core.plan import Fold, LayerPlan, default_plan, hardwired
from bitwright_hw.engine_numbers import accumulator_bits
from bitwright_hw.families import GENERIC, XC7
from bitwright_hw.few_neurons import FewNeurons, digits
from bitwright_hw.hardwired import HardwiredEngine
from tests.hw.test_accelerator import check
from tests.hw.test_few_bits import random_case
from tests.sw.conv_networks import random_conv_network
from tests.sw.few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS, random_few_dense, with_scores

TYPES = (*FEW_ACTIVATIONS, signed_type(8))


def test_numbers_have_few_digits():
    for number in range(-200, 201):
        found = list(digits(number))
        assert sum(digit << weight for weight, digit in found) == number
        weights = [weight for weight, _ in found]
        assert all(high - low > 1 for low, high in itertools.pairwise(weights))


def neurons_of(layer, family):
    fold = Fold(inputs=layer.inputs, outputs=layer.outputs, pe=layer.outputs, simd=layer.inputs)
    known = (None,) * layer.inputs
    return FewNeurons(layer=layer, known=known, bits=accumulator_bits(layer, fold), family=family)


def random_layer(rng, takes, weight_type, *, scores=False):
    layer = random_few_dense(
        rng, "layer", Edge(shape=(int(rng.integers(1, 24)),), number=takes), 9, (weight_type,), FEW_ACTIVATIONS
    )
    if scores:
        return with_scores(rng, layer, False)
    return layer


@pytest.mark.parametrize("weight_type", FEW_WEIGHTS, ids=str)
@pytest.mark.parametrize("takes", TYPES, ids=str)
@pytest.mark.parametrize("scores", [False, True])
def test_sums_are_the_dot_products(takes, weight_type, scores):
    """Twice the terms of a row, the complement of the last sum and the constant: count - T, biased, or complemented."""
    if takes == weight_type == BINARY:
        return
    rng = np.random.default_rng(3)
    layer = random_layer(rng, takes, weight_type, scores=scores)
    neurons = neurons_of(layer, GENERIC)
    bits = neurons.bits
    stored = rng.integers(takes.stored[0], takes.stored[1] + 1, (20, layer.inputs))
    sums = layer.accumulators(stored)
    level = 0 if scores else layer.output.values[:, layer.output.levels // 2]
    for lanes, margins in zip(stored.tolist(), (sums - level).tolist(), strict=True):
        terms = [((lanes[term.lane] >> term.plane & 1) ^ term.inverted) << term.weight for term in neurons.terms]
        seen = sum(terms) if neurons.halved else 1
        for row, margin in zip(neurons.rows, margins, strict=True):
            total = 2 * sum(terms[k] for k in row.members) + (~seen % (1 << neurons.seen_bits)) + row.constant
            value = (total >> neurons.below) % (1 << bits)
            due = ~margin if row.complemented else margin + (0 if scores else 1 << bits - 1)
            assert value == due % (1 << bits)


@pytest.mark.parametrize(
    ("takes", "weight_type"),
    [
        (unsigned_type(2), signed_type(3)),
        (signed_type(3), BINARY),
        (BINARY, TERNARY),
        (TERNARY, signed_type(2)),
        (BINARY, BINARY),
    ],
)
def test_an_engine_gives_its_activations_a_frame_a_cycle(takes, weight_type):
    rng = np.random.default_rng(5)
    layer = random_few_dense(rng, "layer", Edge(shape=(7,), number=takes), 4, (weight_type,), (unsigned_type(2),))
    engine = HardwiredEngine(layer=layer, family=GENERIC, stages=2)
    stored = rng.integers(takes.stored[0], takes.stored[1] + 1, (9, 7))
    expected, seen = layer.compute(stored), []

    def packed(values, bits):
        return sum(int(value) % (1 << bits) << bits * k for k, value in enumerate(values))

    async def feed(ctx):
        for lanes in stored:
            ctx.set(engine.i.valid, 1)
            ctx.set(engine.i.payload, packed(lanes, takes.bits))
            await ctx.tick()
        ctx.set(engine.i.valid, 0)

    async def watch(ctx):
        async for _, _, given, activations in ctx.tick().sample(engine.given, engine.activations):
            seen.append((given, activations))

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    latency = engine.latency + engine.levels.latency
    simulator.run_until(1e-6 * (len(stored) + latency + 3))
    assert [given for given, _ in seen[latency:][:9]] == [1] * 9 and not any(given for given, _ in seen[:latency])
    assert [bits for _, bits in seen[latency:][:9]] == [packed(row, 2) for row in expected]


def test_lanes_that_no_row_weighs_cost_nothing():
    weights = np.zeros((3, 6), np.int8)
    weights[0, 1], weights[1, 4] = 1, -1
    layer = Dense(
        name="layer",
        weights=weights,
        weight_type=TERNARY,
        takes=unsigned_type(2),
        output=Thresholds(values=np.zeros((3, 1), np.int64)),
    )
    neurons = neurons_of(layer, XC7)
    assert {term.lane for term in neurons.terms} == {1, 4} and len(neurons.terms) == 4
    assert [len(row.members) for row in neurons.rows] == [2, 2, 0]


def hardwired_case(seed):
    """Dense networks of a few bits, on every family, each layer hardwired but for some."""
    network, plan = random_case(2 * seed)
    dice = random.Random(seed)
    layers = [
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        if dice.random() < 0.8 and layer.output.kind != "votes" and layer.takes.bits <= 16
        else choice
        for layer, choice in zip(network.matrix_layers, plan.layers, strict=True)
    ]
    return network, replace(plan, layers=tuple(layers), target=("xc7", "ecp5", "generic")[seed % 3])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 50))
def test_random_accelerators(seed, tmp_path):
    network, plan = hardwired_case(seed)
    design = check(network, plan, tmp_path / "design", frames=6)
    assert [layer.engine for layer in design.manifest.layers] == [layer.engine for layer in plan.layers]


def test_what_is_not_hardwired_is_told():
    network = random_conv_network(2, shape=(6, 5, 6), convs=1, channels=(12,), grouped=True)
    with pytest.raises(PlanError, match="its 2 groups take lanes of their own, so it cannot be hardwired"):
        hardwired(default_plan(network), network)
