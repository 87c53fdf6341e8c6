"""Packing of bits into bytes and words: lane 0 is the least significant bit, everywhere in bitwright."""

import numpy as np
from numpy.typing import NDArray


def pack_bits(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packs 0/1 values (..., lanes) into bytes (..., ceil(lanes / 8)); lanes that only pad are 0."""
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack_bits(packed: NDArray[np.uint8], lanes: int) -> NDArray[np.uint8]:
    """The inverse of `pack_bits`: bytes (..., ceil(lanes / 8)) to 0/1 values (..., lanes)."""
    return np.unpackbits(packed, axis=-1, count=lanes, bitorder="little")


def unpack_fields(packed: NDArray[np.uint8], count: int, width: int) -> NDArray[np.int64]:
    """Reads `count` signed fields of `width` bits (at most 63) from bytes (..., B), field 0 lowest.

    Returns int64 values of shape (..., count), sign extended.
    """
    bits = unpack_bits(packed, count * width).reshape(*packed.shape[:-1], count, width)
    padded = np.zeros((*bits.shape[:-1], 64), np.uint8)
    padded[..., :width] = bits
    padded[..., width:] = bits[..., -1:]
    return np.packbits(padded, axis=-1, bitorder="little").view("<i8")[..., 0]


def to_int(bits: NDArray[np.uint8]) -> int:
    """One row of 0/1 values as a Python integer, lane 0 the least significant bit."""
    return int.from_bytes(pack_bits(bits).tobytes(), "little")
