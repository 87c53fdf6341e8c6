"""Hardwired layers: sums, engines, and accelerators that mix them with folded ones, to the cycle."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden
from bitwright_core.errors import PlanError
from bitwright_core.network import Dense, Input, Luts, Network, ThresholdEncoding, Thresholds
from bitwright_core.plan import LayerPlan, Plan, default_plan, hardwired, with_folds
from bitwright_hw.arithmetic.shared_sums import share
from bitwright_hw.constant_bits import known_inputs
from bitwright_hw.families import ECP5, GENERIC, XC7, family_named
from bitwright_hw.families.chained_sums import additions
from bitwright_hw.families.xc7.sums import LAST_CAPACITY, ROW_CAPACITY
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.neurons import Neurons, as_sum
from bitwright_hw.solve import solved
from tests.hw.benches import SEED, SIMULATORS, bench, fields_of, words_of
from tests.hw.test_accelerator import check, random_case
from tests.hw.test_components import cases
from tests.sw.networks import middle_layer, varied_network

QUICK = (1000, 1002, 1003, 1017, 1019, 1022)  # seeds of random accelerators


def check_sums(sums, members, constants, rng):
    """The columns hold each sum, and every counter's outputs hold its count, for random inputs."""
    inputs = members.shape[1]
    frames = [*rng.integers(0, 2, (20, inputs)).tolist(), [0] * inputs, [1] * inputs]
    for x in frames:
        bits: dict[int, int] = {}
        for counter in sums.tree.counters:
            count = sum([*x, 1][lane] for lane in counter.lanes) + sum(bits[bit] for bit in counter.bits)
            assert count.bit_length() <= len(counter.outputs)
            bits |= {bit: count >> k & 1 for k, bit in enumerate(counter.outputs)}
        for row, chosen, constant in zip(sums.columns, members, constants, strict=True):
            total = sum(bits[bit] << k for k, column in enumerate(row) for bit in column)
            assert total == int(chosen @ x) + constant


