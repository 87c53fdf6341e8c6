"""Export and import: the same Network comes back, and runtimes compute the golden model's integers."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import IntegerEncoding, Network, NumberType
from bitwright_onnx import export_onnx, import_onnx
from bitwright_onnx.exporter import to_model

from ..conv_networks import random_conv_network
from ..networks import random_frames, random_network
from .graphs import reference


def networks() -> dict[str, Network]:
    found = {
        "dense": random_network(1),
        "flat": random_network(2, shape=(11,), bits=8, levels=1, hidden=(6,)),
        "many_levels": random_network(3, shape=(2, 3, 2), bits=6, levels=9),
        "bits": random_network(4, classes=None),
        "one_layer": random_network(5, hidden=()),
        "labelled": random_network(6, labels=("cat", "dog", "über")),
        "wide_input": random_network(7, bits=11, levels=3),
        "votes": random_conv_network(8, votes=True, classes=4),
        "conv_bits": random_conv_network(9, classes=0, dense=()),
    }
    for seed in range(8):
        found[f"conv{seed}"] = random_conv_network(seed, convs=1 + seed % 3, integers=seed % 2 == 1)
    for rows in ("channel", "value"):
        for integers in (False, True):
            found[f"{rows}_{integers}"] = random_conv_network(3, integers=integers, rows=rows)
    return found


NETWORKS = networks()


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
@pytest.mark.parametrize("name", NETWORKS)
def test_import_of_an_export_is_the_network(tmp_path, name, dialect):
    network = NETWORKS[name]
    export_onnx(network, tmp_path / "n.onnx", dialect=dialect)
    found = import_onnx(tmp_path / "n.onnx")
    assert found.network == network and found.network.digest == network.digest
    assert found.network.labels == network.labels and not found.notes


@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
@pytest.mark.parametrize("name", NETWORKS)
def test_runtimes_compute_the_golden_models_integers(name, dialect):
    network = NETWORKS[name]
    frames = random_frames(network, 60).astype(np.uint8 if network.input.bits <= 8 else np.uint16)
    got = reference(to_model(network, dialect=dialect), frames).reshape(len(frames), -1)
    expected = golden.outputs(network, frames).reshape(len(frames), -1)
    if network.is_classifier:
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_array_equal(got, 2.0 * expected - 1)


def test_scores_beyond_float32_come_back(tmp_path):
    network = random_network(1)
    last = network.layers[-1]
    scores = type(last.output)(scale=last.output.scale + (1 << 40), offset=last.output.offset - (1 << 50))
    big = type(network)(
        name="big",
        input=network.input,
        encoding=network.encoding,
        layers=(*network.layers[:-1], type(last)(name="last", weights=last.weights, output=scores)),
    )
    export_onnx(big, tmp_path / "n.onnx")
    assert import_onnx(tmp_path / "n.onnx").network == big
    frames = random_frames(big, 20).astype(np.uint8)
    np.testing.assert_array_equal(reference(to_model(big), frames), golden.outputs(big, frames))


@pytest.mark.parametrize("rows", ["channel", "value"])
@pytest.mark.parametrize("integers", [False, True])
def test_flat_rows_come_back(tmp_path, rows, integers):
    network = random_conv_network(2, shape=(3, 2, 2), convs=0, pools=False, integers=integers, rows=rows)
    export_onnx(network, tmp_path / "n.onnx")
    assert import_onnx(tmp_path / "n.onnx").network == network
    frames = random_frames(network, 40).astype(np.uint8)
    np.testing.assert_array_equal(reference(to_model(network), frames), golden.outputs(network, frames))


def test_sums_beyond_float32_are_refused(tmp_path):
    network = random_conv_network(2, integers=True, rows="channel")
    wide = type(network)(
        name="wide",
        input=network.input,
        encoding=IntegerEncoding(table=network.encoding.table << 20),
        layers=(replace(network.layers[0], takes=NumberType(kind="signed", bits=26)), *network.layers[1:]),
    )
    with pytest.raises(NetworkError, match=r"sums of up to [0-9,]+, which float32 does not hold exactly"):
        export_onnx(wide, tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_the_standard_dialect_has_standard_operators_alone():
    model = to_model(NETWORKS["conv1"])
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in to_model(NETWORKS["conv1"], dialect="qonnx").graph.node} >= {"BipolarQuant"}


def test_equal_networks_give_equal_bytes(tmp_path):
    export_onnx(random_network(1), tmp_path / "a.onnx")
    export_onnx(random_network(1), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_another_dialect_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no ONNX dialect 'caffe'"):
        export_onnx(random_network(1), tmp_path / "a.onnx", dialect="caffe")
    assert not (tmp_path / "a.onnx").exists()


def test_a_changed_weight_is_another_network(tmp_path):
    model = to_model(random_network(1))
    tensor = next(t for t in model.graph.initializer if t.name == "layer0_weights")
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[0, 0] *= -1
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    changed = import_onnx(tmp_path / "n.onnx").network
    assert changed.digest != random_network(1).digest
    assert (changed.layers[0].weights != random_network(1).layers[0].weights).sum() == 1
