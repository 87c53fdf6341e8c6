"""Rewrite: each operator in one form, whatever the opset that wrote it.

Attributes that later opsets turned into inputs become constant inputs; Constant nodes become constants;
Identity and Dropout go. Nodes that cannot be had in that form are refused, all at once.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.form import Graph, OnnxNode
from bitwright_onnx.reader import dtype_of
from bitwright_onnx.refusals import Refusals

Constants = dict[str, NDArray[Any]]
_MAX_INTEGER = 1 << 40  # far beyond any size, far below what overflows


def canonical(graph: Graph) -> Graph:
    """The rewrite. Raises OnnxError with every node that has no such form."""
    refusals = Refusals()
    constants = dict(graph.constants)
    renamed: dict[str, str] = {}
    nodes = []
    for original in graph.nodes:
        node = replace(original, inputs=tuple(renamed.get(name, name) for name in original.inputs))
        if node.op in ("Identity", "Dropout") and node.inputs and node.inputs[0]:
            renamed[node.output] = node.inputs[0]
            continue
        try:
            _count_inputs(node)
            _check_attributes(node)
            changed = _FORMS[node.op](node, constants) if node.op in _FORMS else node
        except (ValueError, TypeError, KeyError, OverflowError, IndexError) as error:
            refusals.add(node.name, node.op, str(error) or "its attributes are damaged")
            continue
        if changed is not None:
            nodes.append(changed)
    refusals.raise_any()
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    return graph.with_(nodes=tuple(nodes), constants=constants, outputs=outputs)


# operators of two inputs, and those of other numbers (least, most); all others of one, or not known
_TWO = frozenset(
    (
        *("Add", "And", "BipolarQuant", "Div", "Equal", "Expand", "Gather", "Greater", "GreaterOrEqual", "Less"),
        *("LessOrEqual", "MatMul", "Mul", "MultiThreshold", "Or", "PRelu", "Pow", "Sub"),
    )
)
_ONE = frozenset(
    (
        *(
            "Abs",
            "ArgMax",
            "ArgMin",
            "Cast",
            "Ceil",
            "ConstantOfShape",
            "Flatten",
            "Floor",
            "LeakyRelu",
            "LogSoftmax",
            "MaxPool",
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
        ),
        *("MaxPoolChannelsLast", "Neg", "Not", "Reciprocal", "Relu", "Round", "Shape", "Sigmoid", "Sign", "Softmax"),
        *("Sqrt", "Transpose"),
    )
)
_INPUTS = {
    **dict.fromkeys(_ONE, (1, 1)),
    **dict.fromkeys(_TWO, (2, 2)),
    **dict.fromkeys(("Conv", "ConvChannelsLast", "Gemm"), (2, 3)),
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationChannelsLast"), (5, 5)),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum", "Reshape", "Squeeze", "TopK", "Unsqueeze"), (1, 2)),
    **dict.fromkeys(("Concat", "Max", "Min", "Sum"), (1, 64)),
    "Clip": (1, 3),
    "Pad": (1, 4),
    "Quant": (4, 4),
    "Trunc": (5, 5),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), (2, 3)),
    "Resize": (1, 4),
    "Slice": (1, 5),
    "Upsample": (2, 2),
    "Where": (3, 3),
}


def _count_inputs(node: OnnxNode) -> None:
    """Raises ValueError for a node with too few or too many inputs, or without one that it needs."""
    least, most = _INPUTS.get(node.op, (0, 1 << 20))
    if not least <= len(node.inputs) <= most or not all(node.inputs[:least]):
        raise ValueError(f"it has {sum(map(bool, node.inputs))} inputs, not {least}")


_KINDS: dict[type, tuple[str, ...]] = {
    int: (
        *("allowzero", "axis", "ceil_mode", "end", "group", "k", "keepdims", "largest", "narrow", "select_last_index"),
        *("signed", "block_size", "spatial", "start", "to", "training_mode", "transA", "transB", "value_int"),
    ),
    float: ("alpha", "beta", "epsilon", "max", "min", "out_bias", "out_scale", "value_float"),
    str: ("auto_pad", "data_layout", "mode", "out_dtype", "rounding_mode"),
    list: ("axes", "dilations", "ends", "kernel_shape", "pads", "perm", "shape", "starts", "strides", "value_ints"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}


def _check_attributes(node: OnnxNode) -> None:
    """Raises ValueError for an attribute of another type than ONNX gives it."""
    for name, value in node.attributes.items():
        kind = _KIND_OF.get(name)
        if kind is not None and not isinstance(value, kind):
            raise ValueError(f"its attribute {name} is no {kind.__name__}")
        if kind is int and abs(value) > _MAX_INTEGER:
            raise ValueError(f"its attribute {name} = {value} is out of range")


def integers(values: Any, what: str) -> tuple[int, ...]:
    """A list attribute as sizes that are safe to compute with. Raises ValueError."""
    found = tuple(int(value) for value in np.asarray(values).reshape(-1)[:64])
    if any(abs(value) > _MAX_INTEGER and value < (1 << 62) for value in found):
        raise ValueError(f"{what} {list(found)} is out of range")
    return found


def _with_inputs(node: OnnxNode, constants: Constants, extra: dict[str, Any]) -> OnnxNode:
    """The node with constant inputs appended, None for one that is absent; their attributes go."""
    inputs = list(node.inputs)
    for name, value in extra.items():
        if value is None:
            inputs.append("")
            continue
        key = f"{node.output}:{name}"
        constants[key] = np.asarray(value)
        inputs.append(key)
    attributes = {key: value for key, value in node.attributes.items() if key not in extra}
    return replace(node, inputs=tuple(inputs), attributes=attributes)


def _constant(node: OnnxNode, constants: Constants) -> None:
    kinds: dict[str, Any] = {
        "value": None,
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }
    given = [name for name in kinds if name in node.attributes]
    if len(given) != 1:
        raise ValueError("it holds no number")
    value = node.attributes[given[0]]
    constants[node.output] = np.asarray(value, kinds[given[0]])


def _listed(*names: str) -> Callable[[OnnxNode, Constants], OnnxNode]:
    """Integer lists that were attributes."""

    def form(node: OnnxNode, constants: Constants) -> OnnxNode:
        present = [name for name in names if name in node.attributes]
        if not present:
            return node
        return _with_inputs(
            node,
            constants,
            {
                name: np.array(integers(node.attributes[name], name), np.int64) if name in node.attributes else None
                for name in names
            },
        )

    return form


def _clip(node: OnnxNode, constants: Constants) -> OnnxNode:
    if not {"min", "max"} & node.attributes.keys():
        return node
    bounds = {name: np.float32(node.attributes[name]) if name in node.attributes else None for name in ("min", "max")}
    return _with_inputs(node, constants, bounds)


def _top_k(node: OnnxNode, constants: Constants) -> OnnxNode:
    if "k" in node.attributes:
        return _with_inputs(node, constants, {"k": np.array([int(node.attributes["k"])], np.int64)})
    return node


def _cast(node: OnnxNode, constants: Constants) -> OnnxNode:
    dtype = dtype_of(int(node.attributes["to"])) if "to" in node.attributes else None
    if dtype is None:
        raise ValueError("it does not say to which type")
    return replace(node, attributes={"dtype": str(dtype)})


def _batch_norm(node: OnnxNode, constants: Constants) -> OnnxNode:
    if int(node.attributes.get("training_mode", 0)) or len([name for name in node.outputs if name]) > 1:
        raise ValueError("it is in training mode; export the model in evaluation mode")
    if not int(node.attributes.get("spatial", 1)):
        raise ValueError("spatial = 0 is not supported")
    if len(node.inputs) != 5:
        raise ValueError(f"it has {len(node.inputs)} inputs, not 5")
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    return replace(node, outputs=node.outputs[:1], attributes={"epsilon": epsilon})


def _gather(node: OnnxNode, constants: Constants) -> OnnxNode:
    """A table of constants that values index; other Gathers (of a Shape) stay."""
    table = constants.get(node.inputs[0])
    if table is None or table.ndim != 1 or node.inputs[1] in constants or int(node.attributes.get("axis", 0)) != 0:
        return node
    return replace(node, op="Lookup", inputs=node.inputs[1:2], attributes={"table": table})


def _sum(node: OnnxNode, constants: Constants) -> OnnxNode:
    return replace(node, op="Add")


_FORMS: dict[str, Callable[[OnnxNode, Constants], OnnxNode | None]] = {
    "BatchNormalization": _batch_norm,
    "BatchNormalizationChannelsLast": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Constant": _constant,
    "Gather": _gather,
    "Reshape": _listed("shape"),
    "Slice": _listed("starts", "ends", "axes"),
    "Squeeze": _listed("axes"),
    "Sum": _sum,
    "TopK": _top_k,
    "Unsqueeze": _listed("axes"),
}
