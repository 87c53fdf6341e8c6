"""BNN-PYNQ's sets of two-bit weights and activations: parameters made here, folded as its own tool folds them.

Of real sets the tests can have `lfcW1A2` alone (test_bnn_pynq_pretrained.py). What the files hold is by finnthesizer.py
and config.h and top.cpp of each network of https://github.com/Xilinx/BNN-PYNQ.
"""

import numpy as np
import pytest

import bitwright as bw
from bitwright_bnn_pynq import load_topology
from bitwright_bnn_pynq.topology import ConvEntry, FoldedEntry
from bitwright_core import golden
from bitwright_core.errors import ParameterSetError
from bitwright_core.numbers import BINARY, TERNARY

# SIMD and PE by config.h of each network
FOLDS = {
    "lfc-w1a2": ([64, 32, 64, 8], [32, 64, 32, 16]),
    "cnv-w1a2": ([3, 32, 32, 32, 32, 32, 4, 8, 1], [16, 32, 16, 16, 4, 1, 1, 1, 4]),
    "cnv-w2a2": ([3, 16, 16, 16, 8, 8, 2, 2, 1], [8, 16, 8, 8, 4, 1, 1, 2, 4]),
}


def write_words(folder, index, weights, thresholds, *, pe, simd, width):
    """Files of weights (rows, columns) from -1 to +1, `width` bits each, and of thresholds (rows, levels) or None."""
    rows, columns = weights.shape
    fields = (weights > 0).astype(np.uint64) if width == 1 else (weights.astype(np.int64) & 3).astype(np.uint64)
    shifts = np.arange(simd, dtype=np.uint64) * np.uint64(width)
    words = (fields.reshape(rows // pe, pe, columns // simd, simd) << shifts).sum(axis=3, dtype=np.uint64)
    for lane in range(pe):
        (folder / f"{index}-{lane}-weights.bin").write_bytes(words[:, lane].astype("<u8").tobytes())
        if thresholds is not None:
            raw = thresholds.reshape(rows // pe, pe, -1)[:, lane].astype("<i8").tobytes()
            (folder / f"{index}-{lane}-thres.bin").write_bytes(raw)


def pad_columns(weights, taps, lanes, padded, value):
    """(rows, taps * lanes) to (rows, taps * padded), with weights of `value` behind each tap's lanes."""
    full = np.full((len(weights), taps, padded), value)
    full[:, :, :lanes] = weights.reshape(len(weights), taps, lanes)
    return full.reshape(len(weights), -1)


def ternary(sums, thresholds):
    """-1 and one more for each threshold below the sum; thresholds (outputs, 2)."""
    return -1 + (thresholds < sums[..., None]).sum(axis=-1)


class Original:
    """A random set of a topology in `folder`, and what the original computes of it, in plain NumPy on +-1 and 0."""

    def __init__(self, topology, folder, seed=0):
        self.topology, self.rng, self.layers = topology, np.random.default_rng(seed), []
        shape = topology.input.shape if len(topology.input.shape) == 3 else [1, 1, int(np.prod(topology.input.shape))]
        binary, index = topology.input.integers is None, 0
        for place, facts in enumerate(topology.layers):
            if not isinstance(facts, FoldedEntry):
                shape = [shape[0] // 2, shape[1] // 2, shape[2]]
                self.layers.append((facts, None, None))
                continue
            conv = isinstance(facts, ConvEntry)
            taps, lanes = (facts.kernel**2, shape[2]) if conv else (1, int(np.prod(shape)))
            padded = lanes if conv else -(-lanes // facts.simd) * facts.simd
            wide = facts.weights == "ternary"
            weights = self.rng.choice([-1, 0, 1] if wide else [-1, 1], (facts.outputs, taps * lanes))
            full = pad_columns(weights, taps, lanes, padded, 0 if wide else 1)
            last = place == len(topology.layers) - 1
            thresholds = self.thresholds(facts, len(weights[0]), last, integers=not binary and index == 0)
            rows = facts.padded_outputs or -(-facts.outputs // facts.pe) * facts.pe
            full = np.concatenate([full, np.full((rows - len(full), full.shape[1]), 0 if wide else 1)])
            limits = thresholds
            if limits is not None:
                limits = np.concatenate([limits, np.full((rows - len(limits), limits.shape[1]), 32767)])
            write_words(folder, index, full, limits, pe=facts.pe, simd=facts.simd, width=2 if wide else 1)
            self.layers.append((facts, full[: facts.outputs], thresholds))
            shape = [shape[0] - 2, shape[1] - 2, facts.outputs] if conv else [1, 1, facts.outputs]
            binary, index = False, index + 1

    def thresholds(self, facts, inputs, last, *, integers):
        if last and self.topology.class_rule == "largest_count":
            return None
        spread = 150 * inputs**0.5 if integers else inputs**0.5
        limits = self.rng.normal(0, spread, (facts.outputs, 1 if facts.activations == "binary" else 2))
        return np.sort(np.rint(limits).astype(np.int64), axis=1)

    def sums(self, frames):
        """What the last layer's signed sums are, (n, outputs)."""
        facts = self.topology.input
        if facts.integers is None:
            values = np.where(frames.reshape(len(frames), 1, 1, -1) >= facts.thresholds[0], 1, -1)
        else:
            values = np.clip(np.floor((frames / 255 * 2 - 1) * 128 + 0.5), -128, 127).astype(np.int64)
        for index, (facts, weights, thresholds) in enumerate(self.layers):
            n, height, width, channels = values.shape
            if weights is None:
                values = values.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
                continue
            if isinstance(facts, ConvEntry):
                k = facts.kernel
                shifted = [values[:, y : height - k + 1 + y, x : width - k + 1 + x] for y in range(k) for x in range(k)]
                values = np.concatenate(shifted, axis=3)
            else:
                values = values.reshape(n, 1, 1, -1)
                missing = weights.shape[1] - values.shape[3]
                # bits that pad are 0, so -1; two-bit fields of 0 are 0
                pad = -1 if index == 0 else 0
                values = np.concatenate([values, np.full((n, 1, 1, missing), pad)], axis=3)
            sums = values @ weights.T
            if thresholds is None or index == len(self.layers) - 1:
                return sums.reshape(n, -1)
            values = ternary(sums * 2**facts.threshold_shift, thresholds)
        raise AssertionError


@pytest.mark.parametrize("name", FOLDS)
def test_a_random_set_of_each_topology_computes_what_its_files_say(name, tmp_path):
    topology = load_topology(name)
    original = Original(topology, tmp_path, seed=len(name))
    found = bw.import_bnn_pynq(tmp_path, topology=name)
    folded = [facts for facts in topology.layers if isinstance(facts, FoldedEntry)]
    assert ([facts.simd for facts in folded], [facts.pe for facts in folded]) == FOLDS[name]
    layers = found.network.matrix_layers
    assert {layer.weight_type for layer in layers} == {TERNARY if name == "cnv-w2a2" else BINARY}
    assert {layer.edge.number for layer in layers[:-1]} == {TERNARY}
    frames = np.random.default_rng(1).integers(0, 256, (2, *found.network.input.shape))
    trace = golden.trace(found.network, frames)
    sums = original.sums(frames)
    assert np.array_equal(trace.layers[-1].accumulators, sums)
    for layer in trace.layers[:-1]:
        assert {-1, 0, 1} == set(np.unique(layer.values))
    if topology.class_rule == "largest_count":
        assert np.array_equal(golden.classify(found.network, frames), sums.argmax(axis=1))
    else:
        fires = original.layers[-1][2][:, 0] < sums
        assert golden.classify(found.network, frames).tolist() == [max(np.flatnonzero(row), default=0) for row in fires]


SMALL = """
name = "small"
class_rule = "{rule}"
[input]
shape = [3, 3]
bits = 4
thresholds = [7]
[[layers]]
kind = "dense"
outputs = 6
simd = 4
pe = 4
weights = "{weights}"
activations = "ternary"
[[layers]]
kind = "dense"
outputs = 5
simd = 4
pe = 1
weights = "{weights}"
activations = "ternary"
[[layers]]
kind = "dense"
outputs = 3
simd = 3
pe = 2
weights = "{weights}"
"""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weights", ["binary", "ternary"])
@pytest.mark.parametrize("rule", ["highest_bit", "largest_count"])
def test_padding_of_two_bit_sets(weights, rule, seed, tmp_path):
    """9 inputs in folds of 4, whose bits that pad are -1, and 6 and 5 values in folds of 4 and 3, which pad with 0."""
    (tmp_path / "t.toml").write_text(SMALL.format(rule=rule, weights=weights))
    original = Original(load_topology(tmp_path / "t.toml"), tmp_path, seed)
    network = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml").network
    frames = np.random.default_rng(seed).integers(0, 16, (30, 3, 3))
    sums = original.sums(frames)
    if rule == "largest_count":
        assert np.array_equal(golden.classify(network, frames), sums.argmax(axis=1))
    else:
        fires = original.layers[-1][2][:, 0] < sums
        assert golden.classify(network, frames).tolist() == [max(np.flatnonzero(row), default=0) for row in fires]


def test_mistakes_of_two_bit_sets(tmp_path):
    text = SMALL.format(rule="largest_count", weights="ternary")
    (tmp_path / "t.toml").write_text(text)
    Original(load_topology(tmp_path / "t.toml"), tmp_path)
    (tmp_path / "binary.toml").write_text(text.replace('weights = "ternary"', ""))
    with pytest.raises(ParameterSetError, match="bits set beyond simd 4 of binary weights"):
        bw.import_bnn_pynq(tmp_path, topology=tmp_path / "binary.toml")
    (tmp_path / "last.toml").write_text(text + 'activations = "ternary"')
    with pytest.raises(ParameterSetError, match="the last layer chooses a class, so it has no ternary activations"):
        load_topology(tmp_path / "last.toml")
    (tmp_path / "wide.toml").write_text(text.replace("simd = 4", "simd = 33", 1))
    with pytest.raises(ParameterSetError, match="simd 33 of ternary weights, but a word of 64 bits holds 32"):
        load_topology(tmp_path / "wide.toml")
    file = tmp_path / "0-0-weights.bin"
    file.write_bytes(b"\x02" + file.read_bytes()[1:])
    with pytest.raises(ParameterSetError, match="a weight of -2, which no ternary weight is"):
        bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
