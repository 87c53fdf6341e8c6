"""Each rewrite of the intermediate form by itself: what it makes of a small graph, and what it keeps."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_onnx.canonical import canonical
from bitwright_onnx.constants import fold_constants
from bitwright_onnx.expression import evaluate
from bitwright_onnx.form import Graph, OnnxNode, check
from bitwright_onnx.heads import prune, strip_heads
from bitwright_onnx.linear import not_binary, split_linear, weight_rows
from bitwright_onnx.pads import absorb_pads
from bitwright_onnx.pointwise import lift_pointwise
from bitwright_onnx.ranges import Scaling, scale_input
from bitwright_onnx.reader import operator, to_graph
from bitwright_onnx.refusals import OnnxError
from bitwright_onnx.survey import survey


def graph_of(nodes, shape=(4,), outputs=("y",), opset=13, batch="N", **constants):
    """The intermediate form of ONNX nodes given as (operator, inputs, outputs, attributes)."""
    made = [
        helper.make_node(op, inputs.split(), out.split(), name=f"n_{out.split()[0]}", **attributes)
        for op, inputs, out, attributes in nodes
    ]
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])
    tensors = [
        numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.asarray(value, np.float32), name)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(
        made, "g", [info], [helper.make_empty_tensor_value_info(name) for name in outputs], tensors
    )
    return to_graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))


def ops(graph):
    return [node.op for node in graph.nodes]


def view_of(graph):
    """The one view that a lifted graph of elementwise and layout operators ends as."""
    (node,) = graph.nodes
    assert node.op == "Pointwise"
    return node.attributes["view"]


def test_canonical_moves_attributes_into_inputs():
    old = graph_of(
        [("Clip", "x", "c", {"min": -1.0, "max": 1.0}), ("Squeeze", "c", "y", {"axes": [1]})], (1, 4), opset=9
    )
    new = canonical(old)
    assert [len(node.inputs) for node in new.nodes] == [3, 2]
    assert [new.constants[name].tolist() for name in new.nodes[0].inputs[1:]] == [-1, 1]
    assert new.constants[new.nodes[1].inputs[1]].tolist() == [1]
    assert old.nodes[0].inputs == ("x",)  # the graph that it was made from stays


def test_canonical_takes_constants_identities_and_dropout_out():
    new = canonical(
        graph_of(
            [
                ("Constant", "", "c", {"value_float": 2.5}),
                ("Identity", "x", "i", {}),
                ("Dropout", "i", "d", {}),
                ("Mul", "d c", "y", {}),
            ]
        )
    )
    assert ops(new) == ["Mul"] and new.nodes[0].inputs[0] == "x"
    assert new.constants[new.nodes[0].inputs[1]] == np.float32(2.5)


def test_an_output_behind_an_identity():
    new = canonical(graph_of([("Relu", "x", "r", {}), ("Identity", "r", "y", {})]))
    assert ops(new) == ["Relu"] and new.outputs == ("r",)


def test_fold_constants_binarises_latent_weights():
    latent = np.array([[0.3, -0.2], [-1.0, 0.1]], np.float32)
    new = fold_constants(graph_of([("Sign", "w", "s", {}), ("MatMul", "x s", "y", {})], (2,), w=latent))
    assert ops(new) == ["MatMul"] and new.shapes["y"] == (1, 2)
    np.testing.assert_array_equal(new.constants["s"], np.sign(latent))


def test_fold_constants_resolves_dynamic_heads():
    nodes = [
        ("Shape", "x", "s", {}),
        ("Gather", "s zero", "n", {"axis": 0}),
        ("Unsqueeze", "n at", "u", {}),
        ("Concat", "u rest", "shape", {"axis": 0}),
        ("Reshape", "x shape", "y", {}),
    ]
    integer = {"zero": np.array(0, np.int64), "at": np.array([0], np.int64), "rest": np.array([-1], np.int64)}
    new = fold_constants(graph_of(nodes, (3, 2), **integer))
    assert ops(new) == ["Reshape"] and new.shapes["y"] == (1, 6)
    assert new.constants["shape"].tolist() == [1, -1]


def test_a_declared_batch_is_no_size():
    graph = graph_of([("Reshape", "x r", "y", {})], (3, 2), batch=64, r=np.array([64, 6], np.int64))
    assert fold_constants(graph).shapes["y"] == (1, 6)


@pytest.mark.parametrize("transposed", [0, 1])
def test_split_linear_takes_gemm_apart(transposed):
    w = np.arange(12, dtype=np.float32).reshape((3, 4) if transposed else (4, 3))
    graph = graph_of(
        [("Gemm", "x w b", "y", {"transB": transposed, "alpha": 0.5, "beta": 2.0})], w=w, b=[1.0, 2.0, 3.0]
    )
    new = check(split_linear(fold_constants(graph)))
    assert ops(new) == ["MatMul", "Mul", "Add"] and new.outputs == ("y",)
    np.testing.assert_array_equal(new.constants[new.nodes[0].inputs[1]], w.T if transposed else w)
    assert new.constants[new.nodes[1].inputs[1]] == 0.5
    assert new.constants[new.nodes[2].inputs[1]].tolist() == [2, 4, 6]
    assert all(new.shapes[node.output] == (1, 3) for node in new.nodes)


def test_split_linear_takes_the_bias_of_a_convolution():
    graph = graph_of([("Conv", "x w b", "y", {})], (2, 5, 5), w=np.ones((3, 2, 3, 3), np.float32), b=[1.0, 2.0, 3.0])
    new = split_linear(fold_constants(graph))
    assert ops(new) == ["Conv", "Add"]
    assert new.constants[new.nodes[1].inputs[1]].shape == (3, 1, 1)


def test_weight_rows_run_channel_fastest():
    weights = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2)  # (outputs, channels, ky, kx)
    rows = weight_rows(OnnxNode(name="c", op="Conv", inputs=(), outputs=("y",)), weights)
    assert rows[1].tolist() == [weights[1, c, y, x] for y in range(2) for x in range(2) for c in range(3)]


def test_not_binary():
    assert not_binary(np.array([[0.5, -0.5], [2, 2]], np.float32)) is None
    assert "output 1 has 2 values (1, 2)" in not_binary(np.array([[1, -1], [1, 2]], np.float32))
    assert "NaN" in not_binary(np.array([[np.nan, 1]], np.float32))


@pytest.mark.parametrize(
    "nodes",
    [
        [("Softmax", "s", "p", {"axis": 1}), ("ArgMax", "p", "y", {"axis": 1})],
        [("TopK", "s k", "v y", {"axis": 1})],
        [("Sigmoid", "s", "y", {})],
        [("ArgMax", "s", "c", {"axis": -1}), ("Cast", "c", "d", {"to": 6}), ("Reshape", "d r", "y", {})],
    ],
)
def test_strip_heads(nodes):
    k, r = np.array([1], np.int64), np.array([-1], np.int64)
    graph = fold_constants(canonical(graph_of([("Relu", "x", "s", {}), *nodes], k=k, r=r)))
    new = strip_heads(graph)
    assert ops(new) == ["Relu"] and new.outputs == ("s",)


def test_prune_takes_what_no_output_needs():
    graph = graph_of([("Relu", "x", "a", {}), ("Relu", "x", "y", {}), ("Neg", "a", "b", {})])
    assert [node.output for node in prune(graph).nodes] == ["y"]


def test_absorb_pads_before_a_convolution():
    pads = np.array([0, 0, 1, 2, 0, 0, 3, 4], np.int64)
    graph = fold_constants(
        graph_of(
            [("Pad", "x p v", "a", {}), ("Conv", "a w", "y", {})], (2, 5, 5), p=pads, v=-1.0, w=np.ones((1, 2, 3, 3))
        )
    )
    new = check(absorb_pads(graph))
    assert ops(new) == ["Conv"] and new.nodes[0].inputs[0] == "x"
    assert new.nodes[0].attributes["around"] == (1, 2, 3, 4) and new.nodes[0].attributes["around_value"] == (-1,)


def test_absorb_pads_through_a_transpose():
    pads = np.array([0, 1, 2, 0, 0, 3, 4, 0], np.int64)
    nodes = [
        ("Pad", "x p", "a", {}),
        ("Transpose", "a", "t", {"perm": [0, 3, 1, 2]}),
        ("Conv", "t w", "y", {}),
    ]
    new = absorb_pads(fold_constants(graph_of(nodes, (5, 5, 2), p=pads, w=np.ones((1, 2, 3, 3)))))
    assert ops(new) == ["Transpose", "Conv"]
    assert new.nodes[1].attributes["around"] == (1, 2, 3, 4)
    assert new.shapes["t"] == (1, 2, 5, 5)


def test_lift_makes_one_expression_of_forks_and_joins():
    nodes = [
        ("Sign", "x", "s", {}),
        ("Equal", "x z", "e", {}),
        ("Where", "e o s", "y", {}),
    ]
    view = view_of(check(lift_pointwise(fold_constants(graph_of(nodes, z=0.0, o=1.0)))))
    assert view.source == "x" and view.index is None
    table = evaluate(view.expression, np.array([[-2.0], [0.0], [3.0]], np.float32))
    assert table[:, 0].tolist() == [-1, 1, 1]


def test_lift_moves_constants_with_the_layout():
    nodes = [
        ("Add", "x c", "a", {}),
        ("Transpose", "a", "t", {"perm": [0, 2, 1]}),
        ("Flatten", "t", "y", {}),
    ]
    constant = np.arange(6, dtype=np.float32).reshape(2, 3)
    view = view_of(lift_pointwise(fold_constants(graph_of(nodes, (2, 3), c=constant))))
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    expected = (x + constant).transpose(0, 2, 1).reshape(5, 6)
    np.testing.assert_array_equal(evaluate(view.expression, x.reshape(5, 6)[:, view.index]), expected)


def test_lift_repeats_values_that_a_constant_spreads():
    nodes = [("Unsqueeze", "x at", "u", {}), ("Sub", "u t", "s", {}), ("Reshape", "s r", "y", {})]
    constants = {"at": np.array([2], np.int64), "t": [10.0, 20.0], "r": np.array([0, 6], np.int64)}
    view = view_of(lift_pointwise(fold_constants(graph_of(nodes, (3,), **constants))))
    assert view.index.tolist() == [0, 0, 1, 1, 2, 2]
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    assert evaluate(view.expression, x[:, view.index]).tolist() == [[-9, -19, -8, -18, -7, -17]]


def test_lift_refuses_what_joins_places():
    nodes = [("Transpose", "x", "t", {"perm": [0, 2, 1]}), ("Mul", "x t", "y", {})]
    with pytest.raises(OnnxError, match="joins values of different places"):
        lift_pointwise(fold_constants(graph_of(nodes, (2, 2))))


def test_scale_input_computes_as_torchvision_does():
    graph = fold_constants(graph_of([("Relu", "x", "y", {})], (3, 2, 2)))
    mean, std = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)
    scaled = check(scale_input(graph, Scaling(low=0.0, high=1.0, mean=mean, std=std), 8, 0))
    assert ops(scaled) == ["Div", "Sub", "Div", "Relu"] and scaled.nodes[-1].inputs == ("x",)
    view = view_of(lift_pointwise(scaled))
    raw = np.arange(256, dtype=np.float32)
    table = evaluate(view.expression, raw.reshape(-1, 1, 1, 1))
    f = np.float32
    for channel in range(3):
        expected = np.maximum((raw / f(255) - f(mean[channel])) / f(std[channel]), 0)
        np.testing.assert_array_equal(table[:, channel, 0, 0], expected)


def test_scale_input_leaves_raw_values_alone():
    graph = graph_of([("Relu", "x", "y", {})])
    assert scale_input(graph, Scaling(low=0.0, high=255.0), 8, 0) is graph


def test_the_survey_of_a_sound_graph_is_empty():
    graph = fold_constants(graph_of([("MatMul", "x w", "s", {}), ("Relu", "s", "y", {})], w=np.ones((4, 2))))
    assert survey(graph) == []


def test_chain_runs_from_the_input_to_the_output():
    graph = fold_constants(graph_of([("MatMul", "x w", "s", {}), ("Relu", "s", "y", {})], w=np.ones((4, 2))))
    assert [node.op for node in lift_pointwise(graph).nodes] == ["MatMul", "Pointwise"]


def test_check_finds_what_is_not_well_formed():
    def graph(nodes, **changes):
        facts = {
            "constants": {},
            "shapes": {"x": (1, 2)},
            "input": "x",
            "input_dtype": np.dtype("f4"),
            "outputs": ("y",),
        }
        return Graph(nodes=tuple(nodes), **{**facts, **changes})

    relu = OnnxNode(name="n", op="Relu", inputs=("x",), outputs=("y",))
    assert check(graph([relu]))
    with pytest.raises(OnnxError, match="value y is made twice"):
        check(graph([relu, relu]))
    with pytest.raises(OnnxError, match="its input z is not made by any node before it"):
        check(graph([OnnxNode(name="n", op="Relu", inputs=("z",), outputs=("y",))]))
    with pytest.raises(OnnxError, match="output y is not made"):
        check(graph([]))
    with pytest.raises(OnnxError, match="is a constant"):
        check(graph([relu], constants={"x": np.zeros(2)}))
    with pytest.raises(OnnxError, match="which is not a frame's"):
        check(graph([relu], shapes={"x": (3, 2)}))


@pytest.mark.parametrize("domain", ["", "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn"])
def test_quantizers_of_all_domains_are_one(domain):
    assert operator("BipolarQuant", domain) == "BipolarQuant"
    assert operator("MultiThreshold", domain) == "MultiThreshold"
    assert operator("IntQuant", domain) == operator("Quant", domain) == "Quant"
    assert operator("Sub", domain) == ("Sub" if not domain else f"{domain}.Sub")
