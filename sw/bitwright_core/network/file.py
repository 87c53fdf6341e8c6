"""The network file: one safetensors file, integers only, no pickle. The format is in docs/network.md.

Weights are packed eight lanes a byte, lane 0 lowest; the structure is a JSON text under the metadata key
"bitwright". Files are written to a temporary name and moved into place, so that none is ever half-written.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_core.atomic import write_bytes
from bitwright_core.errors import NetworkError
from bitwright_core.network.bits import pack_bits, unpack_bits
from bitwright_core.network.conv import Conv2d, PaddingValue
from bitwright_core.network.dense import Dense
from bitwright_core.network.encoding import Encoding, Input, IntegerEncoding
from bitwright_core.network.model import Layer, Network
from bitwright_core.network.outputs import Scores, Thresholds, Values, Votes
from bitwright_core.network.pool import MaxPool2d
from bitwright_core.network.values import BINARY, MAX_INTEGER_BITS, NumberType
from bitwright_core.untrusted import decode_json

FORMAT_VERSIONS = (1, 2)
MAX_FILE_BYTES = 1 << 30
_KEY = "bitwright"


OutputKind = Literal["thresholds", "scores", "votes"]


class _DenseHeader(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, tag="dense", tag_field="kind"):
    name: str
    inputs: int
    outputs: int
    output: OutputKind
    integer_bits: int = 0  # of a layer that takes signed integers; 0: it takes bits


class _ConvHeader(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, tag="conv2d", tag_field="kind"):
    name: str
    shape: tuple[int, int, int]
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    padding_value: PaddingValue
    integer_bits: int = 0


class _PoolHeader(msgspec.Struct, forbid_unknown_fields=True, tag="max_pool2d", tag_field="kind"):
    name: str
    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


_LayerHeader = _DenseHeader | _ConvHeader | _PoolHeader


class _ValuesHeader(msgspec.Struct, forbid_unknown_fields=True):
    step: float
    error: float


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    name: str
    input_shape: list[int]
    input_bits: int
    layers: list[_LayerHeader]
    labels: list[str] = []
    values: _ValuesHeader | msgspec.UnsetType = msgspec.UNSET


def _parts(output: Thresholds | Scores | Votes) -> tuple[OutputKind, dict[str, NDArray[Any]]]:
    """How the header names an output, and its tensors."""
    match output:
        case Thresholds(values=values):
            return "thresholds", {"thresholds": values}
        case Scores(scale=scale, offset=offset):
            return "scores", {"scale": scale, "offset": offset}
        case Votes(thresholds=thresholds, votes=votes):
            return "votes", {"thresholds": thresholds, "votes": votes}


def _layer_header(layer: Layer) -> _LayerHeader:
    if isinstance(layer, MaxPool2d):
        return _PoolHeader(
            name=layer.name, shape=layer.shape, kernel=layer.kernel, stride=layer.stride, padding=layer.padding
        )
    bits = 0 if layer.takes.is_binary else layer.takes.bits
    if isinstance(layer, Dense):
        kind, _ = _parts(layer.output)
        return _DenseHeader(name=layer.name, inputs=layer.inputs, outputs=layer.outputs, output=kind, integer_bits=bits)
    return _ConvHeader(
        name=layer.name,
        shape=layer.shape,
        outputs=layer.outputs,
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        padding_value=layer.padding_value,
        integer_bits=bits,
    )


def format_version(network: Network) -> int:
    """The lowest version of the file format that has everything in `network`."""
    named_bits = bool(network.labels) and not network.gives_scores
    return 1 if network.encoding.is_version_1 and network.values is None and not named_bits else 2


def save(network: Network, path: object) -> None:
    """Writes `network` to `path`, atomically. Raises OSError if the folder is missing or full."""
    from safetensors.numpy import save as to_bytes

    tensors: dict[str, NDArray[Any]] = {}
    match network.encoding:
        case Encoding(thresholds=thresholds):
            tensors["encoding.thresholds"] = thresholds
        case IntegerEncoding(table=table):
            tensors["encoding.table"] = table
    for index, layer in enumerate(network.layers):
        if not isinstance(layer, MaxPool2d):
            tensors[f"layers.{index}.weights"] = pack_bits(layer.rows)
            tensors |= {f"layers.{index}.{key}": tensor for key, tensor in _parts(layer.output)[1].items()}
    headers = [_layer_header(layer) for layer in network.layers]
    header = _Header(
        version=format_version(network),
        name=network.name,
        input_shape=list(network.input.shape),
        input_bits=network.input.bits,
        layers=headers,
        labels=list(network.labels),
        values=msgspec.UNSET
        if network.values is None
        else _ValuesHeader(step=network.values.step, error=network.values.error),
    )
    # one metadata key only: safetensors does not keep the order of several
    metadata = {_KEY: msgspec.json.encode(header).decode()}
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_bytes(Path(str(path)), to_bytes(arrays, metadata=metadata))


def load(path: object) -> Network:
    """Reads and checks a network file. Raises NetworkError for a file that is missing, cut or not one."""
    file = Path(str(path))
    if file.is_dir():
        raise NetworkError(f"{file}: a folder, where a network file is expected")
    if not file.is_file():
        raise NetworkError(f"{file}: no such network file")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise NetworkError(f"{file}: larger than {MAX_FILE_BYTES} bytes, which no network file is")
    header, tensors = _read(file)
    try:
        return _network(header, tensors)
    except NetworkError as error:
        raise NetworkError(f"{file}: {error}") from None


def _read(file: Path) -> tuple[_Header, dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            text = (opened.metadata() or {}).get(_KEY)
            if text is None:
                raise NetworkError(_another(file, list(opened.keys())))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{file}: not a readable network file ({error}); was it cut short?") from None
    try:
        header = decode_json(text, dict)
        if "config" in header:
            raise NetworkError(_of_training(file, "data_digest" in header))
        version = header.get("version")
        if version not in FORMAT_VERSIONS or isinstance(version, bool):
            raise NetworkError(
                f"{file}: network format {version!r}, but this bitwright reads formats "
                f"{' and '.join(map(str, FORMAT_VERSIONS))}"
            )
        return decode_json(text, _Header), tensors
    except msgspec.DecodeError as error:
        raise NetworkError(f"{file}: damaged header ({error})") from None


def _another(file: Path, tensors: list[str]) -> str:
    named = f"{', '.join(sorted(tensors)[:3])}{', ...' if len(tensors) > 3 else ''}"
    held = f"{len(tensors)} tensor{'s'[: len(tensors) > 1]} ({named})" if tensors else "no tensors"
    return (
        f"{file}: a safetensors file of another program's, with {held}, and no network of bitwright's; "
        "bitwright import makes one of an ONNX file"
    )


def _of_training(file: Path, checkpoint: bool) -> str:
    what = "a checkpoint that training goes on from" if checkpoint else "the float model that training left"
    beside = file.with_name("network.safetensors")
    where = f"the network is {beside}" if beside.is_file() else "the network is written at the end of bitwright train"
    return f"{file}: {what}, not a network; {where}"


class _Tensors:
    """The tensors of a file, each taken once and of the shape that it must have."""

    def __init__(self, tensors: dict[str, NDArray[Any]]):
        self.tensors = tensors
        self.left = set(tensors)

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name not in self.tensors:
            raise NetworkError(f"tensor {name} is missing")
        self.left.discard(name)
        if self.tensors[name].shape != shape:
            raise NetworkError(f"tensor {name} has shape {self.tensors[name].shape}, expected {shape}")
        return self.tensors[name]

    def weights(self, name: str, outputs: int, inputs: int) -> NDArray[np.uint8]:
        packed = self.take(name, (outputs, -(-inputs // 8)))
        if packed.dtype != np.uint8:
            raise NetworkError(f"tensor {name} must be bytes, not {packed.dtype}")
        if inputs % 8 and np.any(packed[:, -1] >> (inputs % 8)):
            raise NetworkError(f"tensor {name} has bits set beyond its {inputs} inputs")
        return unpack_bits(packed, inputs)

    def output(self, prefix: str, kind: OutputKind, outputs: int) -> Thresholds | Scores | Votes:
        match kind:
            case "thresholds":
                return Thresholds(values=self.take(f"{prefix}.thresholds", (outputs, 1)))
            case "scores":
                return Scores(
                    scale=self.take(f"{prefix}.scale", (outputs,)), offset=self.take(f"{prefix}.offset", (outputs,))
                )
            case "votes":
                return Votes(
                    thresholds=self.take(f"{prefix}.thresholds", (outputs,)),
                    votes=self.take(f"{prefix}.votes", (outputs,)),
                )

    def encoding(self) -> Encoding | IntegerEncoding:
        table = self.tensors.get("encoding.table")
        if table is not None:
            return IntegerEncoding(table=self.take("encoding.table", table.shape))
        present = self.tensors.get("encoding.thresholds")
        levels = (1,) if present is None else present.shape
        return Encoding(thresholds=self.take("encoding.thresholds", levels))


def _takes(bits: int) -> NumberType:
    if not 0 <= bits <= MAX_INTEGER_BITS:
        raise NetworkError(f"integers of {bits} bits; at most {MAX_INTEGER_BITS} can be taken")
    return NumberType(kind="signed", bits=bits) if bits else BINARY


def _layer(header: _LayerHeader, prefix: str, tensors: _Tensors) -> Layer:
    match header:
        case _PoolHeader():
            return MaxPool2d(
                name=header.name,
                shape=header.shape,
                kernel=header.kernel,
                stride=header.stride,
                padding=header.padding,
            )
        case _ConvHeader():
            kernel, channels = header.kernel, header.shape[2]
            if min(*kernel, *header.shape, header.outputs) < 1:
                raise NetworkError(f"layer {header.name}: sizes must be positive")
            rows = tensors.weights(f"{prefix}.weights", header.outputs, kernel[0] * kernel[1] * channels)
            output = tensors.output(prefix, "thresholds", header.outputs)
            assert isinstance(output, Thresholds)
            return Conv2d(
                name=header.name,
                shape=header.shape,
                weights=rows.reshape(header.outputs, *kernel, channels),
                output=output,
                stride=header.stride,
                padding=header.padding,
                padding_value=header.padding_value,
                takes=_takes(header.integer_bits),
            )
        case _DenseHeader():
            if header.inputs < 1 or header.outputs < 1:
                raise NetworkError(f"layer {header.name}: sizes must be positive")
            return Dense(
                name=header.name,
                weights=tensors.weights(f"{prefix}.weights", header.outputs, header.inputs),
                output=tensors.output(prefix, header.output, header.outputs),
                takes=_takes(header.integer_bits),
            )


def _network(header: _Header, arrays: dict[str, NDArray[Any]]) -> Network:
    tensors = _Tensors(arrays)
    encoding = tensors.encoding()
    layers = [_layer(layer, f"layers.{index}", tensors) for index, layer in enumerate(header.layers)]
    if tensors.left:
        raise NetworkError(f"unexpected tensor {min(tensors.left)}")
    network = Network(
        name=header.name,
        input=Input(shape=tuple(header.input_shape), bits=header.input_bits),
        encoding=encoding,
        layers=tuple(layers),
        labels=tuple(header.labels),
        values=None if header.values is msgspec.UNSET else Values(step=header.values.step, error=header.values.error),
    )
    if format_version(network) > header.version:
        raise NetworkError(
            f"a file of format {header.version} with what only format {format_version(network)} has: encodings of "
            "several rows, or of integers of more than 17 bits, values of scores, or labels of bits"
        )
    return network
