"""The network file: what is written comes back, and nothing but a sound file is read."""

import dataclasses
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as parse
from safetensors.numpy import save as render

from bitwright_core.errors import NetworkError
from bitwright_core.network import Values, load

from .networks import random_network


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(1,), (9,), (3, 5), (4, 4, 3)]),
    bits=st.sampled_from([1, 4, 8, 16]),
    levels=st.integers(1, 5),
    hidden=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    classes=st.sampled_from([None, 1, 2, 10, 300]),
)
def test_round_trip(tmp_path_factory, *, seed, shape, bits, levels, hidden, classes):
    levels = min(levels, (1 << bits) - 1)
    network = random_network(seed, shape=shape, bits=bits, levels=levels, hidden=tuple(hidden), classes=classes)
    file = tmp_path_factory.mktemp("network") / "n.safetensors"
    network.save(file)
    assert load(file) == network
    assert [entry.name for entry in file.parent.iterdir()] == ["n.safetensors"]


def test_the_same_network_gives_the_same_bytes(tmp_path):
    random_network(3).save(tmp_path / "a")
    random_network(3).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_labels_come_back(tmp_path):
    network = random_network(1, labels=("zero", "ein \N{LATIN SMALL LETTER SHARP S}", "\u96f6"))
    network.save(tmp_path / "n")
    assert load(tmp_path / "n").labels == network.labels


def test_the_tensors_are_those_of_the_spec(tmp_path):
    network = random_network(1)
    network.save(tmp_path / "n")
    tensors = parse((tmp_path / "n").read_bytes())
    assert {name: (str(t.dtype), t.shape) for name, t in tensors.items()} == {
        "encoding.thresholds": ("int64", (2,)),
        "layers.0.weights": ("uint8", (7, 2)),
        "layers.0.thresholds": ("int64", (7, 1)),
        "layers.1.weights": ("uint8", (5, 1)),
        "layers.1.thresholds": ("int64", (5, 1)),
        "layers.2.weights": ("uint8", (3, 1)),
        "layers.2.scale": ("int64", (3,)),
        "layers.2.offset": ("int64", (3,)),
    }
    row = network.layers[0].weights[4]
    packed = tensors["layers.0.weights"][4]
    assert [int(packed[lane // 8]) >> lane % 8 & 1 for lane in range(12)] == row.tolist()


def _parts(file):
    raw = file.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    return json.loads(header["__metadata__"]["bitwright"]), parse(raw)


@pytest.fixture
def file(tmp_path):
    random_network(1).save(tmp_path / "n.safetensors")
    return tmp_path / "n.safetensors"


def _rewrite(file, change):
    meta, tensors = _parts(file)
    meta = change(meta, tensors) or meta
    text = meta if isinstance(meta, str) else json.dumps(meta)
    file.write_bytes(render(tensors, metadata={"bitwright": text}))


def _set(mapping, key, value):
    mapping[key] = value


CHANGES = {
    "version": (lambda m, t: _set(m, "version", 4), "network format 4, but this bitwright reads formats 1 to 3"),
    "no version": (lambda m, t: m.pop("version") and None, "network format None"),
    "not an object": (lambda m, t: "[]", "damaged header"),
    "not JSON": (lambda m, t: "{", "damaged header"),
    "unknown field": (lambda m, t: _set(m, "colour", 1), "damaged header"),
    "unknown kind": (lambda m, t: _set(m["layers"][0], "kind", "conv9d"), "damaged header"),
    "missing tensor": (
        lambda m, t: t.pop("layers.1.thresholds") is None,
        "tensor layers.1.thresholds is missing",
    ),
    "missing encoding": (lambda m, t: t.pop("encoding.thresholds") is None, "encoding.thresholds is missing"),
    "extra tensor": (
        lambda m, t: _set(t, "layers.9.weights", np.zeros(1, np.uint8)),
        "unexpected tensor layers.9.weights",
    ),
    "shape": (
        lambda m, t: _set(t, "layers.0.weights", np.zeros((7, 3), np.uint8)),
        "tensor layers.0.weights has shape (7, 3), expected (7, 2)",
    ),
    "type": (
        lambda m, t: _set(t, "layers.0.weights", np.zeros((7, 2), np.int16)),
        "tensor layers.0.weights must be bytes, not int16",
    ),
    "pad bits": (
        lambda m, t: _set(t, "layers.0.weights", np.full((7, 2), 255, np.uint8)),
        "tensor layers.0.weights has bits set beyond its 12 inputs",
    ),
    "float thresholds": (
        lambda m, t: _set(t, "layers.0.thresholds", np.ones((7, 1), np.float32)),
        "thresholds: values must be integers, not float32",
    ),
    "rule": (lambda m, t: _set(m["layers"][1], "name", "layer0"), "two layers are named 'layer0'"),
    "sizes": (lambda m, t: _set(m["layers"][0], "outputs", 0), "layer layer0: sizes must be positive"),
    "shape of the input": (lambda m, t: _set(m, "input_shape", [7]), "the encoded input gives 14 values"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_damage_is_told(file, name):
    change, message = CHANGES[name]
    _rewrite(file, lambda m, t: x if isinstance(x := change(m, t), str) else None)
    with pytest.raises(NetworkError) as caught:
        load(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_missing_file_a_folder_and_a_stranger(tmp_path):
    with pytest.raises(NetworkError, match="no such network file"):
        load(tmp_path / "none")
    with pytest.raises(NetworkError, match="a folder, where a network file is expected"):
        load(tmp_path)
    (tmp_path / "other").write_bytes(render({"a": np.zeros(3)}))
    with pytest.raises(NetworkError, match=r"of another program's, with 1 tensor \(a\)"):
        load(tmp_path / "other")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(NetworkError, match="not a readable network file"):
        load(tmp_path / "text")


def test_every_cut_is_told(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(NetworkError):
            load(file)


def test_mutations_are_networks_or_network_errors(file):
    """Random bytes changed: either a valid network (a weight or a label changed), or a NetworkError."""
    whole = file.read_bytes()
    original = load(file)
    rng = np.random.default_rng(5)
    data = 8 + struct.unpack("<Q", whole[:8])[0]
    refused = changed = 0
    for _ in range(3000):
        raw = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            start = data if rng.random() < 0.5 else 0
            raw[int(rng.integers(start, len(raw)))] = int(rng.integers(256))
        file.write_bytes(raw)
        try:
            changed += load(file) != original
        except NetworkError:
            refused += 1
    assert refused > 1000
    assert changed > 100


def test_writing_where_nothing_can_be_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        random_network(1).save(tmp_path / "file" / "n.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_only_format_2_has(tmp_path):
    plain = random_network(1)
    for network, version in (
        (plain, 1),
        (random_network(1, labels=("a", "b", "c")), 1),
        (dataclasses.replace(plain, values=Values(step=0.1, error=1e-9)), 2),
        (random_network(1, classes=None, labels=tuple("abcde")), 2),
    ):
        network.save(tmp_path / "n")
        raw = (tmp_path / "n").read_bytes()
        assert load(tmp_path / "n") == network and b'\\"version\\":%d' % version in raw
        if version == 2:
            (tmp_path / "old").write_bytes(raw.replace(b'\\"version\\":2', b'\\"version\\":1'))
            with pytest.raises(NetworkError, match="format 1 with what only format 2 has"):
                load(tmp_path / "old")
    assert dataclasses.replace(plain, values=Values(step=0.1, error=0.0)).digest == plain.digest
