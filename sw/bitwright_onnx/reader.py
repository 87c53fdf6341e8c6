"""An ONNX file to the intermediate form. Nothing in the file is run, and no file beside its own folder is read.

Every size is checked before memory is taken for it. Differences between opsets (attributes that became
inputs, domains that moved) end here: what follows knows one form of each operator.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto

from bitwright_core.near import did_you_mean_path
from bitwright_onnx.form import Graph, OnnxNode, check
from bitwright_onnx.refusals import OnnxError, Refusals

MAX_FILE_BYTES = 512 << 20
MAX_ELEMENTS = 1 << 27  # of one tensor
MAX_TOTAL_BYTES = 2 << 30
MAX_NODES = 20_000
MAX_RANK = 8
OPSETS = range(7, 27)
# where the QONNX and FINN operators lived over the years; "" is how the oldest files have them
QONNX_DOMAINS = {"", "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn", "qonnx"}
CHANNELS_LAST_DOMAIN = "qonnx.custom_op.channels_last"
QONNX_OPERATORS = {"BipolarQuant", "Quant", "IntQuant", "MultiThreshold", "Trunc"}
_STANDARD_DOMAINS = {"", "ai.onnx"}
_TYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT8: np.int8,
    TensorProto.UINT16: np.uint16,
    TensorProto.INT16: np.int16,
    TensorProto.INT32: np.int32,
    TensorProto.UINT32: np.uint32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT64: np.uint64,
    TensorProto.BOOL: np.bool_,
}


def dtype_of(code: int) -> np.dtype[Any]:
    """The NumPy type of an ONNX element type. Raises ValueError for one that no network here uses."""
    if code not in _TYPES:
        known = code in TensorProto.DataType.values()
        raise ValueError(f"values of type {TensorProto.DataType.Name(code) if known else code} are not supported")
    return np.dtype(_TYPES[code])


def read_model(path: Path) -> ModelProto:
    """The parsed file. Raises OnnxError for one that is missing, too large, cut short or not ONNX."""
    if not path.is_file():
        raise OnnxError(f"{path}: no such ONNX file{did_you_mean_path(path)}")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise OnnxError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB, which no binary network is")
    return parse_model(path.read_bytes(), str(path))


def parse_model(content: bytes, where: str) -> ModelProto:
    """`read_model` for bytes; `where` begins the messages."""
    from google.protobuf.message import DecodeError

    model = ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        raise OnnxError(f"{where}: not an ONNX file ({error}); was it cut short?") from None
    if not model.graph.node or not model.graph.output:
        raise OnnxError(f"{where}: not an ONNX file, or one without nodes and outputs; was it cut short?")
    return model


class _Tensors:
    """Reads tensors of one file, within one budget of bytes."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.left = MAX_TOTAL_BYTES

    def read(self, tensor: TensorProto) -> NDArray[Any]:
        """A tensor's values. Raises ValueError with the reason that they cannot be had."""
        dtype = dtype_of(tensor.data_type)
        shape = tuple(tensor.dims)
        count = 1
        for size in shape:
            if size < 0:
                raise ValueError(f"shape {list(shape)} has a negative size")
            count *= size
        if len(shape) > MAX_RANK or count > MAX_ELEMENTS:
            raise ValueError(f"shape {list(shape)} is larger than any binary network's")
        self.left -= count * dtype.itemsize
        if self.left < 0:
            raise ValueError(f"all tensors together pass {MAX_TOTAL_BYTES >> 30} GiB")
        if tensor.data_location == TensorProto.EXTERNAL:
            values = np.frombuffer(self._external(tensor, count * dtype.itemsize), dtype)
        elif tensor.HasField("raw_data"):
            if len(tensor.raw_data) != count * dtype.itemsize:
                raise ValueError(f"{len(tensor.raw_data)} bytes of data do not fill shape {list(shape)} of {dtype}")
            values = np.frombuffer(tensor.raw_data, dtype)
        else:
            values = onnx.numpy_helper.to_array(tensor).ravel() if self._fields(tensor) == count else np.empty(0, dtype)
            if values.size != count:
                raise ValueError(f"its data do not fill shape {list(shape)} of {dtype}")
        return values.reshape(shape).astype(dtype)

    @staticmethod
    def _fields(tensor: TensorProto) -> int:
        fields = (tensor.float_data, tensor.double_data, tensor.int32_data, tensor.int64_data, tensor.uint64_data)
        return sum(map(len, fields))

    def _external(self, tensor: TensorProto, size: int) -> bytes:
        """Bytes that lie in a file of their own, which must be in the model's folder itself."""
        entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
        location = entries.get("location", "")
        if self.folder is None:
            raise ValueError(f"its data lie in another file ({location!r})")
        if Path(location).name != location or location in ("", ".", ".."):
            raise ValueError(f"its data lie in {location!r}, outside the model's folder; only files in it are read")
        folder = self.folder.resolve()
        file = (folder / location).resolve()
        if file.parent != folder or not file.is_file():
            raise ValueError(f"its data lie in {location!r}, which is no file of the model's folder")
        texts = (entries.get("offset", "0"), entries.get("length", str(size)))
        if not all(text.isascii() and text.isdecimal() and len(text) < 16 for text in texts):
            raise ValueError(f"its place in {location!r} is no offset and length")
        offset, length = map(int, texts)
        if length != size or offset + length > file.stat().st_size:
            raise ValueError(f"{location!r} does not hold its {size} bytes")
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(length)


