"""BNN-PYNQ's parameter sets: folding undone, padding folded in, class rules, and what is refused."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bitwright as bw
from bitwright.cli import main
from bitwright_bnn_pynq import load_topology, topology_names
from bitwright_core import golden
from bitwright_core.errors import ParameterSetError
from bitwright_core.network import Conv2d, MaxPool2d, Scores, Votes, load
from bitwright_core.plan import Plan

from .bnn_pynq_files import padded, write_layer

MLP = """
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
[[layers]]
kind = "dense"
outputs = 3
padded_outputs = 8
simd = 4
pe = 2
"""


def write_mlp(folder, seed, *, rule, keep=None):
    """A random 9-6-3 network with padding, and a function that computes its classes, padding and all."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    w0, t0 = rng.integers(0, 2, (6, 9)), rng.integers(2, 8, 6)
    w1, t1 = rng.integers(0, 2, (3, 6)), rng.integers(1, 5, 3)
    full0, limits0 = padded(w0, t0, 8, 12, rng)
    full1, limits1 = padded(w1, t1, 8, 8, rng)
    write_layer(folder, 0, full0, limits0, pe=4, simd=4)
    write_layer(folder, 1, full1, limits1 if rule == "highest_bit" else None, pe=2, simd=4, keep=keep)
    if keep is not None:
        full1 = full1.copy()
        for row in range(8):
            for sf in range(2):
                if row // 2 * 2 + sf >= keep:
                    full1[row, sf * 4 : (sf + 1) * 4] = 0

    def classes(frames):
        result = []
        for frame in frames.reshape(len(frames), -1):
            lanes = [int(v >= 7) for v in frame] + [0] * 3
            hidden = [
                int(sum(int(w == x) for w, x in zip(row, lanes, strict=True)) > t)
                for row, t in zip(full0[:6], limits0[:6], strict=True)
            ]
            seen = [*hidden, 0, 0]
            counts = [sum(int(w == x) for w, x in zip(row, seen, strict=True)) for row in full1[:3]]
            if rule == "largest_count":
                result.append(counts.index(max(counts)))
            else:
                reached = [c for c in range(3) if limits1[c] < counts[c]]
                result.append(reached[-1] if reached else 0)
        return result

    return classes


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), rule=st.sampled_from(["highest_bit", "largest_count"]), keep=st.sampled_from([None, 4])
)
def test_dense_sets_compute_what_their_files_say(tmp_path_factory, *, seed, rule, keep):
    folder = tmp_path_factory.mktemp("set")
    classes = write_mlp(folder, seed, rule=rule, keep=keep)
    (folder / "t.toml").write_text(MLP.format(rule=rule))
    found = bw.import_bnn_pynq(folder, topology=folder / "t.toml")
    frames = np.random.default_rng(seed).integers(0, 16, (40, 3, 3))
    assert golden.classify(found.network, frames).tolist() == classes(frames)
    assert isinstance(found.network.layers[-1].output, Votes if rule == "highest_bit" else Scores)
    assert [layer.inputs for layer in found.network.layers] == [9, 6]
    assert [(layer.name, layer.pe, layer.simd) for layer in found.plan.layers] == [("dense0", 4, 4), ("dense1", 2, 4)]


CONV = """
name = "conv"
class_rule = "largest_count"
[input]
shape = [6, 5, 3]
bits = 4
[input.integers]
least = -1
largest = 1
bits = 4
fraction_bits = 3
[[layers]]
kind = "conv"
kernel = 2
outputs = 5
simd = 3
pe = 5
threshold_shift = 1
[[layers]]
kind = "pool"
kernel = 2
[[layers]]
kind = "conv"
kernel = 2
outputs = 6
padded_channels = 8
simd = 16
pe = 3
[[layers]]
kind = "dense"
outputs = 3
padded_outputs = 4
simd = 6
pe = 4
"""


