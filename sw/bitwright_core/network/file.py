"""The network file: one safetensors file, integers only, no pickle. The format is in docs/network.md.

Weights are packed eight lanes a byte, lane 0 lowest; the structure is a JSON text under the metadata key
"bitwright". Files are written to a temporary name and moved into place, so that none is ever half-written.
"""

from pathlib import Path
from typing import Any, Generic, TypeVar, Union

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_core import ops
from bitwright_core.atomic import write_bytes
from bitwright_core.bits import unpack_bits
from bitwright_core.errors import NetworkError
from bitwright_core.near import did_you_mean_path
from bitwright_core.network.encoding import Input, IntegerEncoding, ThresholdEncoding
from bitwright_core.network.model import Network
from bitwright_core.network.worth import Values
from bitwright_core.numbers import NumberType
from bitwright_core.ops.operator import Facts
from bitwright_core.untrusted import decode_json

FORMAT_VERSIONS = (1, 2, 3)
MAX_FILE_BYTES = 1 << 30
_KEY = "bitwright"
_ADDED = {  # by each version to the one before
    2: "encodings of several rows, or of integers of more than 17 bits, values of scores, or labels of bits",
    3: "thresholds of several levels or from below 0, weights other than -1 and +1, unsigned or ternary numbers, "
    "pools of integers, further kinds of layer, or branches",
}


_Layers = TypeVar("_Layers", bound=Facts)


class _ValuesHeader(msgspec.Struct, forbid_unknown_fields=True):
    step: float
    error: float


class _Header(msgspec.Struct, Generic[_Layers], forbid_unknown_fields=True):
    version: int
    name: str
    input_shape: list[int]
    input_bits: int
    layers: list[_Layers]
    labels: list[str] = []
    values: _ValuesHeader | msgspec.UnsetType = msgspec.UNSET
    takes: list[list[str]] | msgspec.UnsetType = msgspec.UNSET  # of a graph: for each layer the values that it takes


def _header_type() -> Any:
    """The header, with the facts of any operator for each layer."""
    return _Header[Union[tuple(operator.facts_type for operator in ops.OPERATORS)]]  # type: ignore[misc]  # noqa: UP007


def format_version(network: Network) -> int:
    """The lowest version of the file format that has everything in `network`."""
    named_bits = bool(network.labels) and not network.gives_scores
    own = 1 if network.encoding.is_version_1 and network.values is None and not named_bits else 2
    return max(own, 1 if network.is_chain else 3, *(layer.format_version for layer in network.layers))


def save(network: Network, path: object) -> None:
    """Writes `network` to `path`, atomically. Raises OSError if the folder is missing or full."""
    from safetensors.numpy import save as to_bytes

    tensors: dict[str, NDArray[np.integer]] = {
        f"encoding.{key}": tensor for key, tensor in network.encoding.arrays().items()
    }
    for index, layer in enumerate(network.layers):
        tensors |= {f"layers.{index}.{key}": tensor for key, tensor in layer.arrays().items()}
    worth = network.values
    header = _Header(
        version=format_version(network),
        name=network.name,
        input_shape=list(network.input.shape),
        input_bits=network.input.bits,
        layers=[layer.facts() for layer in network.layers],
        labels=list(network.labels),
        values=msgspec.UNSET if worth is None else _ValuesHeader(step=worth.step, error=worth.error),
        takes=msgspec.UNSET if network.is_chain else [list(names) for names in network.takes],
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
        raise NetworkError(f"{file}: no such network file{did_you_mean_path(file)}")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise NetworkError(f"{file}: larger than {MAX_FILE_BYTES} bytes, which no network file is")
    header, tensors = _read(file)
    try:
        return _network(header, tensors)
    except NetworkError as error:
        raise NetworkError(f"{file}: {error}") from None


def _read(file: Path) -> tuple[_Header[Facts], dict[str, NDArray[Any]]]:
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
                f"{FORMAT_VERSIONS[0]} to {FORMAT_VERSIONS[-1]}"
            )
        return decode_json(text, _header_type()), tensors
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
    """The tensors of a file whose names begin with `prefix`: each taken once, of the shape that it must have."""

    def __init__(self, tensors: dict[str, NDArray[Any]], left: set[str] | None = None, prefix: str = ""):
        self.tensors = tensors
        self.left = set(tensors) if left is None else left
        self.prefix = prefix

    def of(self, prefix: str) -> "_Tensors":
        return _Tensors(self.tensors, self.left, prefix)

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        full = self.prefix + name
        if full not in self.tensors:
            raise NetworkError(f"tensor {full} is missing")
        self.left.discard(full)
        if self.tensors[full].shape != shape:
            raise NetworkError(f"tensor {full} has shape {self.tensors[full].shape}, expected {shape}")
        return self.tensors[full]

    def bits(self, name: str, rows: int, lanes: int) -> NDArray[np.uint8]:
        return self._unpacked(name, (rows, -(-lanes // 8)), lanes)

    def numbers(self, name: str, rows: int, lanes: int, number: NumberType) -> NDArray[np.integer]:
        if number.bits == 1:
            return self.bits(name, rows, lanes)
        planes = self._unpacked(name, (number.bits, rows, -(-lanes // 8)), lanes)
        total = np.zeros((rows, lanes), np.int64)
        for plane, worth in zip(planes, number.planes, strict=True):
            total += worth * plane.astype(np.int64)
        return total

    def _unpacked(self, name: str, shape: tuple[int, ...], lanes: int) -> NDArray[np.uint8]:
        packed = self.take(name, shape)
        if packed.dtype != np.uint8:
            raise NetworkError(f"tensor {self.prefix}{name} must be bytes, not {packed.dtype}")
        if lanes % 8 and np.any(packed[..., -1] >> (lanes % 8)):
            raise NetworkError(f"tensor {self.prefix}{name} has bits set beyond its {lanes} inputs")
        return unpack_bits(packed, lanes)

    def encoding(self) -> ThresholdEncoding | IntegerEncoding:
        table = self.tensors.get("encoding.table")
        if table is not None:
            return IntegerEncoding(table=self.take("encoding.table", table.shape))
        present = self.tensors.get("encoding.thresholds")
        levels = (1,) if present is None else present.shape
        return ThresholdEncoding(thresholds=self.take("encoding.thresholds", levels))


def _network(header: _Header[Facts], arrays: dict[str, NDArray[Any]]) -> Network:
    tensors = _Tensors(arrays)
    encoding = tensors.encoding()
    layers = [facts.build(tensors.of(f"layers.{index}.")) for index, facts in enumerate(header.layers)]
    if tensors.left:
        raise NetworkError(f"unexpected tensor {min(tensors.left)}")
    network = Network(
        name=header.name,
        input=Input(shape=tuple(header.input_shape), bits=header.input_bits),
        encoding=encoding,
        layers=tuple(layers),
        takes=() if header.takes is msgspec.UNSET else tuple(map(tuple, header.takes)),
        labels=tuple(header.labels),
        values=None if header.values is msgspec.UNSET else Values(step=header.values.step, error=header.values.error),
    )
    if format_version(network) > header.version:
        raise NetworkError(
            f"a file of format {header.version} with what only format {format_version(network)} has: "
            f"{_ADDED[format_version(network)]}"
        )
    return network