def _text(value: str | bytes) -> str:
    """A string of the file; one that is no UTF-8 comes as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _attribute(attribute: AttributeProto, tensors: _Tensors) -> Any:
    """An attribute as Python has it. Raises ValueError for subgraphs and damaged ones."""
    kind = attribute.type
    values: Any
    match kind:
        case AttributeProto.FLOAT:
            return float(attribute.f)
        case AttributeProto.INT:
            return int(attribute.i)
        case AttributeProto.STRING:
            return attribute.s.decode("utf-8", "replace")
        case AttributeProto.FLOATS:
            values = [float(value) for value in attribute.floats]
        case AttributeProto.INTS:
            values = [int(value) for value in attribute.ints]
        case AttributeProto.STRINGS:
            values = [value.decode("utf-8", "replace") for value in attribute.strings]
        case AttributeProto.TENSOR:
            return tensors.read(attribute.t)
        case AttributeProto.GRAPH | AttributeProto.GRAPHS:
            raise ValueError("it holds a graph of its own (control flow), which hardware here has no form for")
        case _:
            raise ValueError(f"its attribute {attribute.name!r} has a type that is not supported")
    return values


def _shape(value: onnx.ValueInfoProto) -> tuple[list[int], np.dtype[Any]]:
    """The declared shape of an input, its first size 0 where open. Raises ValueError."""
    if not value.type.HasField("tensor_type"):
        raise ValueError("it is no tensor")
    tensor = value.type.tensor_type
    dtype = dtype_of(tensor.elem_type)
    if not tensor.HasField("shape"):
        raise ValueError("its shape is not declared; export it with fixed sizes")
    if dtype.kind == "f" and dtype != np.float32:
        raise ValueError(f"it takes {dtype}; export the model in float32")
    sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor.shape.dim]
    if not 2 <= len(sizes) <= MAX_RANK:
        raise ValueError(f"it has {len(sizes)} axes; frames along axis 0 and one to three more are needed")
    if any(size < 1 for size in sizes[1:]):
        axis = next(axis for axis, size in enumerate(sizes) if axis and size < 1)
        dim = tensor.shape.dim[axis]
        name = f" ({_text(dim.dim_param)!r})" if dim.dim_param else ""
        raise ValueError(f"axis {axis}{name} has no fixed size (a dynamic shape); export it with fixed sizes")
    if sizes[0] < 0:
        raise ValueError(f"axis 0 has size {sizes[0]}")
    if np.prod(sizes[1:], dtype=float) > MAX_ELEMENTS:
        raise ValueError(f"shape {sizes} is larger than any binary network's")
    return sizes, dtype


def _named(nodes: Any) -> Iterator[tuple[str, NodeProto]]:
    """Each node with a name that a user can find: its own, or its output's."""
    for index, node in enumerate(nodes):
        yield _text(node.name) or _text(node.output[0] if node.output else "") or f"number {index}", node


