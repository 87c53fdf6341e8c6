"""Products of bit-planes and thresholds of several levels, beside the plain rules, and accelerators on them."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitwright_core.network import Dense, Edge, Input, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_core.plan import Fold, LayerPlan, Plan, default_plan
from bitwright_hw.engine_numbers import level_numbers
from bitwright_hw.levels import LevelUnit, level_steps, level_units, level_words
from bitwright_hw.lower import lower
from bitwright_hw.preloads import Borders
from bitwright_hw.products import Products
from tests.hw.test_accelerator import check
from tests.sw.conv_networks import random_conv_network
from tests.sw.few_networks import FEW_ACTIVATIONS, FEW_WEIGHTS, random_few_dense

GATES = {"xnor": lambda x, w: 1 ^ x ^ w, "and": lambda x, w: x & w, "nand": lambda x, w: 1 ^ (x & w)}
NUMBERS = (BINARY, unsigned_type(2), unsigned_type(4), signed_type(2), signed_type(3))


@pytest.mark.parametrize(
    ("takes", "weights"),
    [pair for pair in itertools.product(NUMBERS, (BINARY, signed_type(2), signed_type(4))) if pair != (BINARY, BINARY)],
    ids=str,
)
def test_products_add_up_to_the_dot_product(takes, weights):
    rng = np.random.default_rng(5)
    products, lanes = Products(takes=takes, weights=weights), 23
    rows = rng.integers(weights.stored[0], weights.stored[1] + 1, (40, lanes))
    x = rng.integers(takes.stored[0], takes.stored[1] + 1, lanes)
    bits = [x >> p & 1 for p in range(takes.bits)]
    if weights.xnor:
        bits = [1 - bit if plane < 0 else bit for bit, plane in zip(bits, takes.planes, strict=True)]
    planes = products.weight_planes(rows)
    assert planes.shape == (40, weights.bits, lanes)
    total = sum(GATES[one.gate](bits[one.x], planes[:, one.w]).sum(axis=1) << one.shift for one in products.every)
    dots = weights.values(rows, np.float64) @ takes.values(x, np.float64)
    assert (total - products.excess(rows)).tolist() == dots.tolist()


def level_case(rng, *, pe, passes, count, middle, bits, blocks=1):
    """What totals are compared with, some levels equal."""
    half = 1 << bits - 1
    below = np.sort(rng.integers(0, half + 1, (blocks * passes, pe, middle)), axis=2)
    above = np.sort(rng.integers(half, 2 * half, (blocks * passes, pe, count - middle)), axis=2)
    return tuple(tuple(tuple(row) for row in rows) for rows in np.concatenate([below, above], axis=2).tolist())


@pytest.mark.parametrize(
    ("pe", "apart", "count", "middle", "base", "code_bits"),
    [
        (1, 1, 2, 1, 0, 2),
        (5, 1, 2, 1, 0, 2),
        (7, 3, 1, 1, -1, 2),
        (6, 2, 6, 3, 0, 3),
        (4, 9, 14, 7, -8, 4),
        (3, 4, 0, 0, -1, 1),
    ],
)
@pytest.mark.parametrize("borders", [None, Borders(rows=(0, 1, 0), columns=(0, 1))], ids=["one", "borders"])
def test_levels_give_codes(pe, apart, count, middle, base, code_bits, borders):
    """Every total of a pass at once, passes at random distances, over several frames."""
    rng, bits, passes = np.random.default_rng([pe, apart]), 6, 3
    order = [0] if borders is None else [y + x for y in borders.rows for x in borders.columns]
    others = level_case(rng, pe=pe, passes=passes, count=count, middle=middle, bits=bits, blocks=max(order) + 1)
    unit = LevelUnit(
        bits=bits,
        middle=middle,
        others=others,
        base=base,
        code_bits=code_bits,
        passes_apart=apart,
        borders=borders,
    )
    words = [others[block * passes + k] for block in order for k in range(passes)] * 2
    totals = rng.integers(0, 1 << bits, (len(words), pe)).tolist()
    expected = []
    for word, row in zip(words, totals, strict=True):
        reached = [sum(t >= level for level in levels) + (t >> bits - 1) for t, levels in zip(row, word, strict=True)]
        expected.append(sum((base + n) % (1 << code_bits) << k * code_bits for k, n in enumerate(reached)))
    seen, times = [], []

    async def feed(ctx):
        await ctx.tick().repeat(2)
        for row in totals:
            for cycle in range(apart + int(rng.integers(0, 3))):
                ctx.set(unit.valid, cycle == 0)
                if cycle == 0:
                    ctx.set(unit.totals, sum(total << k * bits for k, total in enumerate(row)))
                await ctx.tick()
        ctx.set(unit.valid, 0)

    async def watch(ctx):
        async for _, _, given, codes, valid in ctx.tick().sample(unit.o_valid, unit.o, unit.valid):
            times.append((valid, given))
            if given:
                seen.append(codes)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run_until(1e-6 * (apart + 3) * (len(words) + 4))
    assert seen == expected
    starts = [cycle for cycle, (valid, _) in enumerate(times) if valid]
    ends = [cycle for cycle, (_, given) in enumerate(times) if given]
    assert [end - start for start, end in zip(starts, ends, strict=True)] == [unit.latency] * len(words)


def random_case(seed, *, most=20):
    """A network of activations of up to four bits, dense or with convolutions, and a plan of any fold."""
    dice = random.Random(seed)
    conv = seed % 2
    network = random_conv_network(
        seed,
        shape=(dice.randint(3, 6), dice.randint(3, 6), dice.randint(1, 3)),
        convs=dice.randint(1, 2) if conv else 0,
        channels=tuple(range(1, 9)),
        pools=False,
        integers=seed % 3 == 2,
        votes=seed % 4 == 3,
        dense=tuple(dice.randint(1, most) for _ in range(dice.randint(1, 2))),
        classes=dice.choice((0, 3)),
        weight_types=dice.choice(((BINARY,), FEW_WEIGHTS)),
        act_types=FEW_ACTIVATIONS,
    )
    layers = tuple(
        LayerPlan(name=layer.name, pe=dice.randint(1, layer.outputs), simd=dice.randint(1, layer.inputs))
        for layer in network.matrix_layers
    )
    plan = Plan(layers=layers, scores=network.gives_scores, data_bits=dice.choice((16, 64)))
    return network, replace(plan, target=("generic", "xc7", "ecp5")[seed % 3])


def test_random_cases_have_few_bits_in_every_place():
    layers = [layer for seed in range(4) for layer in random_case(seed)[0].matrix_layers]
    for kind in ("dense", "conv2d"):
        mine = [layer for layer in layers if layer.kind == kind]
        assert any(level_numbers(layer, layer_fold(layer)) for layer in mine)
        assert any(not layer.takes.xnor for layer in mine) and any(not layer.weight_type.xnor for layer in mine)


def layer_fold(layer):
    return Fold(inputs=layer.inputs, outputs=layer.outputs, pe=1, simd=1, pixels=layer.pixels)


@pytest.mark.parametrize("seed", [0, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 3))])
def test_random_accelerators(seed, tmp_path):
    check(*random_case(seed), tmp_path / "design", frames=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_accelerators(seed, tmp_path):
    check(*random_case(seed, most=40), tmp_path / "design", frames=12)


@pytest.mark.parametrize("weight", [-1, 0])
def test_scores_of_counts_that_are_never_above_zero(weight):
    """Weights of -1 and 0 alone on unsigned values: the largest count is 0."""
    rng = np.random.default_rng(1)
    levels = Thresholds(values=np.sort(rng.integers(1, 9, (5, 3)), axis=1))
    first = Dense(name="first", weights=rng.integers(0, 2, (5, 8)), output=levels)
    scores = Scores(scale=np.array([1, 2]), offset=np.array([0, 3]))
    weights = np.full((2, 5), weight)
    last = Dense(name="last", weights=weights, output=scores, takes=unsigned_type(2), weight_type=TERNARY)
    network = Network(
        name="below",
        input=Input(shape=(8,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(first, last),
    )
    params = lower(network, default_plan(network)).end.params
    assert (params.least, params.inputs) == (15 * weight, 0)
    assert params.score_bits == (6 if weight else 3)


@pytest.mark.parametrize(("pe", "simd"), [(1, 9), (4, 3), (7, 9), (5, 1)])
def test_no_memory_holds_what_is_the_same_in_all_words(pe, simd):
    rng = np.random.default_rng(pe)
    layer = random_few_dense(rng, "layer", Edge(shape=(9,), number=BINARY), 13, (signed_type(3),), (unsigned_type(3),))
    fold = Fold(inputs=9, outputs=13, pe=pe, simd=simd)
    numbers = level_numbers(layer, fold)
    words = level_words(numbers.others, level_units(pe, fold.synapse_folds), level_steps(pe, fold.synapse_folds))
    columns = {
        (place, bit): {word[place] >> bit & 1 for word in words} for place in range(len(words[0])) for bit in range(20)
    }
    assert numbers.varying_bits == sum(len(seen) > 1 for seen in columns.values())
