"""What operators can be asked: the answers of each, and that all have the same questions."""

import ast
import dataclasses
import re

import numpy as np
import pytest

from bitwright_core.errors import NetworkError
from bitwright_core.network import (
    BINARY,
    Add,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    GroupSum,
    IntegerEncoding,
    Luts,
    MaxPool2d,
    NumberType,
    Operator,
    Quantize,
    Scores,
    SumPool2d,
    ThresholdEncoding,
    Thresholds,
    Upsample2d,
)
from bitwright_core.numbers import KINDS, NumberKind
from bitwright_core.ops import OPERATORS


def _weights(*shape):
    return np.random.default_rng(1).integers(0, 2, shape, dtype=np.uint8)


def _bits(outputs, *, threshold=1):
    return Thresholds(values=np.full((outputs, 1), threshold))


def dense(**options):
    return Dense(**{"name": "fc", "weights": _weights(3, 12), "output": _bits(3), **options})


def conv(**options):
    given = {"name": "conv", "shape": (4, 5, 2), "weights": _weights(3, 3, 3, 2), "output": _bits(3), **options}
    return Conv2d(**given)


POOL = MaxPool2d(name="pool", shape=(4, 6, 2), kernel=(2, 2), stride=(2, 2))
ADD = Add(name="sum", shape=(4, 6, 2), takes=(BINARY, BINARY))
QUANTIZE = Quantize(name="q", shape=(4, 6, 2), takes=ADD.edge.number, output=_bits(2))
SUM_POOL = SumPool2d(name="mean", shape=(4, 6, 2), kernel=(4, 6))
UPSAMPLE = Upsample2d(name="up", shape=(4, 6, 2), factors=(2, 3))
ARG_MAX = ChannelArgMax(name="classes", shape=(4, 6, 3), takes=ADD.edge.number)
CONCAT = Concat(name="both", sizes=(2, 3), image=(4, 6))


LUTS = Luts(name="luts", inputs=12, wires=[[0, 11], [3, 4]], tables=[[0, 1, 1, 0], [1, 0, 0, 0]])
SUMS = GroupSum(name="sums", groups=(3, 2))
EVERY = [dense(), conv(), POOL, SUM_POOL, UPSAMPLE, CONCAT, ADD, QUANTIZE, ARG_MAX, LUTS, SUMS]


@pytest.mark.parametrize("operator", EVERY, ids=lambda operator: operator.kind)
def test_every_operator_answers_every_question(operator):
    questions = [*Operator.__annotations__, *(name for name in vars(Operator) if not name.startswith("_"))]
    assert {"kind", "matrix", "windows", "pooling", "infer", "compute", "facts", "digest_parts"} <= set(questions)
    for question in questions:
        getattr(operator, question)


def test_the_registry_has_each_kind_once_and_files_name_it_so():
    assert [operator.kind for operator in OPERATORS] == [operator.kind for operator in EVERY]
    for operator in OPERATORS:
        assert operator.facts_type.__struct_config__.tag == operator.kind


@pytest.mark.parametrize(
    "number", [BINARY, *(NumberType(kind=kind.name, bits=kind.widths[:4][-1]) for kind in KINDS[1:])], ids=str
)
def test_planes_and_range_of_each_number_type(number):
    lanes = [sum(plane for k, plane in enumerate(number.planes) if code >> k & 1) for code in range(1 << number.bits)]
    stored = list(range(number.stored[0], number.stored[1] + 1))
    assert set(stored) <= set(lanes) and len(set(lanes)) == 1 << number.bits == len(lanes)
    assert number.values(np.array(stored), np.float64).tolist() == [number.value(lane) for lane in stored]
    assert (number.least, number.largest) == (number.value(stored[0]), number.value(stored[-1]))
    assert all(number.holds(number.value(lane)) and number.lane(number.value(lane)) == lane for lane in stored)
    assert number.signed == (min(lanes) < 0)
    assert number.paddings[-1] == "zero" and number.xnor == (number is BINARY)


def test_what_no_number_type_is():
    assert BINARY.holds(-1) and not BINARY.holds(0) and str(BINARY) == "binary"
    with pytest.raises(ValueError, match="no binary lane stands for 0"):
        BINARY.lane(0)
    for kind, bits, message in (
        ("balanced", 2, "a number must be one of binary, unsigned, signed, ternary, not 'balanced'"),
        ("ternary", 3, "a ternary number has 2 bits, not 3"),
        ("binary", 2, "a binary number has 1 bit, not 2"),
        ("signed", 0, "a signed number has 1 to 64 bits, not 0"),
    ):
        with pytest.raises(NetworkError, match=message):
            NumberType(kind=kind, bits=bits)
    with pytest.raises(ValueError, match="the scale must be at least 1"):
        dataclasses.replace(KINDS[0], scale=0)


def test_what_has_weights():
    layers = dense(), conv()
    assert [layer.matrix for layer in layers] == list(layers) and POOL.matrix is CONCAT.matrix is None


