"""Concatenation: its rule, its file, its digest, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.edge import Value
from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    ENCODED,
    Concat,
    Dense,
    Edge,
    Input,
    Network,
    NumberType,
    Sums,
    ThresholdEncoding,
    Thresholds,
    load,
)
from bitwright_core.numbers import TERNARY, joined_type, unsigned_type

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


MIXED = Concat(name="heads", sizes=(2, 1, 3), takes=(BINARY, NumberType(kind="unsigned", bits=3), TERNARY))


def test_values_of_several_types_become_integers_that_hold_all():
    """A bit is -1 or +1 among other numbers; an image among flat values comes in raster order."""
    bits, number, image = given((2,), (1,), (1, 3, 1))
    number = replace(number, edge=Edge(shape=(1,), number=NumberType(kind="unsigned", bits=3)))
    image = replace(image, edge=replace(image.edge, number=TERNARY))
    assert MIXED.infer([bits, number, image]) == Edge(shape=(6,), number=NumberType(kind="signed", bits=4))
    found = MIXED.compute(np.array([[0, 1]]), np.array([[7]]), np.array([[[[-1], [0], [1]]]]))
    assert found.tolist() == [[-1, 1, 7, -1, 0, 1]]
    wide = replace(MIXED, takes=(unsigned_type(2), unsigned_type(3), unsigned_type(1)))
    assert joined_type(wide.takes) == unsigned_type(3)
    assert replace(MIXED, takes=(TERNARY,) * 3).takes == ()


def test_several_outputs_lie_in_a_result_in_the_order_of_the_concat(tmp_path):
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 2, (5, 4), dtype=np.uint8)
    left = Dense(name="left", weights=weights[:3], output=Sums.of_dots(4, 3))
    right = Dense(name="right", weights=weights[3:], output=Thresholds(values=np.full((2, 1), 2)))
    concat = Concat(name="heads", sizes=(3, 2), takes=(left.edge.number, BINARY))
    network = Network(
        name="two_heads",
        input=Input(shape=(4,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(left, right, concat),
        takes=((ENCODED,), (ENCODED,), ("left", "right")),
    )
    assert network.gives == "integers" and [head.name for head in network.heads] == ["left", "right"]
    frames = rng.integers(0, 2, (9, 4), dtype=np.uint8)
    found, signs = golden.outputs(network, frames), 2 * frames.astype(int) - 1
    dots = signs @ (2 * weights.astype(int) - 1).T
    assert np.array_equal(network.heads[0].of(found), dots[:, :3])
    assert np.array_equal(network.heads[1].of(found), np.where(dots[:, 3:] >= 0, 1, -1))
    network.save(tmp_path / "network.safetensors")
    assert load(tmp_path / "network.safetensors") == network
    with pytest.raises(NetworkError, match="layer heads takes ternary values but layer right gives binary"):
        replace(network, layers=(left, right, replace(concat, takes=(left.edge.number, TERNARY))))


REFUSED = {
    "a type too few": (
        lambda: Concat(name="c", sizes=(3, 2), takes=(BINARY,)),
        "layer c: 2 values but 1 number types",
    ),
    "too wide together": (
        lambda: Concat(name="c", sizes=(3, 2), takes=(unsigned_type(32), TERNARY)),
        "layer c: signed 33-bit values would hold those that it takes; at most 32 bits",
    ),
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