def to_graph(model: ModelProto, folder: Path | None = None) -> Graph:
    """The intermediate form of a parsed model; tensors outside the file are read from `folder` alone.

    Raises OnnxError with every reason at once.
    """
    refusals = Refusals()
    version = max((entry.version for entry in model.opset_import if entry.domain in _STANDARD_DOMAINS), default=0)
    if version not in OPSETS:
        raise OnnxError(f"opset {version} is not supported, only {OPSETS[0]} to {OPSETS[-1]}")
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise OnnxError(f"{len(graph.node)} nodes are more than the {MAX_NODES} that any binary network has")
    tensors = _Tensors(folder)
    constants: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        try:
            constants[_text(tensor.name)] = tensors.read(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            refusals.add(_text(tensor.name), "initializer", str(error))
    for sparse in graph.sparse_initializer:
        refusals.add(_text(sparse.values.name), "initializer", "sparse tensors are not supported")
    names = {_text(tensor.name) for tensor in graph.initializer}
    inputs = [value for value in graph.input if _text(value.name) not in names]
    sizes, dtype = [1, 1], np.dtype(np.float32)
    if len(inputs) != 1:
        listed = ", ".join(_text(value.name) for value in inputs) or "none"
        refusals.add("", "", f"one input is needed, and the graph has {len(inputs)} ({listed})")
    else:
        try:
            sizes, dtype = _shape(inputs[0])
        except ValueError as error:
            refusals.add(_text(inputs[0].name), "input", str(error))
    nodes = _nodes(model, tensors, refusals)
    refusals.raise_any()
    return check(
        Graph(
            nodes=nodes,
            constants=constants,
            shapes={_text(inputs[0].name): (1, *sizes[1:])},
            input=_text(inputs[0].name),
            input_dtype=dtype,
            outputs=tuple(_text(value.name) for value in graph.output),
            batch=max(1, sizes[0]),
        )
    )


def _nodes(model: ModelProto, tensors: _Tensors, refusals: Refusals) -> tuple[OnnxNode, ...]:
    """The graph's nodes; adds to `refusals` those that cannot be read."""
    functions = {(function.domain, function.name) for function in model.functions}
    nodes = []
    for name, proto in _named(model.graph.node):
        if (proto.domain, proto.op_type) in functions:
            refusals.add(
                name, _text(proto.op_type), "it calls a function of the model's own; export with functions inlined"
            )
            continue
        try:
            attributes = {_text(a.name): _attribute(a, tensors) for a in proto.attribute}
        except (ValueError, TypeError, OverflowError) as error:
            refusals.add(name, _text(proto.op_type), str(error))
            continue
        nodes.append(
            OnnxNode(
                name=name,
                op=operator(_text(proto.op_type), _text(proto.domain)),
                inputs=tuple(map(_text, proto.input)),
                outputs=tuple(map(_text, proto.output)) or ("",),
                attributes=attributes,
            )
        )
    return tuple(nodes)


def operator(op: str, domain: str) -> str:
    """One name for an operator, wherever it lives: QONNX's own by their bare name, others with their domain."""
    if op in QONNX_OPERATORS and domain in QONNX_DOMAINS:
        return "Quant" if op == "IntQuant" else op
    if domain in _STANDARD_DOMAINS:
        return op
    if domain == CHANNELS_LAST_DOMAIN and op in ("Conv", "MaxPool", "BatchNormalization"):
        return f"{op}ChannelsLast"
    return f"{domain}.{op}"
