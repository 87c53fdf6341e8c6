"""What networks of lookup tables are made of: tables, group sums, frames of one word."""

import numpy as np
import pytest

from bitwright_core.network import Luts
from bitwright_core.plan import ceil_div
from bitwright_hw.families import ECP5, GENERIC, ICE40, XC7
from bitwright_hw.frame_collector import FrameCollector
from bitwright_hw.group_sums import GroupSums
from bitwright_hw.luts import LutNeurons, behind, neurons, reduced
from tests.hw.benches import SEED, bench, words_of
from tests.hw.test_components import cases


def packed(bits):
    return words_of(bits, len(bits))[0]


@cases(("inputs", "outputs", "fan_in"), [(11, 7, 6), (1, 3, 1), (5, 9, 4)], verilator=1)
def test_each_neuron_gives_what_its_table_says(inputs, outputs, fan_in, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    wires, tables = rng.integers(0, inputs, (outputs, fan_in)), rng.integers(0, 2, (outputs, 1 << fan_in))
    wires[1], tables[1] = wires[0], tables[0]  # two equal ones
    tables[2] = 1  # one that never changes
    layer = Luts(name="luts", inputs=inputs, wires=wires, tables=tables)
    frames = rng.integers(0, 2, (60, inputs)).astype(np.uint8)
    expected = [packed(bits) for bits in layer.compute(frames)]
    bench(
        LutNeurons(layer=layer),
        tmp_path,
        simulator,
        words=[packed(bits) for bits in frames],
        expected=expected,
        times=[k + LutNeurons.LATENCY for k in range(len(frames))],
    )


def test_a_neuron_keeps_the_inputs_that_it_depends_on():
    def table(bits):
        return np.array(bits, np.uint8)

    assert reduced([5, 2], table([0, 1, 0, 1])) == ((5,), 0b10)  # address bit 0 is input 5
    assert reduced([5, 2], table([0, 0, 1, 1])) == ((2,), 0b10)
    assert reduced([3, 3], table([0, 1, 1, 1])) == ((3,), 0b10)  # one wire twice: addresses 0 and 3 alone
    assert reduced([3, 7], table([1, 1, 1, 1])) == ((), 1)
    assert reduced([9, 4], table([0, 1, 0, 0])) == ((4, 9), 0b0100)  # 9 and not 4, in rising order of the inputs
    same = Luts(name="luts", inputs=10, wires=[[9, 4], [4, 9]], tables=[[0, 1, 0, 0], [0, 0, 1, 0]])
    assert len(set(neurons(same))) == 1


@pytest.mark.parametrize("family", [GENERIC, XC7, ECP5, ICE40], ids=lambda family: family.name)
@pytest.mark.parametrize(("groups", "stages"), [((13, 13, 13), 2), ((1, 2, 70), 0)])
def test_group_sums_count(groups, stages, family, tmp_path):
    rng = np.random.default_rng(SEED)
    frames = [np.ones(sum(groups), np.uint8), np.zeros(sum(groups), np.uint8)]
    frames += list(rng.integers(0, 2, (40, sum(groups))).astype(np.uint8))
    sums = GroupSums(groups=groups, target=family, stages=stages)
    starts = np.cumsum((0, *groups[:-1]))
    counts = [np.add.reduceat(frame.astype(int), starts) for frame in frames]
    sums.simulation_models = family.simulation_models
    bench(
        sums,
        tmp_path,
        "icarus",
        words=[packed(frame) for frame in frames],
        expected=[sum(int(count) << k * sums.width for k, count in enumerate(row)) for row in counts],
        times=[k + sums.latency for k in range(len(frames))],
    )


@cases(("in_width", "bits", "ahead"), [(8, 20, 2), (5, 5, 1), (3, 10, 4)], verilator=1)
def test_frames_become_words_and_dropped_ones_leave_nothing(in_width, bits, ahead, simulator, tmp_path):
    frames = np.random.default_rng(SEED).integers(0, 2, (9, bits))
    drops = [False, False, True, False, True, True, False, False, False]
    words = ceil_div(bits, in_width)
    bench(
        FrameCollector(in_width=in_width, bits=bits, ahead=ahead),
        tmp_path,
        simulator,
        words=[word for frame in frames for word in words_of(frame, in_width)],
        expected=[packed(frame) for frame, drop in zip(frames, drops, strict=True) if not drop],
        frame_words=words,
        drops=drops,
        constants={"grant__valid": 1},
        counts={"grant__ready": drops.count(False)},  # dropped frames give their tokens to the next ones
    )


def test_constants_and_equal_neurons_are_seen_from_behind():
    """What a layer gives is the same with rows as they are and as they are seen, which read no constant and no copy."""
    rng = np.random.default_rng(5)
    tables = rng.integers(0, 2, (12, 8))
    tables[:3], tables[3] = rng.integers(0, 2, (3, 1)), 1
    wires = np.stack([rng.choice(10, 3, replace=False) for _ in range(12)])
    wires[7], tables[7] = wires[5], tables[5]
    first = Luts(name="first", inputs=10, wires=wires, tables=tables)
    second = Luts(
        name="second",
        inputs=12,
        wires=np.stack([rng.choice(12, 4, replace=False) for _ in range(30)]),
        tables=rng.integers(0, 2, (30, 16)),
    )
    before, rows = neurons(first), neurons(second)
    seen = behind(rows, before)
    given = np.array([[value >> k & 1 for k in range(10)] for value in range(1024)])
    between = np.stack([_given(neuron, given) for neuron in before], 1)
    for row, other in zip(rows, seen, strict=True):
        assert (_given(row, between) == _given(other, between)).all()
    read = {wire for wires, _ in seen for wire in wires}
    assert read and not read & {0, 1, 2, 3, 7}
    assert len(set(seen)) < len(set(rows))


def _given(neuron, bits):
    wires, table = neuron
    address = sum((bits[:, wire] << k for k, wire in enumerate(wires)), np.zeros(len(bits), np.int64))
    return table >> address & 1
