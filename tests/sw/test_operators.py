"""What operators can be asked: the answers of each, and that all have the same questions."""

import numpy as np
import pytest

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
    questions = [name for name, value in vars(Operator).items() if isinstance(value, property)]
    assert len(questions) > 10
    for question in questions:
        getattr(operator, question)


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
