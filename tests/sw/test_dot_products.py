"""Several rows in one floating-point product give what each gives by itself, in plain integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core.dot_products import DotProducts
from bitwright_core.numbers import TERNARY, signed_type


def plain(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64) @ (2 * rows.astype(np.int64) - 1).T


@settings(max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 20),
    size=st.sampled_from([1, 1, 1, 2, 7, 128, 70_000]),
)
def test_equals_plain_integers(seed, inputs, outputs, size):
    """Bits (size 1), and whole numbers up to `size`; some frames at both ends of what can be."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
    values = rng.integers(-size, size + 1, (6, inputs))
    if size == 1:
        values = np.where(values == 0, 1, values)
    values[0] = size * (2 * rows[-1].astype(int) - 1)
    values[1] = -values[0]
    products = DotProducts(rows, size * inputs)
    got = products.of(values.astype(products.dtype))
    assert got.dtype == products.integers and (got == plain(rows, values)).all()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 20),
    size=st.sampled_from([1, 3, 70_000]),
    number=st.sampled_from([TERNARY, signed_type(2), signed_type(4), signed_type(8)]),
)
def test_weights_of_a_few_bits_equal_plain_integers(seed, inputs, outputs, size, number):
    """Rows up to their least and largest sums, and a row of zeros."""
    rng = np.random.default_rng(seed)
    least, largest = number.stored
    rows = rng.integers(least, largest + 1, (outputs, inputs), dtype=np.int8)
    rows[0] = 0
    values = rng.integers(-size, size + 1, (6, inputs))
    values[0] = size * np.sign(rows[-1].astype(int))
    values[1] = -values[0]
    products = DotProducts(rows, int(size * np.abs(rows.astype(int)).sum(axis=1).max()), number)
    got = products.of(values.astype(products.dtype))
    assert got.dtype == products.integers and (got == values @ rows.T.astype(np.int64)).all()


@pytest.mark.parametrize(
    ("largest", "fields", "dtype"),
    [
        (1, 12, np.float32),
        (127, 3, np.float32),
        (128, 2, np.float32),
        (2047, 2, np.float32),
        (2048, 1, np.float32),
        ((1 << 24) - 1, 1, np.float32),
        (1 << 24, 2, np.float64),
        (1 << 26, 1, np.float64),
    ],
)
def test_as_many_rows_as_are_exact(largest, fields, dtype):
    """At each bound every row reaches its least and its largest sum at once."""
    inputs = min(largest, 2048)
    rows = np.random.default_rng(largest).integers(0, 2, (2 * fields + 1, inputs), dtype=np.uint8)
    rows[0] = 0
    rows[-1] = 1
    products = DotProducts(rows, largest)
    assert (products.fields, products.dtype) == (fields, dtype)
    each, rest = divmod(largest, inputs)
    row = np.full(inputs, each)
    row[:rest] += 1  # its sum is `largest`
    values = np.stack([row, -row])
    assert np.abs(plain(rows, values)).max() == largest
    assert (products.of(values.astype(dtype)) == plain(rows, values)).all()


def test_no_frames():
    assert DotProducts(np.ones((3, 5), np.uint8), 5).of(np.zeros((0, 5), np.float32)).shape == (0, 3)
