"""Where the input of first tables is compared with thresholds: with each beat, or behind the frame, in the tables."""

import random
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.errors import PlanError
from bitwright_core.framing import input_format
from bitwright_core.golden import encode
from bitwright_core.network import Dense, GroupSum, Input, Luts, Network, ThresholdEncoding, Thresholds
from bitwright_core.plan import DATA_BITS, Plan, default_plan
from bitwright_hw.estimate import estimate
from bitwright_hw.families import ECP5, ICE40, XC7
from bitwright_hw.generator import generate
from bitwright_hw.input_bits import input_bits
from bitwright_hw.solve import solved
from bitwright_hw.synth import synthesize
from bitwright_sim.simulation import simulate
from tests.hw.test_accelerator import check
from tests.sw.lut_networks import random_luts


def tables_network(thresholds, *, values=24, bits=8, neurons=40, fan_in=3, seed=1):
    """Random tables that read `values` values of `bits` bits; one row of thresholds, or several."""
    rng = np.random.default_rng(seed)
    encoding = ThresholdEncoding(thresholds=np.array(thresholds))
    layer = random_luts(rng, "luts", values * encoding.levels, neurons, fan_in)
    return Network(
        name="tables",
        input=Input(shape=(values // 3, 1, 3), bits=bits),
        encoding=encoding,
        layers=(layer, GroupSum(name="sums", groups=(neurons // 2, neurons - neurons // 2))),
    )


def random_case(seed):
    """Values of 2 to 10 bits, thresholds alike for all or of each channel or value, constant ones among them."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    bits, values, levels = dice.choice([2, 3, 8, 10]), dice.choice([3, 12, 21]), dice.randint(1, 3)
    rows = dice.choice([1, 1, 3, values])
    low, high = (1, 1 << bits) if rows == 1 else (0, (1 << bits) + 1)
    found = [np.sort(rng.choice(np.arange(low, high), levels, replace=False)) for _ in range(rows)]
    network = tables_network(
        found[0] if rows == 1 else found,
        values=values,
        bits=bits,
        neurons=dice.randint(4, 30),
        fan_in=dice.randint(1, 6),
        seed=seed,
    )
    widths = [width for width in DATA_BITS if width >= (8 if bits <= 8 else 16)]
    target = dice.choice(["generic", "xc7", "ecp5"])
    return network, Plan(layers=(), data_bits=dice.choice(widths), target=target)


def computed(kept, network, plan, frames):
    """What the neurons of `kept` give, (n, outputs), of values (n, values): each bit as InputBits says."""
    format = input_format(network, plan)
    slots = len(kept.levels)
    rows, levels = network.encoding.rows, network.encoding.levels
    assert slots == min(format.values, format.data_bits // format.value_bits)
    bits = []
    for beat in range(kept.beats):
        for slot in range(slots):
            value = beat * slots + slot
            beyond = value >= network.input.size
            of_value = np.zeros(len(frames), np.int64) if beyond else frames[:, value]
            bits += [(of_value >= rows[value % len(rows)][level]) & (level < levels) for level in kept.levels[slot]]
            bits += [of_value >> k & 1 for k in kept.raw[slot]]
    assert len(bits) == kept.bits
    for each in kept.compared:
        number = sum(bits[wire].astype(np.int64) << n for n, wire in enumerate(each.wires))
        bits.append(number >= each.threshold)
    outputs = []
    for wires, table in kept.neurons:
        assert len(wires) <= 6
        address = sum((bits[wire].astype(np.int64) << k for k, wire in enumerate(wires)), np.zeros(len(frames), int))
        outputs.append([table >> int(each) & 1 for each in address])
    return np.array(outputs).T


@pytest.mark.parametrize("place", ["auto", "tables"])
def test_the_tables_over_kept_bits_are_the_same_functions(place):
    seen = 0
    for seed in range(40):
        network, plan = random_case(seed)
        plan = replace(plan, comparators=place)
        kept = input_bits(network, plan, input_format(network, plan))
        if kept is None:
            continue
        seen += 1
        frames = np.random.default_rng(seed).integers(0, 1 << network.input.bits, (50, network.input.size))
        frames[:4] = np.array([0, (1 << network.input.bits) - 1, 1 << network.input.bits - 1, 1])[:, None]
        expected = network.layers[0].compute(encode(network, frames))
        assert (computed(kept, network, plan, frames) == expected).all(), seed
    assert seen >= 12


def test_a_frame_a_cycle(tmp_path):
    """A stream as wide as a frame; some comparisons are taken in by tables, some are not, and some stay early."""
    network = tables_network([64, 100, 192], values=15, fan_in=3)
    plan = bw.size(network, hardwired=True, target="xc7")
    kept = input_bits(network, plan, input_format(network, plan))
    assert kept is not None and kept.early and any(kept.raw)
    design = check(network, plan, tmp_path / "design", frames=40)
    assert design.plan.data_bits == 128 and design.manifest.interval_cycles == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", ["tables", "auto"])
@pytest.mark.parametrize("seed", range(100, 130))
def test_random_accelerators(seed, place, tmp_path):
    """Every integer, and the same cycles as where each beat is compared."""
    network, plan = random_case(seed)
    other = replace(plan, comparators=place, scores=seed % 2 == 0)
    design = check(network, other, tmp_path / "design", frames=8)
    assert design.manifest.interval_cycles == design.ideal_interval_cycles
    beats = solved(network, replace(other, comparators="beats"))
    assert design.manifest.latency_cycles == beats.latency_cycles


def test_what_takes_fewer_luts_is_chosen():
    """Tables of two inputs take their comparisons with 64 and 192, two bits each, in. Those of six inputs have no room
    for them, and values that come one by one share a comparison each."""
    for fan_in, data_bits, chosen in ((2, 1024, True), (3, 1024, True), (6, 8, False)):
        network = tables_network([64, 128, 192], values=120, neurons=60, fan_in=fan_in)
        plan = Plan(layers=(), target="xc7", data_bits=data_bits)
        auto, beats, tables = (
            estimate(network, replace(plan, comparators=place), family=XC7).total.luts
            for place in ("auto", "beats", "tables")
        )
        assert auto <= min(beats, tables)
        assert (auto < beats) is chosen
        kept = input_bits(network, plan, input_format(network, plan))
        assert (kept is not None) is chosen


def test_comparisons_that_nothing_reads_are_in_no_estimate():
    """Synthesis leaves them out."""
    layer = Luts(name="luts", inputs=48, wires=np.arange(1, 48, 2).reshape(12, 2), tables=[[0, 1, 1, 0]] * 12)
    plan = Plan(layers=(), target="xc7", data_bits=64, comparators="beats")
    sums = GroupSum(name="sums", groups=(6, 6))
    luts = []
    for thresholds in ([41, 192], [128, 192]):  # nothing reads level 0
        encoding = ThresholdEncoding(thresholds=np.array(thresholds))
        network = Network(name="odd", input=Input(shape=(24,), bits=8), encoding=encoding, layers=(layer, sums))
        luts.append(estimate(network, plan, family=XC7).total.luts)
    assert luts[0] == luts[1]


def test_a_plan_says_where(tmp_path):
    network = tables_network([64, 128, 192])
    plan = Plan(layers=(), comparators="tables")
    assert "comparators" not in Plan(layers=()).text
    plan.save(tmp_path / "plan.toml")
    assert Plan.load(tmp_path / "plan.toml") == plan
    plan.check(network)
    (tmp_path / "wrong.toml").write_text('layers = []\ncomparators = "rows"\n')
    with pytest.raises(PlanError, match="comparators"):
        Plan.load(tmp_path / "wrong.toml")


def test_tables_that_cannot_compare_are_refused():
    network = tables_network([64, 128, 192])
    bits = tables_network([1], bits=1)
    thresholds = Thresholds(values=np.full((24, 1), 36))
    dense = replace(network, layers=(Dense(name="dense", weights=np.ones((24, 72), np.uint8), output=thresholds),))
    for wrong, options in ((network, {"encoding": "host"}), (bits, {}), (dense, {})):
        layers = default_plan(wrong).layers
        Plan(layers=layers, **options).check(wrong)
        with pytest.raises(PlanError, match="comparators cannot be tables"):
            Plan(layers=layers, comparators="tables", **options).check(wrong)


COUNTED = [(8, [64, 128, 192], 2, 512), (8, [64, 128, 192], 3, 64), (2, [1, 2, 3], 4, 512), (3, [2, 4, 6], 6, 64)]


@pytest.mark.slow
@pytest.mark.parametrize("family", [XC7, ECP5, ICE40], ids=lambda family: family.name)
@pytest.mark.parametrize(("bits", "thresholds", "fan_in", "data_bits"), COUNTED)
def test_the_estimate_agrees_with_yosys(bits, thresholds, fan_in, data_bits, family, tmp_path):
    """For each place of the comparators; and what is chosen for a family takes no more than comparing each beat.

    Behind the frame, ECP5's multiplexers take some comparisons in, and Yosys alone knows which.
    """
    network = tables_network(thresholds, values=192, bits=bits, neurons=100, fan_in=fan_in)
    target = "generic" if family is ICE40 else family.name
    counted = {}
    for place in ("auto", "beats", "tables"):
        plan = Plan(layers=(), target=target, data_bits=data_bits, registers=False, comparators=place)
        report = synthesize(generate(network, plan, tmp_path / place), family=family)
        assert report.estimate is not None
        most = 0.12 if place == "tables" else 0.09
        assert report.estimate.total.luts == pytest.approx(report.total.luts, rel=most), place
        counted[place] = report.total.luts
    if plan.target == family.name:
        assert counted["auto"] <= counted["beats"]


@pytest.mark.slow
def test_broken_frames_leave_nothing_behind(tmp_path):
    """The guard in front of late comparisons masks nothing."""
    network = tables_network([64, 100, 192], values=30, fan_in=3)
    plan = Plan(layers=(), data_bits=64, comparators="tables", scores=True)
    design = generate(network, plan, tmp_path / "design")
    assert "UnmaskedGuard" in design.verilog[0].read_text()
    report = simulate(design, simulator="icarus", seed=3)
    assert report.passed
