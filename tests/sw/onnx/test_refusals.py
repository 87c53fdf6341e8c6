"""What cannot be imported is named: node, operator and reason, and all such nodes at once."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core.errors import BitwrightError
from bitwright_onnx import OnnxError, Options, import_onnx
from bitwright_onnx.names import Names

RNG = np.random.default_rng(5)


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1, 1).astype(np.float32)


def node(op, inputs, output, **attributes):
    domain = "qonnx.custom_op.general" if op in ("BipolarQuant", "Quant", "MultiThreshold") else ""
    return helper.make_node(op, inputs.split(), [output], name=f"the_{output}", domain=domain, **attributes)


CONSTANTS = {
    "half": 0.5,
    "zero": 0.0,
    "one": 1.0,
    "minus": -1.0,
    "four": 4.0,
    "w8": signs(8, 6),
    "w6": signs(6, 3),
    "wf": RNG.normal(size=(8, 6)),
    "square": np.sin(np.arange(64)).reshape(8, 8),
    "zeros": np.zeros((8, 6)),
    "nine": 9.0,
    "wc": signs(4, 2, 3, 3),
    "wg": signs(4, 1, 3, 3),
    "wd": np.ones((2, 4, 3, 3)),
    "third": 0.1414213,
    "bits9": np.sort(RNG.normal(size=(6, 300)), axis=1),
    "steps": np.sqrt(np.arange(2, 8)),
    "nan": np.full(6, np.nan),
    "nans": np.full((8, 6), np.nan),
}


def attempt(tmp_path, nodes, shape=(8,), batch="N", opset=13, output=None, **options):
    """Imports a graph of `nodes`, whose first value is x and whose last output is the graph's."""
    info = helper.make_tensor_value_info("x", options.pop("kind", TensorProto.FLOAT), [batch, *shape])
    outputs = output or [nodes[-1].output[0]]
    constants = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in CONSTANTS.items()]
    constants.append(numpy_helper.from_array(np.array([0, -1], np.int64), "rows"))
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "k"))
    constants.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads"))
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [info],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [c for c in constants if c.name in used],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("qonnx.custom_op.general", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return import_onnx(tmp_path / "m.onnx", Options(**{"input_range": (0, 1), **options}))


ENCODE = [node("Sub", "x half", "centred"), node("BipolarQuant", "centred one", "bits")]
FIRST = [*ENCODE, node("MatMul", "bits w8", "sums")]
SIGN = [node("BipolarQuant", "sums one", "hidden")]
LAST = [node("MatMul", "hidden w6", "scores")]
IMAGE = {"shape": (2, 8, 8)}

REFUSED = {
    "unsupported operator": ([*FIRST, node("LSTM", "sums", "y")], r"node the_y \(LSTM\): this operator is not supp"),
    "custom domain": (
        [*FIRST, helper.make_node("Sub", ["sums", "one"], ["y"], name="the_y", domain="my.ops")],
        r"node the_y \(my.ops.Sub\): this operator is not supported",
    ),
    "float weights": (
        [*ENCODE, node("MatMul", "bits wf", "y")],
        r"node the_y \(MatMul\): float weights: output 0 has 8 values \(.*binarise them with BipolarQuant",
    ),
    "zero weights": ([*ENCODE, node("MatMul", "bits zeros", "y")], r"the_y \(MatMul\): all its weights are 0"),
    "sign of zero weights": (
        [*ENCODE, node("Sign", "zeros", "w"), node("MatMul", "bits w", "y")],
        r"the_y \(MatMul\): all its weights are 0",
    ),
    "a product of branches": (
        [*FIRST, *SIGN, node("MatMul", "bits w8", "other"), node("Mul", "hidden other", "y"), node("Relu", "y", "z")],
        r"node the_y \(Mul\): it joins two branches; only their sum",
    ),
    "steps without a common unit": (
        [
            *FIRST,
            *SIGN,
            node("Mul", "hidden third", "branch"),
            node("MatMul", "bits w8", "other"),
            node("Add", "branch other", "sum"),
            node("BipolarQuant", "sum one", "q"),
            node("MatMul", "q w6", "y"),
        ],
        r"node the_sum \(Add\): it adds values in steps of 0.141421 and 1, that no whole numbers of one unit make up",
    ),
    "a concatenation along another axis": (
        [*FIRST, node("MatMul", "bits w8", "other"), node("Concat", "sums other", "y", axis=0)],
        r"node the_y \(Concat\): it joins values of .* along axis 0",
    ),
    "nine-bit activations": (
        [*FIRST, node("Quant", "sums one zero nine", "y", signed=1, narrow=0), node("MatMul", "y w6", "z")],
        r"node the_y \(Quant\): it quantizes activations to 9 bits; at most 8",
    ),
    "nine-bit weights": (
        [*ENCODE, node("Quant", "wf half zero nine", "w"), node("MatMul", "bits w", "y")],
        r"node the_w \(Quant\): it quantizes weights to 9 bits; at most 8",
    ),
    "multi-threshold of 300 levels": (
        [*FIRST, node("MultiThreshold", "sums bits9", "y", out_dtype="UINT16"), node("MatMul", "y w6", "z")],
        r"node the_y \(MultiThreshold\): it quantizes activations to 9 bits",
    ),
    "activations of uneven values": (
        [*FIRST, node("Relu", "sums", "r"), node("Sqrt", "r", "hidden"), *LAST],
        r"node the_sums \(MatMul\): its activations take 5 values \(0, 1.41421, 2, 2.44949, ...\) that are not whole",
    ),
    "a last layer of several values": (
        [*FIRST, node("Sign", "sums", "y")],
        r"node the_sums \(MatMul\): the activation of output 0 is 0, neither -1 nor \+1, at popcount 4 of 8",
    ),
    "an activation that is not monotone": (
        [*FIRST, node("Abs", "sums", "a"), node("Sub", "a four", "b"), node("BipolarQuant", "b one", "hidden"), *LAST],
        r"node the_sums \(MatMul\): the activation of output 0 is not monotone",
    ),
    "steps of different sizes": (
        [*FIRST, *SIGN, node("Mul", "hidden steps", "scaled"), node("MatMul", "scaled w6", "scores")],
        r"node the_scores \(MatMul\): its inputs have steps of different sizes",
    ),
    "weights that are NaN": ([*ENCODE, node("MatMul", "bits nans", "y")], r"the_y \(MatMul\): its weights hold NaN"),
    "activations that are NaN": (
        [*FIRST, node("Add", "sums nan", "n"), node("Clip", "n minus one", "hidden"), *LAST],
        r"node the_sums \(MatMul\): the activation of output 0 is NaN",
    ),
    "scores that are NaN": ([*FIRST, node("Add", "sums nan", "y")], r"the_sums \(MatMul\): .*class scores .*NaN"),
    "scores that are not monotone": ([*FIRST, node("Abs", "sums", "y")], r"the_sums \(MatMul\): .*decrease"),
    "an input without effect": (
        [node("BipolarQuant", "x one", "bits"), node("MatMul", "bits w8", "y")],
        r"node the_y \(MatMul\): no input value makes a difference .*--input-range",
    ),
    "training mode": (
        [*FIRST, node("BatchNormalization", "sums steps steps steps steps", "y", training_mode=1)],
        r"node the_y \(BatchNormalization\): it is in training mode",
    ),
    "too few inputs": ([*FIRST, node("Add", "sums", "y")], r"node the_y \(Add\): it has 1 inputs, not 2"),
    "weights that are computed": ([*ENCODE, node("MatMul", "bits bits", "y")], r"the_y \(MatMul\): "),
    "weights first": ([*ENCODE, node("MatMul", "w8 bits", "y")], r"node the_y \(MatMul\): "),
    "the smallest itself": (
        [*FIRST, helper.make_node("TopK", ["sums", "k"], ["v", "y"], name="the_y", largest=0)],
        r"node the_y \(TopK\): the graph gives the smallest score and not its place",
    ),
    "the last": ([*FIRST, node("ArgMax", "sums", "y", axis=1, select_last_index=1)], r"it chooses the last of the"),
    "argmax of frames": ([*FIRST, node("ArgMax", "sums", "y", axis=0)], r"node the_y \(ArgMax\): it chooses along"),
    "layers behind softmax": (
        [*FIRST, node("Softmax", "sums", "p"), node("MatMul", "p w6", "y")],
        r"node the_p \(Softmax\): it is followed by further layers",
    ),
    "no layer": (ENCODE, "the graph has no layer"),
    "frames are mixed": (
        [node("Reshape", "x rows", "r"), node("Transpose", "r", "t", perm=[1, 0])],
        r"node the_t \(Transpose\): its result of shape \[8, 1\] mixes frames",
    ),
    "transA": ([*ENCODE, node("Gemm", "bits w8", "y", transA=1)], r"node the_y \(Gemm\): "),
    "unknown rounding": (
        [*FIRST, node("Quant", "sums one zero one", "y", rounding_mode="COIN")],
        r"node the_y \(Quant\): rounding mode 'COIN' is not known",
    ),
}
IMAGES = {
    "groups": (
        [*ENCODE, node("Conv", "bits wg", "y", group=3)],
        r"node the_y \(Conv\): group 3 divides not both",
    ),
    "dilations": (
        [*ENCODE, node("Conv", "bits wc", "y", dilations=[2, 0])],
        r"node the_y \(Conv\): dilations \[2, 0\] do not fit",
    ),
    "auto_pad": (
        [*ENCODE, node("Conv", "bits wc", "y", auto_pad="SOMEHOW")],
        r"node the_y \(Conv\): auto_pad SOMEHOW is not known",
    ),
    "reflected pads": (
        [*ENCODE, node("Pad", "bits pads", "p", mode="reflect"), node("Conv", "p wc", "y")],
        r"node the_p \(Pad\): mode reflect",
    ),
    "pads of another value": (
        [
            *ENCODE,
            node("Conv", "bits wc", "c"),
            node("BipolarQuant", "c one", "b"),
            node("Pad", "b pads half", "p"),
            node("Conv", "p wd", "y"),
        ],
        r"node the_y \(Conv\): it is padded with 0.5, which values between -1 and 1 have no bit for",
    ),
    "a pad without convolution": (
        [*ENCODE, node("Pad", "bits pads", "p"), node("Relu", "p", "y")],
        r"node the_p \(Pad\): only height and width can be padded",
    ),
    "average pool": (
        [*ENCODE, node("Conv", "bits wc", "c"), node("AveragePool", "c", "y", kernel_shape=[2, 2], pads=[1, 1, 1, 1])],
        r"node the_y \(AveragePool\): an average pool with padding is not supported",
    ),
    "ceil_mode": (
        [*ENCODE, node("Conv", "bits wc", "c"), node("MaxPool", "c", "y", kernel_shape=[2, 2], ceil_mode=1)],
        r"node the_y \(MaxPool\): ceil_mode",
    ),
    "bits turned round behind a pool": (
        [
            *ENCODE,
            node("Conv", "bits wc", "c"),
            node("BipolarQuant", "c one", "b"),
            node("MaxPool", "b", "p", kernel_shape=[2, 2]),
            node("Mul", "p minus", "y"),
        ],
        r"the bits that the graph ends in are turned round|scale has turned round",
    ),
}


def test_a_reason_that_nodes_share_is_told_once(tmp_path):
    layers = [node("MatMul", f"{'bits' if k == 0 else f'y{k - 1}'} square", f"y{k}") for k in range(80)]
    with pytest.raises(BitwrightError) as caught:
        attempt(tmp_path, [*ENCODE, *layers])
    text = str(caught.value)
    named = ", ".join(f"the_y{k}" for k in range(64))
    assert f"nodes {named} and 16 more (MatMul): float weights" in text and text.count("float weights") == 1


def test_weights_of_several_bits_are_told_once(tmp_path):
    """Also behind a Transpose, and where the layer before is refused as well."""
    quant = [node("Quant", "square one zero nine", f"q{k}") for k in range(2)]
    turned = [node("Transpose", f"q{k}", f"w{k}", perm=[1, 0]) for k in range(2)]
    products = [node("MatMul", "bits w0", "y0"), node("MatMul", "y0 w1", "y1")]
    with pytest.raises(BitwrightError, match="quantizes weights to 9 bits") as caught:
        attempt(tmp_path, [*ENCODE, *quant, *turned, *products])
    assert "not constant" not in str(caught.value)


def test_names_are_those_of_training():
    names = Names(("mine",))
    assert [names.give(kind) for kind in ("conv", "conv", "pool", "pool", "dense")] == [
        "mine",
        "conv1",
        "pool1",
        "pool1_2",
        "dense2",
    ]


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal(tmp_path, case):
    nodes, message = REFUSED[case]
    with pytest.raises(BitwrightError, match=message):
        attempt(tmp_path, nodes)


@pytest.mark.parametrize("case", IMAGES)
def test_each_refusal_of_images(tmp_path, case):
    nodes, message = IMAGES[case]
    with pytest.raises(BitwrightError, match=message):
        attempt(tmp_path, nodes, **IMAGE)


def test_the_sound_graph_is_not_refused(tmp_path):
    assert len(attempt(tmp_path, [*FIRST, *SIGN, *LAST]).network.layers) == 2
    mended = [*FIRST, node("Less", "sums zero", "f"), node("Where", "f minus one", "hidden"), *LAST]
    assert len(attempt(tmp_path, mended).network.layers) == 2


def test_all_nodes_are_named_at_once(tmp_path):
    nodes = [
        *ENCODE,
        node("MatMul", "bits wf", "sums"),
        node("Quant", "sums one zero nine", "hidden"),
        node("MatMul", "hidden w6", "more"),
        node("Erf", "more", "y"),
    ]
    with pytest.raises(OnnxError) as caught:
        attempt(tmp_path, nodes)
    assert [(r.node, r.operator) for r in caught.value.refusals] == [
        ("the_sums", "MatMul"),
        ("the_hidden", "Quant"),
        ("the_y", "Erf"),
    ]
    assert all(f"node {r.node} ({r.operator}): {r.reason}" in str(caught.value) for r in caught.value.refusals)
    assert str(caught.value).count("cannot be imported") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": ("width",)}, "node x .input.: axis 1 .'width'. has no fixed size .a dynamic shape."),
        ({"shape": ()}, "node x .input.: it has 1 axes"),
        ({"kind": TensorProto.STRING}, "node x .input.: values of type STRING are not supported"),
        ({"kind": TensorProto.DOUBLE}, "node x .input.: it takes float64; export the model in float32"),
        ({"opset": 6}, "opset 6 is not supported"),
        ({"opset": 900}, "opset 900 is not supported"),
        ({"output": ["nothing"]}, "output nothing is not made by any node"),
        ({"input_range": (1, 1)}, r"an input range of 1..1 is empty"),
        ({"mean": (0.1, 0.2)}, "2 values of mean for 8 channels"),
        ({"std": (0.0,)}, "a standard deviation must be positive"),
        ({"input_bits": 17}, "1 to 16 bits, not 17"),
        ({"name": "Big Net"}, "network name 'Big Net'"),
        ({"encoding": "integers", "shape": (8,), "name": "9"}, "network name '9'"),
    ],
)
def test_refusals_of_the_file_and_of_options(tmp_path, options, message):
    with pytest.raises(OnnxError, match=message):
        attempt(tmp_path, FIRST, **options)


def test_an_input_of_unknown_range(tmp_path):
    with pytest.raises(OnnxError, match="does not tell what its input is of raw pixels"):
        attempt(tmp_path, [node("MatMul", "x w8", "y")], input_range=None)


def test_two_inputs(tmp_path):
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "ab"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["y"])], "g", info, [helper.make_empty_tensor_value_info("y")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(OnnxError, match=r"one input is needed, and the graph has 2 \(a, b\)"):
        import_onnx(tmp_path / "m.onnx")
