"""What the outputs of a graph mean: labels by their own thresholds, numbers with zero and scale, or a class."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bitwright_core import golden
from bitwright_core.network import Votes, load
from bitwright_onnx import OnnxError, Options, import_onnx
from bitwright_onnx.exporter import to_model
from bitwright_onnx.numbers import number_scores

from .graphs import reference

INPUTS = 8
RNG = np.random.default_rng(5)


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1, 1).astype(np.float32)


def model(*tail, inputs=INPUTS, outputs=("y",), weights=None, **constants):
    """Pixels of 0..1, each +1 from 0.5, times +-1 weights `W`: value `a`; then `tail` of (op, inputs, output, ...)."""
    tensors = {"half": 0.5, "none": 0.0, "minus": -1.0, "plus": 1.0, "W": weights} | constants
    nodes = [
        ("Sub", "x half", "d"),
        ("Less", "d none", "l"),
        ("Where", "l minus plus", "s"),
        ("MatMul", "s W", "a"),
        *tail,
    ]
    made = [
        helper.make_node(op, names.split(), output.split(), name=f"n_{output}", **(rest[0] if rest else {}))
        for op, names, output, *rest in nodes
    ]
    used = {name for node in made for name in node.input}
    graph = helper.make_graph(
        made,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [
            numpy_helper.from_array(array if array.dtype.kind in "ib" else array.astype(np.float32), name)
            for name, array in ((name, np.asarray(value)) for name, value in tensors.items() if name in used)
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


RAW = np.random.default_rng(1).integers(0, 256, (400, INPUTS)).astype(np.uint8)


def both(tmp_path, given, outputs="auto"):
    """The import, and what onnxruntime gives for RAW."""
    onnx.save(given, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1), outputs=outputs))
    return found, reference(given, RAW.astype(np.float32) / np.float32(255))


BIAS1, BIAS3 = np.float32([0.3]), np.float32([5.3, 5.2, 5.1])
SIGMOID = (("Add", "a b", "c"), ("Sigmoid", "c", "y"))


@pytest.mark.parametrize("bias", [BIAS1, BIAS3, np.float32([-3.0, 0.0, 3.0, 100.0, -100.0])], ids=len)
def test_a_sigmoid_head_gives_labels_with_thresholds_of_their_own(tmp_path, bias):
    found, chances = both(tmp_path, model(*SIGMOID, weights=signs(INPUTS, len(bias)), b=bias))
    assert found.network.gives == "bits" and "0.5 of the Sigmoid" in found.outputs
    np.testing.assert_array_equal(golden.outputs(found.network, RAW), chances >= 0.5)
    assert np.unique(chances >= 0.5).size == 2


@pytest.mark.parametrize(
    "tail",
    [
        [("Sigmoid", "a", "p"), ("Reshape", "p shape", "y")],
        [("Sigmoid", "a", "p"), ("Squeeze", "p axis", "y")],
        [("Sigmoid", "a", "p"), ("Cast", "p", "y", {"to": TensorProto.DOUBLE})],
        [("Sigmoid", "a", "p"), ("Greater", "p half", "g"), ("Cast", "g", "y", {"to": TensorProto.FLOAT})],
        [("Sigmoid", "a", "p"), ("GreaterOrEqual", "p third", "y")],
        [("Neg", "a", "m"), ("Sigmoid", "m", "y")],
        [("Mul", "a minus", "m"), ("Sub", "m half", "r"), ("Sigmoid", "r", "y")],
        [("Less", "a half", "g"), ("Where", "g one_i none_i", "y")],
        [("Less", "a none", "g"), ("Where", "g minus plus", "y")],
    ],
)
def test_decisions_in_the_forms_that_exporters_write(tmp_path, tail):
    integers = {"shape": np.array([-1, 1]), "axis": np.array([1]), "one_i": np.array(1), "none_i": np.array(0)}
    found, result = both(tmp_path, model(*tail, weights=signs(INPUTS, 1), third=1 / 3, **integers))
    assert found.network.gives == "bits"
    values = np.unique(result)
    decided = result.reshape(-1, 1) > values.min() if len(values) == 2 else result.reshape(-1, 1) >= 0.5
    np.testing.assert_array_equal(golden.outputs(found.network, RAW), decided)
    assert 0 < decided.mean() < 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_decision_that_never_changes_keeps_its_value(tmp_path, value):
    limit = np.float32(-99 if value else 99)
    tail = [("Greater", "a limit", "g"), ("Cast", "g", "y", {"to": TensorProto.FLOAT})]
    found, result = both(tmp_path, model(*tail, weights=signs(INPUTS, 1), limit=limit))
    assert (result == value).all()
    np.testing.assert_array_equal(golden.outputs(found.network, RAW), result)


@pytest.mark.parametrize(
    ("outputs", "steps", "constants"),
    [
        (1, [("Add", "a b", "y")], {"b": BIAS1}),
        (1, [("Mul", "a k", "m"), ("Add", "m b", "y")], {"k": np.float32(-0.0173), "b": np.float32([0.05])}),
        (1, [("Mul", "a k", "m"), ("Add", "m b", "y")], {"k": np.float32(1e-3), "b": np.float32([300.0])}),
        (3, [("Mul", "a k", "m"), ("Add", "m b", "y")], {"k": np.float32([0.3, -1.7, 0.0011]), "b": BIAS3}),
        (1, [("Add", "a b", "c"), ("Reshape", "c shape", "y")], {"b": BIAS1, "shape": np.array([-1, 1])}),
        (1, [("Identity", "a", "y")], {}),
    ],
)
def test_numbers_keep_zero_and_scale(tmp_path, outputs, steps, constants):
    given = model(*steps, weights=signs(INPUTS, outputs), **constants)
    found, expected = both(tmp_path, given, "scores")
    network = found.network
    assert network.gives == "values" and "the step times the score" in found.outputs
    numbers = golden.values(network, RAW)
    assert np.abs(numbers - expected).max() <= network.values.error <= 2e-5 * np.ptp(expected, axis=0).max() + 1e-4
    np.testing.assert_array_equal(golden.outputs(network, RAW) >= 0, expected >= 0)
    if outputs == 1:
        assert both(tmp_path, given)[0].network == network  # one output of its own is a number, unless told otherwise


def test_a_number_needs_a_straight_line(tmp_path):
    given = model(("Relu", "a", "y"), weights=signs(INPUTS, 1))
    with pytest.raises(OnnxError, match="output 0 is no straight line of its sum"):
        both(tmp_path, given)
    assert both(tmp_path, given, "labels")[0].network.gives == "bits"


@pytest.mark.parametrize(
    ("tail", "outputs", "asked", "reason"),
    [
        ([("Softmax", "a", "y")], 1, "auto", "Softmax of one output is always the same; --outputs labels"),
        ([("ArgMax", "a", "y", {"axis": 1})], 1, "auto", "ArgMax of one output is always the same"),
        ([("Identity", "a", "y")], 1, "class", "one output chooses no class"),
        ([("Sign", "c", "y"), ("Add", "a half", "c")][::-1], 3, "scores", "the graph ends in bits"),
        ([("TopK", "a one_i", "y i")], 3, "auto", "the graph gives the largest score and not its place"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path, tail, outputs, asked, reason):
    with pytest.raises(OnnxError, match=reason):
        both(tmp_path, model(*tail, weights=signs(INPUTS, outputs), one_i=np.array([1])), asked)


def test_a_class_beside_the_sums_that_it_is_chosen_of(tmp_path):
    """Two outputs that tell different things: sums, and the class of what Relu leaves of them."""
    weights = signs(INPUTS, 3)
    tail = [("Relu", "a", "r"), ("ArgMax", "r", "y", {"axis": 1})]
    sums, chosen = (both(tmp_path, model(*tail, weights=weights, outputs=ends)) for ends in (("a", "y"), ("y", "a")))
    told = golden.outputs(chosen[0].network, RAW)
    left, right = (head.of(told) for head in chosen[0].network.heads)
    np.testing.assert_array_equal(left.argmax(axis=1), chosen[1].reshape(-1))
    np.testing.assert_array_equal(right, sums[1])
    tail[0] = ("Mul", "a k", "r")
    scaled = model(*tail, weights=weights, outputs=("y", "a"), k=np.float32([1, 2, 3]))
    with pytest.raises(OnnxError, match="numbers whose scales differ from class to class"):
        both(tmp_path, scaled)


@pytest.mark.parametrize(
    "tail",
    [
        [("ArgMin", "c", "y", {"axis": 1})],
        [("TopK", "c one_i", "v y", {"largest": 0})],
        [("Softmax", "c", "p"), ("ArgMin", "p", "i", {"axis": -1, "keepdims": 0}), ("Cast", "i", "y", {"to": 1})],
        [("Softmax", "c", "p"), ("Reshape", "p shape", "r"), ("ArgMax", "r", "y", {"axis": -1})],
        [("LogSoftmax", "c", "p"), ("Flatten", "p", "f"), ("ArgMax", "f", "y", {"axis": 1})],
        [("Sigmoid", "c", "p"), ("ArgMax", "p", "y", {"axis": 1})],
        [("Mul", "c minus", "m"), ("ArgMax", "m", "y", {"axis": 1})],
    ],
)
def test_classes(tmp_path, tail):
    constants = {"one_i": np.array([1]), "shape": np.array([-1, 4]), "b": np.float32([0.25, -0.5, 0.75, 0])}
    found, expected = both(tmp_path, model(("Add", "a b", "c"), *tail, weights=signs(INPUTS, 4), **constants))
    assert found.network.gives == "class" and "one class of 4" in found.outputs
    np.testing.assert_array_equal(golden.classify(found.network, RAW), expected.reshape(-1))
    assert len(np.unique(expected)) > 2


def test_the_class_of_bits_is_the_first_that_is_set(tmp_path):
    tail = [("Less", "a none", "g"), ("Where", "g minus plus", "r"), ("ArgMax", "r", "y", {"axis": 1})]
    found, expected = both(tmp_path, model(*tail, weights=signs(INPUTS, 3)))
    assert isinstance(found.network.last.output, Votes)
    np.testing.assert_array_equal(golden.classify(found.network, RAW), expected.reshape(-1))
    assert len(np.unique(expected)) == 3


def test_the_user_says_what_the_outputs_mean(tmp_path):
    given = model(*SIGMOID, weights=signs(INPUTS, 3), b=BIAS3)
    chances = both(tmp_path, given)[1]
    found = both(tmp_path, given, "class")[0]
    np.testing.assert_array_equal(golden.classify(found.network, RAW), chances.argmax(axis=1))
    found = both(tmp_path, given, "scores")[0]
    logits = golden.values(found.network, RAW)
    assert np.abs(1 / (1 + np.exp(-logits)) - chances).max() < 1e-3 and "before Sigmoid" in found.outputs


@pytest.mark.parametrize("asked", ["class", "labels", "scores"])
@pytest.mark.parametrize("dialect", ["standard", "qonnx"])
def test_the_meaning_survives_files_and_exports(tmp_path, asked, dialect):
    network = both(tmp_path, model(("Add", "a b", "y"), weights=signs(INPUTS, 3), b=BIAS3), asked)[0].network
    named = type(network)(
        **{name: getattr(network, name) for name in ("name", "input", "encoding", "layers", "values")},
        labels=("p", "q", "r"),
    )
    named.save(tmp_path / "n.safetensors")
    assert load(tmp_path / "n.safetensors") == named
    exported = to_model(named, dialect=dialect)
    (tmp_path / "e.onnx").write_bytes(exported.SerializeToString())
    found = import_onnx(tmp_path / "e.onnx").network
    assert found == named and found.values == network.values and found.labels == ("p", "q", "r")
    result = reference(exported, RAW)
    np.testing.assert_array_equal(result > 0 if asked == "labels" else result, golden.outputs(network, RAW))


@pytest.mark.parametrize("seed", range(30))
def test_number_scores_of_random_lines(seed):
    rng = np.random.default_rng(seed)
    outputs, last = int(rng.integers(1, 5)), int(rng.integers(1, 300))
    rise = rng.exponential(size=outputs) * 10.0 ** rng.integers(-4, 3, outputs)
    base = rng.normal(size=outputs) * 10.0 ** rng.integers(-4, 4, outputs) - rise * last / 2
    found = number_scores(base, rise, last + 1)
    index = np.arange(last + 1)[:, None]
    exact, scores = base + rise * index, found.scores.scale * index + found.scores.offset
    rounding = 1e-14 * np.abs(exact).max()
    assert np.abs(found.step * scores - exact).max() <= found.error + rounding
    assert found.error <= (rise * last).max() * 2.0**-16
    np.testing.assert_array_equal(scores >= 0, exact >= 0)


@pytest.mark.parametrize(("inputs", "classes"), [(1024, 62), (1024, 100), (512, 200), (256, 1000)])
def test_classifiers_with_biases_and_many_classes(tmp_path, inputs, classes):
    rng = np.random.default_rng(classes)
    bias = rng.uniform(-1, 1, classes).astype(np.float32) * np.float32(inputs**-0.5)
    given = model(("Add", "a b", "y"), inputs=inputs, weights=signs(inputs, classes), b=bias)
    onnx.save(given, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1)))
    assert found.network.edges[-1].number.bits <= 24
    assert any("the exact sums decide" in note for note in found.notes)
    raw = rng.integers(0, 256, (300, inputs)).astype(np.uint8)
    expected = reference(given, raw.astype(np.float32) / np.float32(255)).argmax(axis=1)
    assert (golden.classify(found.network, raw) == expected).mean() > 0.99


def test_the_exact_order_of_many_classes_is_asked_for_by_name(tmp_path):
    bias = np.random.default_rng(100).uniform(-1, 1, 100).astype(np.float32) / np.float32(32)
    onnx.save(model(("Add", "a b", "y"), inputs=1024, weights=signs(1024, 100), b=bias), tmp_path / "net.onnx")
    with pytest.raises(OnnxError, match="no integer scores of up to 58 bits keep the order"):
        import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1), score_bits=0))
    with pytest.raises(OnnxError, match="class scores have 8 to 48 bits, or 0"):
        import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1), score_bits=3))


def test_how_many_frames_change_their_class_is_counted_on_data(tmp_path):
    rng = np.random.default_rng(3)
    scale = (1 + rng.uniform(-1, 1, 400) * 1e-3) * np.where(rng.random(400) < 0.5, -1, 1)  # near ties, some falling
    constants = {"b": rng.uniform(-1e-3, 1e-3, 400), "k": scale}
    given = model(("Mul", "a k", "c"), ("Add", "c b", "y"), inputs=24, weights=signs(24, 400), **constants)
    onnx.save(given, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", Options(input_range=(0, 1), score_bits=8))
    raw = rng.integers(0, 256, (500, 24)).astype(np.uint8)
    classes = reference(given, raw.astype(np.float32) / np.float32(255)).argmax(axis=1)
    differing = int((golden.classify(found.network, raw) != classes).sum())
    assert differing > 0
    assert found.other_classes(raw) == differing


def test_data_that_no_class_of_can_change(tmp_path):
    found, _ = both(tmp_path, model(*SIGMOID, weights=signs(INPUTS, 3), b=BIAS3))
    assert found.float_classes is None
    assert found.other_classes(RAW) == 0
