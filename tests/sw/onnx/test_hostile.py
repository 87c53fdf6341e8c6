"""Damaged, huge and hostile files: a clear error, quickly, and nothing read or run that should not be."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core.errors import BitwrightError
from bitwright_onnx import OnnxError, Options, import_onnx

from .graphs import random_dense
from .mutations import damaged_bytes, damaged_graph, seeds


def attempt(path, content):
    """Whether the import succeeds; only a BitwrightError, and soon, is a failure that users may see."""
    path.write_bytes(content)
    started = time.perf_counter()
    try:
        import_onnx(path, Options(input_range=(0, 255)))
        worked = True
    except BitwrightError as error:
        assert str(error).isprintable()
        assert len(str(error)) > 10
        worked = False
    assert time.perf_counter() - started < 20
    return worked


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["bytes", "graph"])
def test_mutated_files_give_clear_errors_only(tmp_path, count, way):
    rng = np.random.default_rng([count, len(way)])
    models = seeds()
    contents = [model.SerializeToString() for model in models]
    worked = 0
    for index in range(count):
        which = index % len(models)
        made = damaged_bytes(rng, contents[which]) if way == "bytes" else damaged_graph(rng, models[which])
        worked += attempt(tmp_path / "m.onnx", made)
    assert worked < count  # some changes do no harm, but never all


def test_the_seeds_are_sound(tmp_path):
    assert all(attempt(tmp_path / "m.onnx", model.SerializeToString()) for model in seeds())


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"hello, this is no model\n", b"\x08\x07", b"\xff" * 4096])
def test_what_is_no_onnx_file(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(OnnxError, match="not an ONNX file"):
        import_onnx(tmp_path / "x.onnx")


def test_a_missing_file(tmp_path):
    with pytest.raises(OnnxError, match="no such ONNX file"):
        import_onnx(tmp_path / "none.onnx")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    file = tmp_path / "big.onnx"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    with pytest.raises(OnnxError, match="larger than 512 MiB"):
        import_onnx(file)


@pytest.fixture
def model():
    return random_dense(0, "standard")[0]


def save(tmp_path, model):
    file = tmp_path / "m.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def external(tensor, location, **more):
    """Makes `tensor` one whose data lie in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "..", "link"])
def test_external_data_never_leave_the_folder(tmp_path, model, location):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(1 << 16))
    (folder / "link").symlink_to(tmp_path / "secret")
    external(model.graph.initializer[0], location)
    with pytest.raises(OnnxError, match=r"its data lie in .*(outside|no file of) the model's folder"):
        import_onnx(save(folder, model), Options(input_range=(0, 255)))


def test_external_data_beside_the_model_are_read(tmp_path, model):
    file = save(tmp_path, model)
    span = random_dense(0, "standard")[1]
    expected = import_onnx(file, Options(input_range=span)).network
    content = b""
    for tensor in model.graph.initializer:
        data = tensor.raw_data
        if data:
            external(tensor, "weights.bin", offset=len(content), length=len(data))
            content += data
    (tmp_path / "weights.bin").write_bytes(content)
    assert import_onnx(save(tmp_path, model), Options(input_range=span)).network == expected
    (tmp_path / "weights.bin").write_bytes(content[:-1])
    with pytest.raises(OnnxError, match="does not hold its"):
        import_onnx(save(tmp_path, model), Options(input_range=span))


def test_a_tensor_that_claims_to_be_huge(tmp_path, model):
    for dims in ((1 << 40, 4), (1 << 62, 1 << 62), (-1, 4)):
        model.graph.initializer[0].dims[:] = dims
        with pytest.raises(OnnxError, match=r"larger than any binary network's|negative size"):
            import_onnx(save(tmp_path, model))


def test_a_constant_that_would_grow_huge(tmp_path):
    big = numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["c"], name="fill"),
        helper.make_node("Add", ["x", "c"], ["y"], name="add"),
    ]
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph(nodes, "g", [info], [helper.make_empty_tensor_value_info("y")], [big])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with pytest.raises(OnnxError, match=r"node fill .ConstantOfShape.: .*no shape of a binary network"):
        import_onnx(save(tmp_path, model))


def test_a_graph_of_too_many_nodes(tmp_path):
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(20_001)]
    info = helper.make_tensor_value_info("v0", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph(nodes, "g", [info], [helper.make_empty_tensor_value_info("v20001")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with pytest.raises(OnnxError, match="20001 nodes are more"):
        import_onnx(save(tmp_path, model))
    del model.graph.node[1000:]
    model.graph.output[0].name = "v1000"
    with pytest.raises(OnnxError, match="more than 256 elementwise operations"):
        import_onnx(save(tmp_path, model))


def test_nothing_is_made_of_control_flow(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])], "i", [], [helper.make_empty_tensor_value_info("b")]
    )
    nodes = [helper.make_node("If", ["x"], ["y"], name="branch", then_branch=inner, else_branch=inner)]
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph(nodes, "g", [info], [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with pytest.raises(OnnxError, match=r"node branch .If.: it holds a graph of its own"):
        import_onnx(save(tmp_path, model))


def test_odd_metadata_tell_nothing(tmp_path, model):
    file = save(tmp_path, model)
    span = random_dense(0, "standard")[1]
    expected = import_onnx(file, Options(input_range=span)).network
    for text in ("{", "[]", '{"name": 3, "input_bits": true, "labels": [1], "layers": 7}', "[" * 100_000):
        onnx.helper.set_model_props(model, {"bitwright": text})
        assert import_onnx(save(tmp_path, model), Options(input_range=span)).network == expected
