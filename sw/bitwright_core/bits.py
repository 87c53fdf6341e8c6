"""Packing of bits into bytes and words: lane 0 is the least significant bit, everywhere in bitwright."""

import numpy as np
from numpy.typing import NDArray


def pack_bits(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packs 0/1 values (..., lanes) into bytes (..., ceil(lanes / 8)); lanes that only pad are 0."""
    return np.packbits(bits, axis=-1, bitorder="little")


def unpack_bits(packed: NDArray[np.uint8], lanes: int) -> NDArray[np.uint8]:
    """The inverse of `pack_bits`: bytes (..., ceil(lanes / 8)) to 0/1 values (..., lanes)."""
    return np.unpackbits(packed, axis=-1, count=lanes, bitorder="little")


def pack_planes(numbers: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Packs whole numbers (rows, lanes) of `bits` bits, two's complement, plane by plane, lowest bit first.

    The result is (bits, rows, ceil(lanes / 8)), and (rows, ceil(lanes / 8)) of numbers of one bit.
    """
    if bits == 1:
        return pack_bits(numbers.astype(np.uint8))
    return np.stack([pack_bits((numbers >> bit & 1).astype(np.uint8)) for bit in range(bits)])
