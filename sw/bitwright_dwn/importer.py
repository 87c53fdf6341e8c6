"""A torch-dwn model to a Network, bit for bit."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bitwright_core.errors import NetworkError
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import GroupSum, Input, Luts, Network, ThresholdEncoding

_LAYER = re.compile(r"(?:(.*)\.)?(luts|tables|mapping|mapping\.weights|indices)")
_TABLES = ("luts", "tables")
_WIRES = ("mapping", "indices")
_SCORES = "mapping.weights"


def import_dwn(
    path: Path,
    *,
    classes: int,
    thresholds: Sequence[Sequence[int]] | Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
    input_bits: int = 8,
    name: str | None = None,
) -> Network:
    """The network of a torch-dwn model's state dict (.safetensors), or of an .npz with the same keys.

    Each layer has `luts` (neurons, 2^n), entries above 0 being 1 (or `tables` of 0 and 1), and `mapping` (neurons, n),
    or the scores of a learned one, `mapping.weights` (inputs, neurons * n); the layers go by the order of their names.
    Bit k of an address is the input that column k of the mapping names. The last layer's bits are summed in a group for
    each class, as torch-dwn's GroupSum does: groups of equal size but for the last.

    `thresholds` are those of the thermometer code, one list for all values or one for each value, unless the file has
    `thresholds`: a value's bit is 1 where it is at least the threshold (torch-dwn's is above it: for whole numbers
    take the next one). `shape` is that of a frame of values of `input_bits` bits, flat unless said.
    Raises NetworkError for what does not fit.
    """
    arrays = _read(path)
    given: Any = arrays.pop("thresholds", None) if thresholds is None else np.asarray(thresholds)
    if given is None:
        raise NetworkError(f"{path}: has no thresholds; give those of the thermometer code")
    if not np.all(np.equal(np.mod(given, 1), 0)):
        raise NetworkError(f"{path}: thresholds must be whole numbers; a value is at least one where it is above t - 1")
    levels = np.asarray(given, np.int64)
    tables = _layers(arrays, path)
    lanes = len(levels.reshape(-1)) if levels.ndim == 2 else None
    layers: list[Luts | GroupSum] = []
    frame = tuple(shape) if shape is not None else None
    inputs = lanes if frame is None else int(np.prod(frame)) * levels.shape[-1]
    for k, (where, parts) in enumerate(tables):
        inputs = _inputs(parts, where, inputs, path)
        layers.append(_layer(f"luts{k}", parts, inputs, f"{path}: layer {where or k}"))
        inputs = layers[-1].outputs
    layers.append(GroupSum(name="sums", groups=_groups(layers[-1].outputs, classes, path)))
    first = layers[0].inputs
    if frame is None:
        if first % levels.shape[-1]:
            raise NetworkError(f"{path}: {first} inputs are no multiple of {levels.shape[-1]} thresholds a value")
        frame = (first // levels.shape[-1],)
    return Network(
        name=name or re.sub(r"[^a-z0-9_]", "_", f"n_{path.stem}".lower())[2:50].lstrip("_0123456789") or "dwn",
        input=Input(shape=frame, bits=input_bits),
        encoding=ThresholdEncoding(thresholds=levels),
        layers=tuple(layers),
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .safetensors or .npz file; pickles are not opened. Raises NetworkError."""
    if not path.is_file():
        raise NetworkError(f"{path}: no such file{did_you_mean_path(path)}")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as opened:
                return {key: opened[key] for key in opened.files}
        if path.suffix == ".safetensors":
            return load_file(path)
    except (OSError, ValueError, BadZipFile, SafetensorError) as error:
        raise NetworkError(f"{path}: cannot be read ({error})") from None
    raise NetworkError(
        f"{path}: must be a .safetensors file or an .npz; save a state dict with safetensors.torch.save_file"
    )


def _layers(arrays: Mapping[str, NDArray[Any]], path: Path) -> list[tuple[str, dict[str, NDArray[Any]]]]:
    """The arrays of each layer and its name, in the order of the numbers in the names."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        match = _LAYER.fullmatch(key)
        if match:
            where = match[1] or ""
            part = match[2]
            found.setdefault(where, {})[part] = array
    layers = {where: parts for where, parts in found.items() if any(key in parts for key in _TABLES)}
    if not layers:
        raise NetworkError(f"{path}: has no layer of tables; keys such as 0.luts and 0.mapping are looked for")
    return sorted(layers.items(), key=lambda item: [int(n) for n in re.findall(r"\d+", item[0])])


def _inputs(parts: Mapping[str, NDArray[Any]], where: str, known: int | None, path: Path) -> int:
    """How many inputs a layer has: as its scores say, else as `known`, else as many as its wires reach."""
    if _SCORES in parts and parts[_SCORES].ndim == 2:
        told = len(parts[_SCORES])
        if known is not None and told != known:
            raise NetworkError(f"{path}: layer {where} takes {told} inputs, but {known} are there")
        return told
    if known is not None:
        return known
    wires = next((parts[key] for key in _WIRES if key in parts), None)
    if wires is None or not wires.size:
        raise NetworkError(f"{path}: layer {where} has tables and no mapping")
    raise NetworkError(f"{path}: how many values a frame has is not told; give its shape")


def _layer(name: str, parts: Mapping[str, NDArray[Any]], inputs: int, where: str) -> Luts:
    """A layer. Raises NetworkError, naming `where`."""
    latent = parts.get("luts")
    tables = np.asarray(parts["tables"] if latent is None else latent > 0)
    if tables.ndim != 2 or tables.shape[1] not in (2, 4, 8, 16, 32, 64):
        raise NetworkError(f"{where}: tables must have shape (neurons, 2^n), n from 1 to 6, not {tables.shape}")
    if latent is not None and not np.isfinite(latent).all():
        raise NetworkError(f"{where}: tables hold NaN or infinities")
    fan_in = tables.shape[1].bit_length() - 1
    wires = next((parts[key] for key in _WIRES if key in parts), None)
    if wires is None and _SCORES in parts:
        wires = parts[_SCORES].argmax(axis=0)
    if wires is None or wires.size != len(tables) * fan_in:
        found = "none" if wires is None else str(wires.shape)
        raise NetworkError(f"{where}: {len(tables)} neurons of {fan_in} inputs need a mapping of as many, not {found}")
    return Luts(
        name=name,
        inputs=inputs,
        wires=wires.reshape(len(tables), fan_in).astype(np.int64),
        tables=tables.astype(np.uint8),
    )


def _groups(bits: int, classes: int, path: Path) -> tuple[int, ...]:
    """The sizes of the classes' groups: torch-dwn fills up with zeros at the end. Raises NetworkError."""
    size = -(-bits // classes) if classes > 0 else 0
    last = bits - size * (classes - 1)
    if size < 1 or last < 1:
        raise NetworkError(f"{path}: {bits} bits of the last layer cannot be shared by {classes} classes")
    return (*(size,) * (classes - 1), last)
