"""The network file: one safetensors file, integers only, no pickle. The format is in docs/network.md.

Weights are packed eight lanes a byte, lane 0 lowest; the structure is a JSON text under the metadata key
"bitwright". Files are written to a temporary name and moved into place, so that none is ever half-written.
"""

from collections.abc import Mapping
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
from bitwright_core.network.encoding import IntegerEncoding, ThresholdEncoding
from bitwright_core.numbers import NumberType
from bitwright_core.ops.operator import Facts
from bitwright_core.untrusted import decode_json

FORMAT_VERSIONS = (1, 2, 3)
MAX_FILE_BYTES = 1 << 30
_KEY = "bitwright"


_Layers = TypeVar("_Layers", bound=Facts)


class ValuesHeader(msgspec.Struct, forbid_unknown_fields=True):
    """What scores stand for, in the header of a network file."""

    step: float
    error: float


class Header(msgspec.Struct, Generic[_Layers], forbid_unknown_fields=True):
    """What a network file says beside its tensors."""

    version: int
    name: str
    input_shape: list[int]
    input_bits: int
    layers: list[_Layers]
    labels: list[str] = []
    values: ValuesHeader | msgspec.UnsetType = msgspec.UNSET
    takes: list[list[str]] | msgspec.UnsetType = msgspec.UNSET  # of a graph: for each layer the values that it takes


def _header_type() -> Any:
    """The header, with the facts of any operator for each layer."""
    return Header[Union[tuple(operator.facts_type for operator in ops.OPERATORS)]]  # type: ignore[misc]  # noqa: UP007


def write_file(path: Path, header: Header[Facts], tensors: Mapping[str, NDArray[np.integer]]) -> None:
    """Writes a network file, atomically. Raises OSError if the folder is missing or full."""
    from safetensors.numpy import save

    # one metadata key only: safetensors does not keep the order of several
    metadata = {_KEY: msgspec.json.encode(header).decode()}
    write_bytes(path, save({name: np.ascontiguousarray(each) for name, each in tensors.items()}, metadata=metadata))


def read_file(file: Path) -> tuple[Header[Facts], "FileTensors"]:
    """Header and tensors of a network file. Raises NetworkError for a file that is missing, cut or not one."""
    if file.is_dir():
        raise NetworkError(f"{file}: a folder, where a network file is expected")
    if not file.is_file():
        raise NetworkError(f"{file}: no such network file{did_you_mean_path(file)}")
    if file.stat().st_size > MAX_FILE_BYTES:
        raise NetworkError(f"{file}: larger than {MAX_FILE_BYTES} bytes, which no network file is")
    header, tensors = _parts(file)
    return header, FileTensors(tensors)


def _parts(file: Path) -> tuple[Header[Facts], dict[str, NDArray[Any]]]:
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


class FileTensors:
    """The tensors of a file whose names begin with `prefix`: each taken once, of the shape that it must have."""

    def __init__(self, tensors: dict[str, NDArray[Any]], left: set[str] | None = None, prefix: str = ""):
        self.tensors = tensors
        self.left = set(tensors) if left is None else left
        self.prefix = prefix

    def of(self, prefix: str) -> "FileTensors":
        return FileTensors(self.tensors, self.left, prefix)

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