def test_what_takes_images_in_windows():
    assert dense().windows is None
    assert conv().windows.shape == (2, 3) and conv().channels == 2
    assert POOL.windows.shape == (2, 3)
    assert UPSAMPLE.windows.shape == (8, 18) and UPSAMPLE.edge.shape == (8, 18, 2)


def test_what_pools():
    assert dense().pooling is None and conv().pooling is None
    assert (SUM_POOL.pooling.windows.shape, SUM_POOL.pooling.rule) == ((1, 1), "sum")
    assert (POOL.pooling.windows, POOL.pooling.channels, POOL.pooling.rule) == (POOL.windows, 2, "max")


def test_what_brings_values_together():
    assert dense().join is None and conv().join is None and POOL.join is None
    assert (CONCAT.join.sizes, CONCAT.join.pixels, CONCAT.join.beside, CONCAT.join.lanes) == ((2, 3), 24, False, 5)
    assert (ADD.join.beside, ADD.join.lanes, ADD.input_names) == (True, 2, ("x0", "x1"))
    assert [operand.number for operand in ADD.lanes.operands] == [BINARY, BINARY] and CONCAT.lanes is None
    assert QUANTIZE.join is None and QUANTIZE.lanes.levels == ((1,), (1,)) and dense().lanes is None
    assert CONCAT.input_names == ("x0", "x1")
    assert Concat(name="flat", sizes=(2, 3)).join.pixels is None


def test_whether_borders_choose_the_threshold():
    padded = {"padding": (1, 1, 1, 1)}
    assert dense().borders is None and conv().borders is None and conv(**padded).borders is None
    zeros = conv(**padded, padding_value="zero", output=_bits(3, threshold=0))
    assert zeros.borders is zeros.windows and len(zeros.engine_thresholds) == 9
    integers = conv(**padded, padding_value="zero", output=_bits(3), takes=NumberType(kind="signed", bits=4))
    assert integers.borders is None


def test_what_a_lane_outside_the_image_is():
    found = [conv(padding=(1, 1, 1, 1), padding_value=value).padding_lane for value in ("minus_one", "plus_one")]
    assert found == [0, 1] and dense().padding_lane == 0


def test_what_engines_count():
    assert dense().takes == BINARY and dense().counts_bits
    assert not dense(takes=NumberType(kind="signed", bits=4)).counts_bits


def test_what_gives_scores():
    scores = Scores(scale=np.ones(3, np.int64), offset=np.zeros(3, np.int64))
    assert dense(output=scores).gives_scores and not dense().gives_scores and not POOL.gives_scores


def test_what_encodes_by_tables():
    assert ThresholdEncoding(thresholds=np.array([1, 2])).tables is None
    assert IntegerEncoding(table=np.array([5, 6])).tables.tolist() == [[5, 6]]


# where operators' classes may stand by name outside bitwright_core.ops, and why
KNOWERS = {
    "sw/bitwright_core/network/__init__.py": "the names that users import",
    "sw/bitwright_core/layer.py": "makes networks of one layer",
    "sw/bitwright_train/export.py": "training's handlers",
    "sw/bitwright_train/joins.py": "what stands between layers in training",
    "sw/bitwright_train/lut_export.py": "training's tables",
    "sw/bitwright_train/config.py": "the key luts of a configuration",
    "sw/bitwright_onnx/read_layers.py": "what ONNX nodes become",
    "sw/bitwright_onnx/write_layers.py": "ONNX handlers",
    "sw/bitwright_onnx/joins.py": "what ONNX nodes that join values become",
    "sw/bitwright_onnx/class_maps.py": "what ONNX nodes that choose a class become",
    "sw/bitwright_onnx/settle.py": "thresholds by themselves, where a value is taken several times",
    "sw/bitwright_onnx/exporter.py": "what an export says of its layers",
    "sw/bitwright_onnx/own_graph.py": "what an export said of its layers",
    "sw/bitwright_dwn/importer.py": "torch-dwn's layers",
    "sw/bitwright_bnn_pynq/network.py": "BNN-PYNQ's handlers",
    "hw/bitwright_hw/handlers.py": "hardware's handlers",
    "hw/bitwright_hw/luts.py": "the hardware of one kind",
    "hw/bitwright_hw/stages/luts.py": "the stages of two kinds",
    "sw/bitwright/cli/generate.py": "the option --layer, which is a kind",
    "bench/designs.py": "makes the networks that it measures",
    "bench/few_bit_designs.py": "makes the networks that it measures",
}
FOLDERS = ("sw", "hw", "sim", "boards", "bench")