@pytest.mark.parametrize("seed", range(8))
def test_convolutional_sets_compute_what_their_files_say(tmp_path, seed):
    rng = np.random.default_rng(seed)
    w0, t0 = rng.integers(0, 2, (5, 12)), rng.integers(-24, 24, 5)
    w1, t1 = rng.integers(0, 2, (6, 2, 2, 8)), rng.integers(12, 20, 6)
    w2 = rng.integers(0, 2, (4, 6))
    write_layer(tmp_path, 0, w0, t0, pe=5, simd=3)
    write_layer(tmp_path, 1, w1.reshape(6, -1), t1, pe=3, simd=16)
    write_layer(tmp_path, 2, w2, None, pe=4, simd=6)
    (tmp_path / "t.toml").write_text(CONV)
    (tmp_path / "classes.txt").write_bytes(b"One\r\nTwo\r\nThree")
    network = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml").network
    assert network.labels == ("One", "Two", "Three")
    assert [type(layer) for layer in network.layers[:3]] == [Conv2d, MaxPool2d, Conv2d]
    assert [layer.name for layer in network.layers] == ["conv0", "pool0", "conv1", "dense2"]
    frame = rng.integers(0, 16, (6, 5, 3))
    values = np.array(
        [[[min(max(int(np.floor((p / 15 * 2 - 1) * 8 + 0.5)), -8), 7) for p in x] for x in y] for y in frame]
    )
    bits = np.zeros((5, 4, 5), int)
    for y in range(5):
        for x in range(4):
            for o in range(5):
                acc = sum((2 * w0[o, k] - 1) * v for k, v in enumerate(values[y : y + 2, x : x + 2].reshape(-1)))
                bits[y, x, o] = t0[o] < 2 * acc
    pooled = np.array(
        [[bits[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max(axis=(0, 1)) for x in range(2)] for y in range(2)]
    )
    lanes = np.zeros((2, 2, 8), int)
    lanes[:, :, :5] = pooled
    second = [int(t1[o] < (w1[o] == lanes).sum()) for o in range(6)]
    scores = [(w2[c] == second).sum() for c in range(3)]
    trace = golden.trace(network, frame[None])
    assert np.array_equal(trace.layers[0].values[0], bits)
    assert np.array_equal(trace.layers[1].values[0], pooled)
    assert trace.layers[2].values[0].reshape(-1).tolist() == second
    assert trace.layers[3].values[0].tolist() == scores


def test_the_table_of_cnv_is_that_of_the_original():
    """clip(floor((p / 255 * 2 - 1) * 128 + 0.5), -128, 127), in rational arithmetic and in floats."""
    from bitwright_bnn_pynq.network import integer_table

    table = integer_table(load_topology("cnv").input).tolist()
    exact = [(Fraction(2 * p, 255) - 1) * 128 + Fraction(1, 2) for p in range(256)]
    assert table == [min(max(v.__floor__(), -128), 127) for v in exact]
    assert table == np.clip(np.floor((np.arange(256) / 255 * 2 - 1) * 128 + 0.5), -128, 127).tolist()
    assert topology_names() == ("cnv", "cnv-w1a2", "cnv-w2a2", "lfc", "lfc-w1a2")


def test_thresholds_of_a_last_layer_that_counts_are_not_used(tmp_path):
    """As in the set `streetview`, whose original takes the largest count and leaves the files alone."""
    write_mlp(tmp_path, 3, rule="highest_bit")
    (tmp_path / "t.toml").write_text(MLP.format(rule="largest_count"))
    found = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert isinstance(found.network.layers[-1].output, Scores)
    (note,) = found.notes
    assert note.startswith("layer 1 has files of thresholds, which are not used")
    for file in tmp_path.glob("1-*-thres.bin"):
        file.unlink()
    without = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert without.network == found.network and not without.notes


def test_sets_of_other_numbers_of_classes(tmp_path, capsys):
    """The rows of padding are classes, if classes.txt or the user says so."""
    write_mlp(tmp_path, 4, rule="largest_count")
    (tmp_path / "t.toml").write_text(MLP.format(rule="largest_count"))
    assert bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml").network.outputs == 3
    arguments = [str(tmp_path), "--topology", str(tmp_path / "t.toml"), "--out", str(tmp_path / "n.safetensors")]
    assert main(["import", "bnn-pynq", *arguments, "--classes", "7"]) == 0
    seven = load(tmp_path / "n.safetensors")
    assert seven.outputs == 7 and seven.labels == ()
    (tmp_path / "classes.txt").write_bytes(b"a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng")
    found = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert found.network.digest == seven.digest and found.network.labels == tuple("abcdefg")
    assert found.notes == ("classes.txt has 7 names, so 7 classes, not the topology's 3",)
    assert main(["import", "bnn-pynq", *arguments, "--classes", "5"]) == 2
    assert "7 classes, but 5 are asked for" in capsys.readouterr().err
    (tmp_path / "classes.txt").unlink()
    for wrong in ("9", "0"):
        assert main(["import", "bnn-pynq", *arguments, "--classes", wrong]) == 2
        assert f"{wrong} classes, but the topology's last layer has 8 rows" in capsys.readouterr().err


def cut(folder, name, change):
    file = folder / name
    file.write_bytes(change(file.read_bytes()))


MISTAKES = {
    "missing weights": (lambda f: (f / "0-2-weights.bin").unlink(), "0-2-weights.bin: no such file of weights"),
    "missing thresholds": (lambda f: (f / "1-1-thres.bin").unlink(), "1-1-thres.bin: no such file of thresholds"),
    "half a word": (lambda f: cut(f, "0-0-weights.bin", lambda raw: raw[:-3]), "45 bytes are no whole words of 8"),
    "empty": (lambda f: cut(f, "0-0-weights.bin", lambda raw: b""), "0 bytes are no whole words of 8"),
    "too long": (
        lambda f: cut(f, "0-1-weights.bin", lambda raw: raw + raw),
        "12 words, but 8 x 12 in folds of 4 x 4 have 6",
    ),
    "two thresholds a row": (lambda f: cut(f, "0-0-thres.bin", lambda raw: raw * 2), "values of several bits"),
    "wide words": (
        lambda f: cut(f, "0-0-weights.bin", lambda raw: raw[:1] + b"\xff" + raw[2:]),
        "words have bits set beyond simd 4",
    ),
    "classes": (
        lambda f: (f / "classes.txt").write_text("\n".join("abcdefghi")),
        "9 classes, but the topology's last layer has 8 rows",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_files_that_are_wrong_are_refused(tmp_path, mistake):
    change, message = MISTAKES[mistake]
    write_mlp(tmp_path, 1, rule="highest_bit")
    (tmp_path / "t.toml").write_text(MLP.format(rule="highest_bit"))
    bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    change(tmp_path)
    with pytest.raises(ParameterSetError) as caught:
        bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_files_of_padding_alone_are_not_needed(tmp_path):
    """Rows 0 to 2 of a fold of 4 rows: lane 3 only pads."""
    rng = np.random.default_rng(0)
    write_layer(tmp_path, 0, rng.integers(0, 2, (4, 9)), None, pe=4, simd=9)
    (tmp_path / "0-3-weights.bin").unlink()
    text = MLP.format(rule="largest_count").partition("[[layers]]")[0]
    (tmp_path / "t.toml").write_text(text + '[[layers]]\nkind = "dense"\noutputs = 3\nsimd = 9\npe = 4\n')
    found = bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert (found.plan.layers[0].pe, found.network.outputs) == (3, 3)


TOPOLOGIES = {
    "unknown key": (lambda t: t.replace("simd = 4", "smid = 4"), "unknown key layers[0].smid (did you mean simd?)"),
    "unknown key at the top": (lambda t: "lables = 3\n" + t, "unknown key lables (did you mean layers?); the keys are"),
    "unknown key of the input": (
        lambda t: t.replace("thresholds = [7]", "treshold = [7]"),
        "unknown key input.treshold",
    ),
    "unknown kind": (
        lambda t: t.replace('"dense"', '"dens"', 1),
        "layers[0].kind must be one of dense, conv, pool, not 'dens' (did you mean dense?)",
    ),
    "no classes": (lambda t: t.partition("[[layers]]")[0] + "layers = []", "layers"),
    "class rule": (lambda t: t.replace("highest_bit", "loudest"), "loudest"),
    "no encoding": (lambda t: t.replace("thresholds = [7]", ""), "needs thresholds or an [input.integers] table"),
    "no TOML": (lambda t: "[", "t.toml"),
    "folds": (lambda t: t.replace("padded_outputs = 8", "padded_outputs = 7"), "padded_outputs 7 must be a multiple"),
    "a shift on bits": (lambda t: t.replace("pe = 4", "pe = 4\nthreshold_shift = 1"), "is for a layer on integers"),
}


@pytest.mark.parametrize("mistake", TOPOLOGIES)
def test_topologies_that_are_wrong_are_refused(tmp_path, mistake):
    change, message = TOPOLOGIES[mistake]
    write_mlp(tmp_path, 1, rule="highest_bit")
    (tmp_path / "t.toml").write_text(change(MLP.format(rule="highest_bit")))
    with pytest.raises(ParameterSetError) as caught:
        bw.import_bnn_pynq(tmp_path, topology=tmp_path / "t.toml")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_topology_or_folder_that_is_not_there(tmp_path):
    with pytest.raises(
        ParameterSetError, match=r"xnv: no such file, and not a topology that ships \(cnv, cnv-w1a2, .*, lfc-w1a2\)"
    ):
        load_topology("xnv")
    with pytest.raises(ParameterSetError, match="no such folder of parameters"):
        bw.import_bnn_pynq(tmp_path / "none", topology="lfc")


def test_the_command_writes_network_and_plan(tmp_path, capsys):
    write_mlp(tmp_path / "set", 3, rule="highest_bit")
    (tmp_path / "t.toml").write_text(MLP.format(rule="highest_bit"))
    out = tmp_path / "small.safetensors"
    command = ["import", "bnn-pynq", str(tmp_path / "set"), "--topology", str(tmp_path / "t.toml"), "--out", str(out)]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    network = load(out)
    assert told["digest"] == network.digest and told["name"] == "small"
    assert told["plan"] == str(tmp_path / "small-plan.toml")
    assert [layer.name for layer in Plan.load(told["plan"]).layers] == ["dense0", "dense1"]
    assert main([*command, "--name", "other"]) == 0
    assert load(out).name == "other"
    assert "original folding" in capsys.readouterr().out
    assert main(["import", "bnn-pynq", str(tmp_path / "no"), "--topology", "lfc", "--out", str(out)]) == 2
    assert "no such folder of parameters" in capsys.readouterr().err
