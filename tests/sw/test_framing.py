"""Frames on the input stream and results on the output stream, bit by bit."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitwright_core.errors import DataError, PlanError
from bitwright_core.framing import InputFormat, OutputFormat, input_format, output_format, pack_frames
from bitwright_core.golden import encode
from bitwright_core.plan import DATA_BITS, Plan, default_plan

from .networks import random_frames, random_network


def plan_for(network, **options) -> Plan:
    plan = default_plan(network)
    return Plan(layers=plan.layers, **options)


@settings(max_examples=80)
@given(
    bits=st.integers(1, 16),
    size=st.integers(1, 40),
    data_bits=st.sampled_from(DATA_BITS),
    encoding=st.sampled_from(["hardware", "host"]),
)
@example(bits=9, size=1, data_bits=16, encoding="hardware")
@example(bits=9, size=1, data_bits=8, encoding="host")
def test_each_value_lies_where_the_format_says(bits, size, data_bits, encoding):
    if encoding == "hardware" and bits > 8:
        data_bits = max(data_bits, 16)  # a beat holds a whole value; less is refused, as the next test shows
    network = random_network(bits, shape=(size,), bits=bits, levels=1, hidden=(2,))
    plan = plan_for(network, data_bits=data_bits, encoding=encoding)
    frames = random_frames(network, 3)
    form = input_format(network, plan)
    packed = pack_frames(network, plan, frames)
    values = encode(network, frames) if encoding == "host" else frames
    assert packed.shape == (3, form.stride) and packed.dtype == np.uint8
    assert form.stride * 8 == form.beats * data_bits
    assert form.encoded == (encoding == "host")
    assert form.value_bits == (1 if encoding == "host" or bits == 1 else 8 if bits <= 8 else 16)
    for row, frame in zip(packed, values, strict=True):
        word = int.from_bytes(row.tobytes(), "little")
        for index, value in enumerate(frame):
            assert word >> (index * form.value_bits) & ((1 << form.value_bits) - 1) == value
        assert word >> (size * form.value_bits) == 0
    assert form.bytes == -(-size * form.value_bits // 8)
    assert (form.beats - 1) * data_bits < form.bytes * 8 <= form.stride * 8


def test_a_beat_narrower_than_a_value_is_refused():
    network = random_network(1, shape=(4,), bits=9, levels=1, hidden=(2,))
    with pytest.raises(PlanError, match="data_bits 8 is too narrow for 9-bit input values; use 16 or more"):
        input_format(network, plan_for(network, data_bits=8))


def test_host_encoding_packs_levels_fastest():
    network = random_network(1, shape=(2,), bits=8, levels=3, hidden=(2,))
    low, middle, high = network.encoding.thresholds
    frame = np.array([[middle, high]])
    packed = pack_frames(network, plan_for(network, encoding="host"), frame)
    assert packed[0, 0] == 0b111_011
    assert low < middle < high


@pytest.mark.parametrize("classes", [1, 3, 10])
@pytest.mark.parametrize("scores", [False, True])
def test_scores_come_first_and_the_class_last(classes, scores):
    form = OutputFormat(outputs=classes, classifier=True, scores=scores)
    assert form.beats == (classes + 1 if scores else 1)
    rng = np.random.default_rng(0)
    given_scores = rng.integers(-(1 << 61), 1 << 61, (4, classes))
    given_classes = rng.integers(0, classes, 4)
    beats = [
        [*(row if scores else ()), label]
        for row, label in zip(given_scores.tolist(), given_classes.tolist(), strict=True)
    ]
    words = np.array(beats, np.int64).view(np.uint64)
    got_classes, got_scores = form.unpack(words)
    assert np.array_equal(got_classes, given_classes)
    assert (got_scores is None) if not scores else np.array_equal(got_scores, given_scores)


@pytest.mark.parametrize("outputs", [1, 63, 64, 65, 200])
def test_bits_are_packed_lane_0_first(outputs):
    form = OutputFormat(outputs=outputs, classifier=False, scores=False)
    bits = np.random.default_rng(outputs).integers(0, 2, (3, outputs))
    words = np.zeros((3, form.beats), np.uint64)
    for frame in range(3):
        number = sum(int(bit) << lane for lane, bit in enumerate(bits[frame]))
        for beat in range(form.beats):
            words[frame, beat] = number >> 64 * beat & ((1 << 64) - 1)
    classes, got = form.unpack(words)
    assert classes is None and np.array_equal(got, bits)


def test_formats_of_a_network():
    bits = random_network(1, classes=None)
    assert output_format(bits, plan_for(bits)) == OutputFormat(outputs=5, classifier=False, scores=False)
    network = random_network(1)
    assert output_format(network, plan_for(network, scores=True)).beats == 4


def test_a_wrong_count_of_values_is_told():
    form = InputFormat(values=6, value_bits=8, data_bits=64, encoded=False)
    with pytest.raises(DataError, match=r"frames of 6 values expected, not an array of shape \(2, 5\)"):
        form.pack(np.zeros((2, 5), np.uint8))
    network = random_network(1)
    with pytest.raises(DataError, match="frame values must lie in"):
        pack_frames(network, plan_for(network), np.full((1, 6), 99))


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("signed", [False, True])
def test_integers_lie_packed_in_beats(bits, signed):
    """Value k in the bits from k * value_bits up, two's complement; what is left of the last beat is 0."""
    form = OutputFormat(outputs=11, classifier=False, scores=False, value_bits=bits, signed=signed)
    rng, span = np.random.default_rng(bits), 1 << min(bits - 1, 40)
    values = rng.integers(-span if signed else 0, span, (5, 11))
    beats = form.pack(None, values)
    assert beats.shape == (5, form.beats) and form.beats == -(-11 * bits // 64)
    for row, sent in zip(values, beats.view(np.uint64), strict=True):
        word = sum(int(beat) << 64 * k for k, beat in enumerate(sent))
        assert [word >> bits * k & (1 << bits) - 1 for k in range(11)] == [int(v) % (1 << bits) for v in row]
        assert word >> 11 * bits == 0
    assert np.array_equal(form.unpack(beats)[1], values)
    assert [place for beat in range(form.beats) for place in form.in_beat(beat)] == list(range(11))
