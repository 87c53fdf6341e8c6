"""What operators can be asked: the answers of each, and that all have the same questions."""

import dataclasses

import numpy as np
import pytest

from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    Conv2d,
    Dense,
    Encoding,
    IntegerEncoding,
    MaxPool2d,
    NumberType,
    Operator,
    Scores,
    Thresholds,
)
from bitwright_core.numbers import KINDS
from bitwright_core.ops import OPERATORS


def _weights(*shape):
    return np.random.default_rng(1).integers(0, 2, shape, dtype=np.uint8)


def _bits(outputs, *, threshold=1):
    return Thresholds(values=np.full((outputs, 1), threshold))


def dense(**options):
    return Dense(**{"name": "fc", "weights": _weights(3, 12), "output": _bits(3), **options})


def conv(**options):
    given = {"name": "conv", "shape": (4, 5, 2), "weights": _weights(3, 3, 3, 2), "output": _bits(3), **options}
    return Conv2d(**given)


POOL = MaxPool2d(name="pool", shape=(4, 6, 2), kernel=(2, 2), stride=(2, 2))


@pytest.mark.parametrize("operator", [dense(), conv(), POOL], ids=lambda operator: operator.kind)
def test_every_operator_answers_every_question(operator):
    questions = [*Operator.__annotations__, *(name for name in vars(Operator) if not name.startswith("_"))]
    assert {"kind", "matrix", "windows", "pooling", "infer", "compute", "facts", "digest_parts"} <= set(questions)
    for question in questions:
        getattr(operator, question)


def test_the_registry_has_each_kind_once_and_files_name_it_so():
    assert [operator.kind for operator in OPERATORS] == ["dense", "conv2d", "max_pool2d"]
    for operator in OPERATORS:
        assert operator.facts_type.__struct_config__.tag == operator.kind


@pytest.mark.parametrize("number", [BINARY, *(NumberType(kind=kind.name, bits=4) for kind in KINDS[1:])], ids=str)
def test_planes_and_range_of_each_number_type(number):
    lanes = [sum(plane for k, plane in enumerate(number.planes) if code >> k & 1) for code in range(1 << number.bits)]
    assert sorted(lanes) == list(range(number.stored[0], number.stored[1] + 1))
    assert number.values(np.array(sorted(lanes)), np.float64).tolist() == [number.value(lane) for lane in sorted(lanes)]
    assert (number.least, number.largest) == (number.value(min(lanes)), number.value(max(lanes)))
    assert all(number.holds(number.value(lane)) and number.lane(number.value(lane)) == lane for lane in lanes)
    assert number.paddings[-1] == "zero" and number.xnor == (number is BINARY)


def test_what_no_number_type_is():
    assert BINARY.holds(-1) and not BINARY.holds(0) and str(BINARY) == "binary"
    with pytest.raises(ValueError, match="no binary lane stands for 0"):
        BINARY.lane(0)
    for kind, bits, message in (
        ("ternary", 2, "a number must be one of binary, unsigned, signed, not 'ternary'"),
        ("binary", 2, "a binary number has 1 bit, not 2"),
        ("signed", 0, "a signed number has 1 to 64 bits, not 0"),
    ):
        with pytest.raises(NetworkError, match=message):
            NumberType(kind=kind, bits=bits)
    with pytest.raises(ValueError, match="the scale must be at least 1"):
        dataclasses.replace(KINDS[0], scale=0)


def test_what_has_weights():
    layers = dense(), conv()
    assert [layer.matrix for layer in layers] == list(layers) and POOL.matrix is None


def test_what_takes_images_in_windows():
    assert dense().windows is None
    assert conv().windows.shape == (2, 3) and conv().channels == 2
    assert POOL.windows.shape == (2, 3)


def test_what_pools():
    assert dense().pooling is None and conv().pooling is None
    assert (POOL.pooling.windows, POOL.pooling.channels, POOL.pooling.rule) == (POOL.windows, 2, "max")


def test_whether_borders_choose_the_threshold():
    padded = {"padding": (1, 1, 1, 1)}
    assert dense().borders is None and conv().borders is None and conv(**padded).borders is None
    zeros = conv(**padded, padding_value="zero", output=_bits(3, threshold=0))
    assert zeros.borders is zeros.windows and len(zeros.engine_thresholds) == 9
    integers = conv(**padded, padding_value="zero", output=_bits(3), takes=NumberType(kind="signed", bits=4))
    assert integers.borders is None


def test_what_a_lane_outside_the_image_is():
    found = [conv(padding=(1, 1, 1, 1), padding_value=value).padding_lane for value in ("minus_one", "plus_one")]
    assert found == [0, 1] and dense().padding_lane == 0


def test_what_engines_count():
    assert dense().takes == BINARY and dense().counts_bits
    assert not dense(takes=NumberType(kind="signed", bits=4)).counts_bits


def test_what_gives_scores():
    scores = Scores(scale=np.ones(3, np.int64), offset=np.zeros(3, np.int64))
    assert dense(output=scores).gives_scores and not dense().gives_scores and not POOL.gives_scores


def test_what_encodes_by_tables():
    assert Encoding(thresholds=np.array([1, 2])).tables is None
    assert IntegerEncoding(table=np.array([5, 6])).tables.tolist() == [[5, 6]]
