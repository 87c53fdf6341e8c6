"""A single layer as a Network of its own: bits in, bits out, weights given or random."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_core.network import MAX_LANES, Conv2d, Dense, Input, Network, ThresholdEncoding, Thresholds
from bitwright_core.numbers import PaddingValue

_MAX_WEIGHTS = 1 << 28


def dense_layer(
    inputs: int,
    outputs: int,
    *,
    weights: NDArray[Any] | None = None,
    thresholds: NDArray[Any] | None = None,
    seed: int = 0,
) -> Network:
    """A Network of one Dense layer that takes `inputs` bits and gives `outputs` bits.

    `weights` (outputs, inputs) may be 0/1, bool or -1/+1; `thresholds` (outputs,) or (outputs, 1), integers
    in 0 .. inputs + 1. Without both, they are random from `seed`: fair weights, and thresholds near
    inputs / 2, so that about half of the outputs are 1 for random frames.

    Raises DataError for arrays of the wrong shape, type or range.

        network = dense_layer(784, 256, seed=1)
    """
    if inputs < 1 or outputs < 1:
        raise DataError(f"a layer needs at least 1 input and 1 output, not {inputs} and {outputs}")
    _check_size(inputs, outputs)
    if (weights is None) != (thresholds is None):
        raise DataError("weights and thresholds go together: give both, or neither for random ones")
    if weights is None or thresholds is None:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        levels = rng.binomial(inputs, 0.5, (outputs, 1)).astype(np.int64)
    else:
        rows = _weights(np.asarray(weights), inputs, outputs)
        levels = _thresholds(np.asarray(thresholds), outputs)
    return Network(
        name=f"dense_{inputs}x{outputs}",
        input=Input(shape=(inputs,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(Dense(name="dense", weights=rows, output=Thresholds(values=levels)),),
    )


def conv_layer(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    padding_value: PaddingValue = "minus_one",
    weights: NDArray[Any] | None = None,
    thresholds: NDArray[Any] | None = None,
    seed: int = 0,
) -> Network:
    """A Network of one Conv2d layer that takes images of bits, `shape` (height, width, channels), and gives `outputs`
    channels of bits.

    `weights` (outputs, ky, kx, channels) may be 0/1, bool or -1/+1; `thresholds` (outputs,) or (outputs, 1), integers:
    popcounts, or dot products where zeros pad. Without both, they are random from `seed`, about half of the outputs
    being 1 for random frames. `stride` is (down, across), `padding` (top, bottom, left, right).

    Raises DataError for arrays of the wrong shape or type, NetworkError for a window that does not fit.

        network = conv_layer((32, 32, 64), 128, kernel=(3, 3), padding=(1, 1, 1, 1), padding_value="zero")
    """
    full = (outputs, *kernel, shape[2])
    if min(full) < 1:
        raise DataError(f"a convolution needs positive outputs, kernel and channels, not {full}")
    _check_size(kernel[0] * kernel[1] * shape[2], outputs)
    if (weights is None) != (thresholds is None):
        raise DataError("weights and thresholds go together: give both, or neither for random ones")
    lanes = kernel[0] * kernel[1] * shape[2]
    if weights is None or thresholds is None:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, 2, full, dtype=np.uint8)
        levels = rng.binomial(lanes, 0.5, (outputs, 1)).astype(np.int64)
        if padding_value == "zero" and any(padding):
            levels = 2 * levels - lanes
    else:
        given = np.asarray(weights)
        if given.shape != full:
            raise DataError(
                f"weights have shape {given.shape}; this convolution takes (outputs, kernel rows, kernel columns, "
                f"channels), so {full}"
            )
        rows = _weights(given.reshape(outputs, lanes), lanes, outputs).reshape(full)
        levels = _thresholds(np.asarray(thresholds), outputs)
    return Network(
        name=f"conv_{kernel[0]}x{kernel[1]}_{shape[2]}to{outputs}",
        input=Input(shape=shape, bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(
            Conv2d(
                name="conv",
                shape=shape,
                weights=rows,
                output=Thresholds(values=levels),
                stride=stride,
                padding=padding,
                padding_value=padding_value,
            ),
        ),
    )


def _check_size(inputs: int, outputs: int) -> None:
    """Raises DataError for a layer too large, before its weights are drawn."""
    if max(inputs, outputs) > MAX_LANES or inputs * outputs > _MAX_WEIGHTS:
        raise DataError(
            f"a layer of {inputs:,} inputs and {outputs:,} outputs is too large: at most {MAX_LANES:,} of each and "
            f"{_MAX_WEIGHTS:,} weights"
        )


def _weights(array: NDArray[Any], inputs: int, outputs: int) -> NDArray[np.uint8]:
    if array.shape != (outputs, inputs):
        raise DataError(
            f"weights have shape {array.shape}; a layer of {outputs} outputs and {inputs} inputs "
            f"takes ({outputs}, {inputs})"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"weights must be numbers (0/1, bool or -1/+1), not {array.dtype}")
    low = -1 if array.dtype.kind != "b" and bool((array == -1).any()) else 0
    wrong = array[(array != low) & (array != 1)]
    if wrong.size:
        raise DataError(f"weights must be all 0 and 1, or all -1 and +1; found {wrong.flat[0]}")
    return (array == 1).astype(np.uint8)


def _thresholds(array: NDArray[Any], outputs: int) -> NDArray[np.int64]:
    if array.shape not in ((outputs,), (outputs, 1)):
        raise DataError(f"thresholds have shape {array.shape}; {outputs} outputs take ({outputs},)")
    if array.dtype.kind not in "iu":
        raise DataError(f"thresholds must be integers, not {array.dtype}; round them up first")
    if array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise DataError(f"thresholds must be at most the number of inputs plus 1, not {int(array.max())}")
    return array.astype(np.int64).reshape(outputs, 1)


def read_npy(path: Path, what: str) -> NDArray[Any]:
    """The array of a .npy file, pickles refused. Raises DataError naming `what` for anything else."""
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of {what}{did_you_mean_path(path)}") from None
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
        raise DataError(f"{path}: not a .npy file of {what} ({error})") from None
    return array
