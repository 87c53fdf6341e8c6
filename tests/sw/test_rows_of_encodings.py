"""Encodings of a row for each channel or each value: rules, golden model, file, digest."""

import json
import struct

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import Dense, Input, IntegerEncoding, Network, Scores, ThresholdEncoding, load
from tests.plain import plain_outputs

from .conv_networks import random_conv_network, random_rows
from .networks import random_frames


def dense_network(encoding, shape=(6,), bits=3, seed=0):
    rng = np.random.default_rng(seed)
    inputs = int(np.prod(shape)) * encoding.levels
    weights = rng.integers(0, 2, (3, inputs), dtype=np.uint8)
    last = Dense(
        name="last",
        weights=weights,
        takes=encoding.number,
        output=Scores(scale=np.array([1, 2, 1]), offset=np.array([0, -3, 5])),
    )
    return Network(name="rows", input=Input(shape=shape, bits=bits), encoding=encoding, layers=(last,))


@pytest.mark.parametrize("rows", ["channel", "value"])
@pytest.mark.parametrize("integers", [False, True])
def test_golden_is_the_rules_written_out(rows, integers):
    for seed in range(4):
        network = random_conv_network(seed, shape=(5, 4, 3), bits=3, integers=integers, rows=rows)
        frames = random_frames(network, 3, seed)
        trace = golden.trace(network, frames)
        for k, frame in enumerate(frames):
            for layer, (sums, values) in zip(trace.layers, plain_outputs(network, frame), strict=True):
                assert sums is None or layer.accumulators[k].reshape(-1).tolist() == sums
                assert layer.values[k].reshape(-1).tolist() == values


@pytest.mark.parametrize("rows", ["channel", "value"])
@pytest.mark.parametrize("integers", [False, True])
def test_file_of_rows_is_version_2_and_comes_back(tmp_path, rows, integers):
    network = random_conv_network(1, shape=(4, 4, 3), bits=3, integers=integers, rows=rows)
    assert network.format_version == 2
    network.save(tmp_path / "n.safetensors")
    assert load(tmp_path / "n.safetensors") == network
    text = (tmp_path / "n.safetensors").read_bytes()
    length = struct.unpack("<Q", text[:8])[0]
    header = text[8 : 8 + length].replace(rb"\"version\":2", rb"\"version\":1")
    assert json.loads(header)["__metadata__"] and header != text[8 : 8 + length]
    (tmp_path / "n.safetensors").write_bytes(text[:8] + header + text[8 + length :])
    with pytest.raises(NetworkError, match="format 1 with what only format 2 has"):
        load(tmp_path / "n.safetensors")


def test_what_needs_nothing_new_is_version_1():
    assert random_conv_network(1).format_version == random_conv_network(1, integers=True).format_version == 1
    assert dense_network(IntegerEncoding(table=np.arange(8) << 20)).format_version == 2


def test_rows_are_given_once():
    """The same rows for each value, for each channel or for all are one network, with one digest."""
    one, rows = np.array([2, 5]), np.array([[0, 5], [3, 8]])
    for shape, given, kept in (
        ((6,), np.tile(one, (6, 1)), (2,)),
        ((3, 2), np.tile(one, (6, 1)), (2,)),
        ((1, 3, 2), np.tile(rows, (3, 1)), (2, 2)),
        ((1, 3, 2), np.tile(np.arange(3)[:, None], (2, 2)), (6, 2)),
    ):
        assert dense_network(ThresholdEncoding(thresholds=given), shape).encoding.thresholds.shape == kept
    same = {dense_network(ThresholdEncoding(thresholds=t), (1, 3, 2)).digest for t in (rows, np.tile(rows, (3, 1)))}
    assert len(same) == 1
    assert dense_network(ThresholdEncoding(thresholds=one)).digest not in same
    tables = np.stack([np.arange(8), np.arange(8) * 3])
    digests = {dense_network(IntegerEncoding(table=t), (1, 3, 2)).digest for t in (tables, np.tile(tables, (3, 1)))}
    assert len(digests) == 1


def test_constants_and_single_rows_differ_only_where_they_differ():
    rng = np.random.default_rng(0)
    source = Input(shape=(6,), bits=3)
    encoding = random_rows(rng, source, "value", integers=False)
    network = dense_network(encoding)
    frames = rng.integers(0, 8, (20, 6))
    bits = golden.encode(network, frames).reshape(20, 6, 2)
    assert (bits[:, encoding.thresholds == 0] == 1).all() and (bits[:, encoding.thresholds == 8] == 0).all()