def classes_in(text):
    """(line, name) of each place that names an operator's class, or an operator's kind as a string that is compared."""
    names = {operator.__name__ for operator in OPERATORS}
    kinds = {operator.kind for operator in OPERATORS}
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id in names:
            found.add((node.lineno, node.id))
        elif isinstance(node, ast.alias) and node.name in names:
            found.add((node.lineno, node.name))
        elif isinstance(node, ast.Compare):
            strings = [side.value for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
            found |= {(node.lineno, kind) for kind in strings if kind in kinds}
    return sorted(found)


def test_no_code_asks_which_operator_it_has(checkout):
    files = [file for folder in FOLDERS for file in sorted((checkout / folder).rglob("*.py"))]
    assert len(files) > 200
    knowing = {}
    for file in files:
        name = file.relative_to(checkout).as_posix()
        found = classes_in(file.read_text("utf-8"))
        if found and not name.startswith("sw/bitwright_core/ops/"):
            knowing[name] = found
    extra = {name: found for name, found in knowing.items() if name not in KNOWERS}
    assert not extra, f"these name operators; ask the operator what it has instead: {extra}"
    assert set(knowing) == set(KNOWERS), "a file on the list names none any more; take it off"


def test_the_check_sees_a_class_and_a_kind():
    text = (
        "from x import Dense\nok = isinstance(y, z.Conv2d | MaxPool2d)\nbad = layer.kind == 'conv2d'\nfine = 'dense'\n"
    )
    assert classes_in(text) == [(1, "Dense"), (2, "MaxPool2d"), (3, "conv2d")]


# where a kind of number may stand by name outside bitwright_core.numbers, and why; BINARY is what is left where nothing
# else is said
NUMBER_KNOWERS = {
    "sw/bitwright_core/outputs/thresholds.py": "which types activations may be of",
    "sw/bitwright_train/quantizers.py": "training's quantizers",
    "sw/bitwright_bnn_pynq/topology.py": "what a topology says",
    "sw/bitwright_bnn_pynq/network.py": "BNN-PYNQ's weights",
    "sw/bitwright_onnx/few_bits.py": "which type holds the weights of a graph",
    "sw/bitwright_onnx/one_output.py": "weights of a layer that passes numbers on",
    "sw/bitwright_onnx/settle.py": "weights of a layer that passes numbers on",
    "bench/few_bit_designs.py": "makes the networks that it measures",
}


def kinds_in(text):
    """(line, name) of each place that names TERNARY, or a kind of number as a string that is compared or asked for."""
    kinds = {kind.name for kind in KINDS}
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "TERNARY":
            found.add((node.lineno, node.id))
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            found |= {(node.lineno, s.value) for s in sides if isinstance(s, ast.Constant) and s.value in kinds}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "NumberType":
            values = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
            found |= {(node.lineno, v.value) for v in values if isinstance(v, ast.Constant)}
    return sorted(found)


def test_no_code_asks_which_kind_a_number_is(checkout):
    knowing = {}
    for file in (file for folder in FOLDERS for file in sorted((checkout / folder).rglob("*.py"))):
        name = file.relative_to(checkout).as_posix()
        if not name.startswith("sw/bitwright_core/numbers/") and (found := kinds_in(file.read_text("utf-8"))):
            knowing[name] = found
    extra = {name: found for name, found in knowing.items() if name not in NUMBER_KNOWERS}
    assert not extra, f"these name kinds of numbers; ask the number type instead: {extra}"
    assert set(knowing) == set(NUMBER_KNOWERS), "a file on the list names none any more; take it off"


def test_the_check_sees_a_kind_of_number():
    text = 'x = NumberType(kind="signed", bits=4)\nbad = number.kind == "unsigned"\nt = y is TERNARY\nfine = "signed"\n'
    assert kinds_in(text) == [(1, "signed"), (2, "unsigned"), (3, "TERNARY")]


def how_to(checkout, page):
    """The page, and the paths that it names, which are all there."""
    text = (checkout / f"docs/howto/{page}.md").read_text("utf-8")
    paths = set(re.findall(r"`((?:sw|hw|sim|boards|bench|docs|tests)/[\w./-]+)`", text))
    assert [path for path in sorted(paths) if not (checkout / path).exists()] == []
    return text, paths


def test_the_how_to_for_operators_names_all_that_knows(checkout):
    text, paths = how_to(checkout, "add-an-operator")
    assert len(paths) >= 12
    fronts = ("sw/bitwright_onnx", "sw/bitwright_train", "sw/bitwright_bnn", "sw/bitwright_dwn")
    assert {name for name in KNOWERS if name.startswith(fronts)} <= paths
    tables = re.findall(r"`([A-Z]+)` in `(sw/[\w./]+)`", text)
    assert len(tables) == 5 and {"OPERATORS", "EXPORTS", "HANDLERS", "LAYERS"} == {table for table, _ in tables}
    for table, path in tables:
        assert re.search(rf"^{table}\b", (checkout / path).read_text("utf-8"), re.M), f"{path} has no {table}"


def test_the_how_to_for_number_types_names_all_that_knows(checkout):
    text, paths = how_to(checkout, "add-a-number-type")
    assert {name for name in NUMBER_KNOWERS if not name.startswith("bench/")} <= paths
    assert re.search(r"`KINDS` in `sw/bitwright_core/numbers/__init__.py`", text)
    named = set(re.findall(r"`(\w+)`", text))
    assert {field.name for field in dataclasses.fields(NumberKind)} <= named, "each field of a kind is explained"
