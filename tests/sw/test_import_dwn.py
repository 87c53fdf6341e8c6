"""torch-dwn's models: state dicts as it writes them, computed as its kernels compute them; and what does not fit."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import bitwright as bw
from bitwright.cli import main
from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import load


def model(rng, values=6, levels=2, neurons=(12, 8), n=3):
    """A state dict: the first mapping learned, the second fixed."""
    lanes = values * levels
    return {
        "0.luts": rng.uniform(-1, 1, (neurons[0], 1 << n)).astype(np.float32),
        "0.mapping.weights": rng.random((lanes, neurons[0] * n)).astype(np.float32),
        "0._LUTLayer__dummy_mapping": np.arange(neurons[0] * n, dtype=np.int32).reshape(neurons[0], n),
        "1.luts": rng.uniform(-1, 1, (neurons[1], 1 << n)).astype(np.float32),
        "1.mapping": rng.integers(0, neurons[0], (neurons[1], n)).astype(np.int32),
    }


def counted(state, frame, thresholds, classes):
    """What torch-dwn computes for a frame, one table at a time."""
    bits = [int(value >= t) for value in frame for t in thresholds]
    chosen = state["0.mapping.weights"].argmax(0)
    bits = [bits[lane] for lane in chosen]
    for k in (0, 1):
        luts = state[f"{k}.luts"]
        mapping = state["0._LUTLayer__dummy_mapping"] if k == 0 else state["1.mapping"]
        bits = [int(luts[j, sum(bits[wire] << b for b, wire in enumerate(mapping[j]))] > 0) for j in range(len(luts))]
    size = -(-len(bits) // classes)
    return [sum(bits[c * size : (c + 1) * size]) for c in range(classes)]


@pytest.mark.parametrize("form", ["safetensors", "npz"])
@pytest.mark.parametrize("classes", [4, 3])
def test_a_state_dict_computes_the_same(form, classes, tmp_path):
    rng = np.random.default_rng(classes)
    state, path = model(rng), tmp_path / f"My-model.{form}"
    if form == "npz":
        np.savez(path, **state)
    else:
        save_file(state, path)
    network = bw.import_dwn(path, classes=classes, thresholds=(70, 180))
    assert network.name == "my_model" and network.input.shape == (6,)
    frames = rng.integers(0, 256, (50, 6))
    wanted = [counted(state, frame, (70, 180), classes) for frame in frames]
    assert golden.outputs(network, frames).tolist() == wanted


def test_indices_tables_and_thresholds_of_a_file(tmp_path):
    rng = np.random.default_rng(1)
    tables, indices = rng.integers(0, 2, (4, 4)), rng.integers(0, 6, (4, 2))
    np.savez(tmp_path / "a.npz", tables=tables, indices=indices, thresholds=np.array([[10], [20], [30], [1], [2], [3]]))
    network = bw.import_dwn(tmp_path / "a.npz", classes=2, name="mine")
    assert (network.layers[0].wires == indices).all() and (network.layers[0].tables == tables).all()
    assert network.encoding.rows.tolist() == [[10], [20], [30], [1], [2], [3]]


def test_the_command(tmp_path, capsys):
    save_file(model(np.random.default_rng(0)), tmp_path / "m.safetensors")
    arguments = [
        "import",
        "dwn",
        str(tmp_path / "m.safetensors"),
        "--classes",
        "4",
        "--out",
        str(tmp_path / "n.safetensors"),
    ]
    assert main([*arguments, "--thresholds", "70,180", "--shape", "2x3", "--json"]) == 0
    assert load(tmp_path / "n.safetensors").input.shape == (2, 3)
    assert main(arguments) == 2
    assert "has no thresholds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"1.mapping": None}, r"layer 1: 8 neurons of 3 inputs need a mapping of as many, not none"),
        ({"1.mapping": np.full((8, 3), 12, np.int32)}, r"wires must lie in 0\.\.11"),
        ({"0.luts": np.zeros((12, 128), np.float32)}, r"n from 1 to 6, not \(12, 128\)"),
        ({"0.luts": np.full((12, 8), np.nan, np.float32)}, "NaN"),
        ({"0.luts": None, "1.luts": None}, "has no layer of tables"),
    ],
)
def test_what_does_not_fit_is_named(change, message, tmp_path):
    state = {key: array for key, array in (model(np.random.default_rng(0)) | change).items() if array is not None}
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(NetworkError, match=message):
        bw.import_dwn(tmp_path / "m.safetensors", classes=4, thresholds=(70, 180))


def test_a_pickle_is_not_opened(tmp_path):
    (tmp_path / "m.pt").write_bytes(b"x")
    with pytest.raises(NetworkError, match=r"must be a \.safetensors file or an \.npz"):
        bw.import_dwn(tmp_path / "m.pt", classes=4, thresholds=(1,))
