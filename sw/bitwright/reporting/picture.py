"""Pictures of arrays: PNG as data, one pixel a value, so that a page needs no file beside it."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels (height, width) of grey, or (height, width, 3) of red, green and blue (W3C PNG, 8 bits)."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"a picture is (h, w) or (h, w, 3) of bytes, not {pixels.dtype} of shape {pixels.shape}")
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, _GREY if pixels.ndim == 2 else _RGB, 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # filter 0 each row
    body = zlib.compress(rows.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """The picture as the `src` of an image."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def shades(values: NDArray[Any], largest: int) -> NDArray[np.uint8]:
    """Integers 0 .. `largest` as shades, 0 black."""
    return (np.asarray(values, np.int64) * 255 // max(1, largest)).clip(0, 255).astype(np.uint8)


def frame_picture(values: NDArray[Any], shape: tuple[int, ...], bits: int) -> NDArray[np.uint8]:
    """A frame as people see it: grey (HW, or HWC of one channel), colours (three channels), else channels in a row.

    A flat frame becomes a square if its size is one, or a strip of up to 64 values a row.
    """
    grey = shades(values, (1 << bits) - 1)
    if len(shape) == 3 and shape[2] == 3:
        return grey.reshape(shape)
    if len(shape) == 3:
        return maps(grey.reshape(shape), shape[2])
    if len(shape) == 2:
        return grey.reshape(shape)
    side = int(np.sqrt(grey.size))
    return grey.reshape(side, side) if side * side == grey.size else strip(grey)


def strip(values: NDArray[np.uint8], width: int = 64) -> NDArray[np.uint8]:
    """A list of values as rows of up to `width`; what is left of the last row is grey."""
    width = min(width, values.size)
    rows = -(-values.size // width)
    found = np.full(rows * width, 128, np.uint8)
    found[: values.size] = values
    return found.reshape(rows, width)


def maps(values: NDArray[np.uint8], most: int, across: int = 8) -> NDArray[np.uint8]:
    """The first `most` channels of an image (h, w, c), side by side, `across` in a row, with grey lines between."""
    height, width, channels = values.shape
    count = min(channels, most)
    across = min(across, count)
    down = -(-count // across)
    found = np.full((down * (height + 1) - 1, across * (width + 1) - 1), 128, np.uint8)
    for k in range(count):
        y, x = k // across * (height + 1), k % across * (width + 1)
        found[y : y + height, x : x + width] = values[:, :, k]
    return found
