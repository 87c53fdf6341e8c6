"""Concatenation: its rule, its file, its digest, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Concat,
    Edge,
    Input,
    Network,
    NumberType,
    ThresholdEncoding,
)
from bitwright_core.ops.operator import Value

IMAGES = Concat(name="both", sizes=(2, 1), image=(2, 3))


def given(*shapes, number=BINARY):
    return [
        Value(name=f"v{k}", giver=f"layer v{k}", edge=Edge(shape=shape, number=number))
        for k, shape in enumerate(shapes)
    ]


def test_channels_stand_side_by_side():
    left, right = np.arange(24).reshape(2, 12), 100 + np.arange(12).reshape(2, 2, 3, 1)
    found = IMAGES.compute(left, right)
    assert found.shape == (2, 2, 3, 3)
    assert found[1, 1, 2].tolist() == [22, 23, 111] and found[0, 0, 1].tolist() == [2, 3, 101]
    assert IMAGES.infer(given((2, 3, 2), (2, 3, 1))) == Edge(shape=(2, 3, 3), number=BINARY)


def test_flat_values_follow_each_other():
    flat = Concat(name="flat", sizes=(2, 1, 2))
    assert flat.compute(np.array([[1, 2]]), np.array([[3]]), np.array([[4, 5]])).tolist() == [[1, 2, 3, 4, 5]]
    assert flat.infer(given((2,), (1,), (2,))).shape == (5,)


REFUSED = {
    "one value": (lambda: Concat(name="c", sizes=(3,)), "layer c: a concatenation joins 2 to 64 values, not 1"),
    "a size of 0": (lambda: Concat(name="c", sizes=(3, 0)), "layer c: sizes must be 2 whole numbers of at least 1"),
    "another image": (
        lambda: IMAGES.infer(given((2, 3, 2), (3, 2, 1))),
        "layer both takes images of 2 x 3 x 1 of layer v1, which gives images of 3 x 2 x 1",
    ),
    "a flat value": (
        lambda: IMAGES.infer(given((2, 3, 2), (6,))),
        "layer both takes images of 2 x 3 x 1 of layer v1, which gives 6 values",
    ),
    "two types": (
        lambda: IMAGES.infer(
            [*given((2, 3, 2)), given((2, 3, 2), (2, 3, 1), number=NumberType(kind="signed", bits=4))[1]]
        ),
        "layer both takes values of one type, but layer v0 gives binary and layer v1 signed 4-bit",
    ),
    "too many": (lambda: Concat(name="c", sizes=(1 << 20, 1)), "layer c: at most 1048576 channels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_concatenation_is_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(NetworkError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_the_order_of_its_values_is_in_the_digest():
    concat = Concat(name="both", sizes=(1, 1), image=(2, 2))
    network = Network(
        name="n",
        input=Input(shape=(2, 2, 1), bits=2),
        encoding=ThresholdEncoding(thresholds=np.array([2])),
        layers=(concat, replace(concat, name="wide", sizes=(2, 1))),
        takes=((ENCODED, ENCODED), ("both", ENCODED)),
    )
    turned = replace(
        network,
        layers=(concat, replace(concat, name="wide", sizes=(1, 2))),
        takes=((ENCODED, ENCODED), (ENCODED, "both")),
    )
    assert network.digest != turned.digest