@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("target", ["generic", "xc7", "ecp5"])
@pytest.mark.parametrize(("rows", "inputs"), [(20, 61), (1, 1), (2, 9), (150, 12)])
def test_shared_sums_add_up(rows, inputs, target, sharing):
    """More rows than one group, too."""
    rng = np.random.default_rng(SEED)
    members = rng.integers(0, 2, (rows, inputs)).astype(np.uint8)
    members[rows // 3], members[rows // 2] = 0, 1
    constants = rng.integers(0, 90, rows).tolist()
    how = family_named(target).sums
    sums = share(members, constants, least=how.least_share if sharing else 1 << 30, reduce=how.reduce)
    check_sums(sums, members, constants, rng)
    if target == "xc7":
        for row, most in zip(sums.columns, [ROW_CAPACITY] * (rows - 1) + [LAST_CAPACITY], strict=True):
            assert all(len(column) <= most[min(k, 1)] for k, column in enumerate(row))


@pytest.mark.parametrize(
    "heights", [(), (1,), (2,), (3,), (0, 3), (0, 0, 2), (1, 1, 1), (2, 5, 3), (32, 35, 12, 1), (200,), (0, 4, 0, 9)]
)
def test_carry_chains_add_columns(heights):
    """Every addition done with numbers, modulo 2 ** 9; every bit is read once."""
    plan = additions(heights, 9)
    dice = random.Random(SEED)
    bits = sum(heights)
    made = [bit for level in plan.levels for add in level for bit in add.total]
    read = [bit for level in plan.levels for add in level for bit in (*add.one, *add.other, add.carry)]
    read = [bit for bit in (*read, *plan.result.bits) if bit is not None]
    assert sorted(read) == sorted(set(read)) and set(read) <= {*range(bits), *made}

    def number(found, value):
        return sum(value[bit] << k for k, bit in enumerate(found) if bit is not None)

    for ones in (0, 0.5, 1):
        value = {bit: int(dice.random() < ones) for bit in range(bits)}
        weights = [k for k, height in enumerate(heights) for _ in range(height)]
        expected = sum(value[bit] << weights[bit] for bit in range(bits))
        for add in (add for level in plan.levels for add in level):
            total = (
                number(add.one, value) + number(add.other, value) + (value[add.carry] if add.carry is not None else 0)
            )
            value |= {bit: total >> k & 1 for k, bit in enumerate(add.total)}
        assert number(plan.result.bits, value) << plan.result.low == expected % (1 << 9)


def test_wide_additions_take_few_positions():
    """A full adder of two LUT4 removes a bit, so 80 bits down to 8 would take 144."""
    assert additions((32, 35, 12, 1), 9).positions < 1.5 * 80


def test_sharing_saves():
    """LUTs of the counters on xc7; elsewhere two LUT4 a counter and one for each bit that is left, or fewer."""
    members = np.random.default_rng(SEED).integers(0, 2, (32, 200)).astype(np.uint8)
    alone, shared = (
        share(members, [0] * 32, least=least, reduce=XC7.sums.reduce) for least in (1 << 30, XC7.sums.least_share)
    )
    assert shared.cells < 0.85 * alone.cells
    alone, shared = (share(members, [0] * 32, least=least) for least in (1 << 30, ECP5.sums.least_share))
    luts = [2 * sums.cells + sum(map(len, sum(sums.columns, ()))) for sums in (alone, shared)]
    assert luts[1] < 0.85 * luts[0]


def hardwired_case(inputs, outputs, *, scores=False, stages=2, target=GENERIC, frames=9):
    """A hardwired engine with rows that are equal, complementary, all one weight, and constant; what it must give."""
    rng = np.random.default_rng(SEED)
    layer = middle_layer(rng, inputs, outputs, scores=scores)
    weights = layer.weights.copy()
    weights[outputs // 2] = weights[0]
    weights[outputs // 3] = 1 - weights[0]
    weights[-1], weights[outputs - 2] = 1, 0
    output = layer.output
    if not scores:
        levels = layer.output.values.copy()
        levels[outputs // 2] = levels[0]
        levels[1 % outputs], levels[2 % outputs] = 0, inputs + 1
        output = Thresholds(values=levels)
    layer = replace(layer, weights=weights, output=output)
    engine = HardwiredEngine(layer=layer, family=target, stages=stages)
    bits = rng.integers(0, 2, (frames, inputs)).astype(np.uint8)
    bits[1], bits[2] = 0, 1
    counts = golden.accumulators(layer, bits)
    values = counts if scores else counts - layer.output.values[:, 0]
    words = [words_of(frame, inputs)[0] for frame in bits]
    return engine, words, [fields_of(row, engine.bits) for row in values]


@cases(
    ("inputs", "outputs", "scores", "stages", "target"),
    [
        (13, 7, True, 1, "xc7"),
        (40, 9, False, 3, "generic"),
        (100, 12, False, 6, "xc7"),
        (13, 7, True, 0, "ecp5"),
        (1, 1, False, 0, "xc7"),
        (1, 3, False, 2, "ecp5"),
        (60, 12, False, 4, "ecp5"),
        (7, 30, True, 2, "xc7"),
    ],
    verilator=0,
)
def test_hardwired_engine(inputs, outputs, scores, stages, target, simulator, tmp_path):
    engine, words, expected = hardwired_case(inputs, outputs, scores=scores, stages=stages, target=family_named(target))
    assert engine.latency == stages + 2
    engine.simulation_models = family_named(target).simulation_models
    times = [engine.latency + k for k in range(len(expected))]
    bench(engine, tmp_path, simulator, words=words, expected=expected, times=times)


def test_a_hardwired_neuron_adds_half_of_its_inputs():
    """as_sum against plain counting, for every row and threshold of up to four inputs."""
    for inputs in range(1, 5):
        bits = inputs + 2
        for code in range(1 << inputs):
            weights = [code >> i & 1 for i in range(inputs)]
            for threshold in [None, *range(inputs + 2)]:
                row = as_sum(weights, threshold, bits, (None,) * inputs)
                assert threshold is None or 2 * len(row.members) <= inputs
                for x in range(1 << inputs):
                    ones = x.bit_count()
                    chosen = sum(x >> i & 1 for i in row.members)
                    negated = (1 << inputs.bit_length()) - 1 - ones
                    value = inputs - (x ^ code).bit_count() - (threshold or 0)
                    if row.complemented:
                        value = ~value
                    elif threshold is not None:
                        value += 1 << (bits - 1)
                    assert (2 * chosen + negated + row.constant - value) % (1 << bits) == 0


def every_neuron(inputs):
    """A layer with every row of weights at every threshold."""
    weights = [[code >> i & 1 for i in range(inputs)] for code in range(1 << inputs) for _ in range(inputs + 2)]
    thresholds = [[t] for _ in range(1 << inputs) for t in range(inputs + 2)]
    return Dense(name="all", weights=np.array(weights), output=Thresholds(values=np.array(thresholds)))


@pytest.mark.parametrize(
    ("target", "stages", "known"),
    [
        ("generic", 1, (None, None, None)),
        ("xc7", 0, (None, None, None)),
        ("ecp5", 2, (None, None, None, None)),
        ("xc7", 1, (None, None, None, None)),
        ("generic", 0, (None, 1, None, 0)),
        ("xc7", 1, (0, None, None, 1)),
        ("xc7", 0, (1, 0)),
    ],
)
def test_every_small_neuron_on_every_frame(target, stages, known, tmp_path):
    """All weights, thresholds and frames of so many inputs: nothing is left out."""
    inputs = len(known)
    layer = every_neuron(inputs)
    engine = HardwiredEngine(layer=layer, family=family_named(target), stages=stages, known=known)
    engine.simulation_models = family_named(target).simulation_models
    frames = np.array([[code >> i & 1 for i in range(inputs)] for code in range(1 << inputs)], np.uint8)
    frames = frames[[all(v in (None, x) for v, x in zip(known, frame, strict=True)) for frame in frames]]
    values = golden.accumulators(layer, frames) - layer.output.values[:, 0]
    bench(
        engine,
        tmp_path,
        "icarus",
        words=[words_of(frame, inputs)[0] for frame in frames],
        expected=[fields_of(row, engine.bits) for row in values],
    )


def test_known_bits_are_those_that_never_change():
    """Against all frames; constant bits make others constant behind them."""
    rng = np.random.default_rng(SEED)
    layers = []
    for k, (inputs, outputs) in enumerate([(6, 7), (7, 8), (8, 5)]):
        thresholds = rng.integers(0, inputs + 2, (outputs, 1))
        thresholds[:3, 0] = [0, inputs + 1, 0]
        weights = rng.integers(0, 2, (outputs, inputs))
        layers.append(Dense(name=f"dense_{k}", weights=weights, output=Thresholds(values=thresholds)))
    network = Network(
        name="t",
        input=Input(shape=(6,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=tuple(layers),
    )
    known = known_inputs(network)
    assert known[0] == (None,) * 6
    bits = np.array([[code >> i & 1 for i in range(6)] for code in range(64)], np.uint8)
    for layer, inputs in zip(layers, known, strict=True):
        for i, value in enumerate(inputs):
            assert value is None or set(bits[:, i].tolist()) == {value}
        bits = (golden.accumulators(layer, bits) >= layer.output.values[:, 0]).astype(np.uint8)
    assert known[1].count(None) <= 4
    beyond = [t for t in layers[1].output.values[:, 0].tolist() if 0 < t < 8]
    assert known[2].count(None) < len(beyond)  # some threshold can occur, but not with what the layer before gives


def test_tables_that_say_one_thing_are_known_behind_them():
    tables = Luts(name="luts", inputs=2, wires=[[0, 1]] * 3, tables=[[1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 0]])
    dense = Dense(name="dense", weights=np.ones((2, 3), np.uint8), output=Thresholds(values=np.array([[1], [2]])))
    encoding = ThresholdEncoding(thresholds=np.array([1]))
    network = Network(name="t", input=Input(shape=(2,), bits=1), encoding=encoding, layers=(tables, dense))
    assert known_inputs(network) == [(1, 0, None)]


def test_inputs_that_never_change_cost_nothing():
    layer = middle_layer(np.random.default_rng(SEED), 60, 16)
    free = Neurons(layer=layer, known=(None,) * 60, bits=7, family=XC7)
    known = tuple(None if i % 2 else i // 2 % 2 for i in range(60))
    half = Neurons(layer=layer, known=known, bits=7, family=XC7)
    assert half.sums.cells < 0.6 * free.sums.cells
    assert all(i % 2 for row in half.rows for i in row.members)
    with pytest.raises(ValueError, match="known must have 60 entries, one for each input, not 3"):
        Neurons(layer=layer, known=(None, 0, 1), bits=7, family=XC7)


def mixed_case(seed):
    """A random case of test_accelerator, each layer hardwired with probability one half."""
    network, plan = random_case(seed)
    dice = random.Random(seed)
    target = ("generic", "xc7", "ecp5")[seed % 3]
    layers = [
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        if dice.random() < 0.5
        else choice
        for layer, choice in zip(network.layers, plan.layers, strict=True)
    ]
    return network, replace(plan, layers=tuple(layers), target=target)


@pytest.mark.parametrize("seed", [*QUICK[::2], *(pytest.param(seed, marks=pytest.mark.slow) for seed in QUICK[1::2])])
def test_random_accelerators_with_hardwired_layers(seed, tmp_path):
    network, plan = mixed_case(seed)
    design = check(network, plan, tmp_path / "design")
    assert [layer.engine for layer in design.manifest.layers] == [layer.engine for layer in plan.layers]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_many_random_accelerators_with_hardwired_layers(seed, tmp_path):
    network, plan = mixed_case(seed)
    check(network, plan, tmp_path / "design", frames=20)


def test_random_cases_hold_every_neighbourhood():
    """Hardwired behind hardwired, behind folded, and in front of folded."""
    pairs = set()
    for seed in QUICK:
        engines = [layer.engine for layer in mixed_case(seed)[1].layers]
        pairs |= set(itertools.pairwise(engines))
    assert len(pairs) == 4


@pytest.mark.parametrize(
    ("target", "simulator"),
    [
        ("ecp5", "icarus"),
        *(pytest.param(t, s, marks=pytest.mark.slow) for t in ("generic", "xc7", "ecp5") for s in SIMULATORS),
    ],
)
def test_a_hardwired_network_takes_a_frame_a_cycle(target, simulator, tmp_path):
    network = varied_network(SEED, inputs=32, sizes=[12, 9, 10])
    plan = bw.size(network, hardwired=True, target=target)
    design = check(network, plan, tmp_path / "design", simulator=simulator, frames=40)
    assert design.manifest.interval_cycles == 1
    assert [layer.memory for layer in design.manifest.layers] == ["logic"] * 3


def test_a_chain_of_hardwired_layers_has_one_queue():
    network = varied_network(SEED, inputs=20, sizes=[8, 6, 5])
    graph = solved(network, hardwired(default_plan(network), network)).graph
    assert [entry.queue for entry in graph.layers] == ["queue_0", None, None]


@pytest.mark.parametrize(("pe", "simd"), [(7, 20), (8, 19), (1, 1)])
def test_a_hardwired_layer_has_all_rows_and_lanes(pe, simd):
    network = varied_network(SEED, inputs=20, sizes=[8])
    plan = Plan(layers=(LayerPlan(name="layer0", pe=pe, simd=simd, engine="hardwired"),))
    with pytest.raises(PlanError, match=f"pe 8 and simd 20, not {pe} and {simd}"):
        solved(network, plan)


def test_a_layer_may_be_too_large_to_hardwire():
    network = varied_network(SEED, inputs=513, sizes=[512, 4])
    plan = default_plan(network)
    with pytest.raises(PlanError, match=r"layer layer0: 262,656 weights are too many to hardwire \(262,144"):
        hardwired(plan, network)
    layers = (plan.layers[0], LayerPlan(name="layer1", pe=4, simd=512, engine="hardwired"))
    assert [engine.joins for engine in solved(network, replace(plan, layers=layers)).graph.engines] == [False, True]


@pytest.mark.parametrize(("inputs", "bits", "expected"), [(64, 8, 512), (3, 8, 32), (1, 1, 16), (784, 8, 1024)])
def test_a_hardwired_plan_takes_a_frame_a_beat(inputs, bits, expected):
    """Where a stream can be so wide; otherwise the manifest says how often a frame comes."""
    network = varied_network(SEED, inputs=inputs, sizes=[4], bits=bits)
    plan = bw.size(network, hardwired=True)
    assert plan.data_bits == expected
    solution = solved(network, plan)
    assert solution.interval_cycles == solution.graph.input.beats == -(-inputs * (8 if bits > 1 else 1) // expected)
    assert bw.size(network, hardwired=True, data_bits=64).data_bits == 64
    assert bw.size(network, hardwired=True, plan=replace(plan, data_bits=128)).data_bits == 128


def test_hardwired_layers_have_no_fold_of_ones_own():
    network = varied_network(SEED, inputs=20, sizes=[8])
    for option in ({"pe": 2}, {"simd": 2}, {"cycles": 5}):
        with pytest.raises(PlanError, match="give no cycles, pe or simd"):
            bw.size(network, hardwired=True, **option)


def test_the_plan_file_keeps_hardwired_layers(tmp_path):
    network = varied_network(SEED, inputs=20, sizes=[8, 6])
    plan = hardwired(default_plan(network), network)
    plan.save(tmp_path / "plan.toml")
    assert Plan.load(tmp_path / "plan.toml") == plan
    with pytest.raises(PlanError, match="layer layer0: a hardwired layer"):
        with_folds(plan, network, pe=[2])
    (tmp_path / "plan.toml").write_text((tmp_path / "plan.toml").read_text().replace("hardwired", "solid"))
    with pytest.raises(PlanError, match="engine"):
        Plan.load(tmp_path / "plan.toml")
