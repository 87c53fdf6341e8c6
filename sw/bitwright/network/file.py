"""The network file: one safetensors file, integers only, no pickle. The format is in docs/network.md.

Weights are packed eight lanes a byte, lane 0 lowest; the structure is a JSON text under the metadata key
"bitwright". Files are written to a temporary name and moved into place, so that none is ever half-written.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright.atomic import write_bytes
from bitwright.errors import NetworkError
from bitwright.network.bits import pack_bits, unpack_bits
from bitwright.network.model import Dense, Encoding, Input, Network, Scores, Thresholds

FORMAT_VERSION = 1
MAX_FILE_BYTES = 1 << 30
_KEY = "bitwright"


class _DenseHeader(msgspec.Struct, forbid_unknown_fields=True, tag="dense", tag_field="kind"):
    name: str
    inputs: int
    outputs: int
    output: Literal["thresholds", "scores"]


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    name: str
    input_shape: list[int]
    input_bits: int
    layers: list[_DenseHeader]
    labels: list[str] = []


def save(network: Network, path: object) -> None:
    """Writes `network` to `path`, atomically. Raises OSError if the folder is missing or full."""
    from safetensors.numpy import save as to_bytes

    tensors: dict[str, NDArray[Any]] = {"encoding.thresholds": network.encoding.thresholds}
    headers = []
    for index, layer in enumerate(network.layers):
        tensors[f"layers.{index}.weights"] = pack_bits(layer.weights)
        match layer.output:
            case Thresholds(values=values):
                tensors[f"layers.{index}.thresholds"] = values
                kind: Literal["thresholds", "scores"] = "thresholds"
            case Scores(scale=scale, offset=offset):
                tensors[f"layers.{index}.scale"] = scale
                tensors[f"layers.{index}.offset"] = offset
                kind = "scores"
        headers.append(_DenseHeader(name=layer.name, inputs=layer.inputs, outputs=layer.outputs, output=kind))
    header = _Header(
        version=FORMAT_VERSION,
        name=network.name,
        input_shape=list(network.input.shape),
        input_bits=network.input.bits,
        layers=headers,
        labels=list(network.labels),
    )
    # one metadata key only: safetensors does not keep the order of several
    metadata = {_KEY: msgspec.json.encode(header).decode()}
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_bytes(Path(str(path)), to_bytes(arrays, metadata=metadata))


def load(path: object) -> Network:
    """Reads and checks a network file. Raises NetworkError for a file that is missing, cut or not one."""
    file = Path(str(path))
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
                raise NetworkError(f"{file}: a safetensors file, but not one that bitwright wrote (no {_KEY!r})")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{file}: not a readable network file ({error}); was it cut short?") from None
    try:
        version = msgspec.json.decode(text).get("version")
        if version != FORMAT_VERSION:
            raise NetworkError(f"{file}: network format {version!r}, but this bitwright reads format {FORMAT_VERSION}")
        return msgspec.json.decode(text, type=_Header), tensors
    except (msgspec.DecodeError, AttributeError) as error:
        raise NetworkError(f"{file}: damaged header ({error})") from None


def _network(header: _Header, tensors: dict[str, NDArray[Any]]) -> Network:
    used: set[str] = set()

    def take(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name not in tensors:
            raise NetworkError(f"tensor {name} is missing")
        used.add(name)
        if tensors[name].shape != shape:
            raise NetworkError(f"tensor {name} has shape {tensors[name].shape}, expected {shape}")
        return tensors[name]

    levels = tensors["encoding.thresholds"].shape if "encoding.thresholds" in tensors else (1,)
    encoding = Encoding(thresholds=take("encoding.thresholds", levels))
    layers = []
    for index, layer in enumerate(header.layers):
        prefix = f"layers.{index}"
        if layer.inputs < 1 or layer.outputs < 1:
            raise NetworkError(f"layer {layer.name}: sizes must be positive")
        packed = take(f"{prefix}.weights", (layer.outputs, -(-layer.inputs // 8)))
        if packed.dtype != np.uint8:
            raise NetworkError(f"tensor {prefix}.weights must be bytes, not {packed.dtype}")
        if layer.inputs % 8 and np.any(packed[:, -1] >> (layer.inputs % 8)):
            raise NetworkError(f"tensor {prefix}.weights has bits set beyond its {layer.inputs} inputs")
        output: Thresholds | Scores
        if layer.output == "thresholds":
            output = Thresholds(values=take(f"{prefix}.thresholds", (layer.outputs, 1)))
        else:
            output = Scores(
                scale=take(f"{prefix}.scale", (layer.outputs,)),
                offset=take(f"{prefix}.offset", (layer.outputs,)),
            )
        layers.append(Dense(name=layer.name, weights=unpack_bits(packed, layer.inputs), output=output))
    if extra := sorted(set(tensors) - used):
        raise NetworkError(f"unexpected tensor {extra[0]}")
    return Network(
        name=header.name,
        input=Input(shape=tuple(header.input_shape), bits=header.input_bits),
        encoding=encoding,
        layers=tuple(layers),
        labels=tuple(header.labels),
    )
