"""The initial contents of memories, written into Verilog in few and short lines.

Amaranth takes some ten microseconds for each bit of a memory, and Yosys writes a statement a word, 93 MB for 10 Mbit in
narrow words. So contents pass by both (bitwright_hw.marked_memories): here words of up to PACKED_BITS bits are packed
into constants, from which a loop fills the memory. The file needs no other beside it, and each word is assigned once,
in an initial block, by a loop of constant bounds or by itself: docs/decisions/0013-memory-contents.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitwright_hw.verilog_lines import INDENT, constant

PACKED_BITS = 64  # words wider than this have a statement each
MOST_BITS = 4096  # of a constant with packed words
MOST_WORDS = 256  # a block: the time that Yosys takes to read an initial block grows with the square of its statements

_MODULE = re.compile(r"^module (\S+)", re.M)
_REGISTER = re.compile(r"^  reg \[\d+:0\] (\S+) +\[(\d+):0\];$", re.M)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """The words of a memory: `bits` (depth, width) are 0 or 1, a word's least significant bit first."""

    bits: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or self.bits.shape[0] < 1 or self.bits.dtype != np.uint8:
            raise ValueError("bits must be an array of uint8 of shape (words, bits of a word)")

    @classmethod
    def of(cls, width: int, words: Sequence[int]) -> "Contents":
        """Words of `width` bits, given as unsigned integers."""
        if words and (min(words) < 0 or max(words) >> width):
            raise ValueError(f"words must be of {width} bits")
        size = -(-width // 8)
        raw = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
        packed = raw.reshape(len(words), size)
        return cls(bits=np.unpackbits(packed, axis=1, bitorder="little", count=width))

    @property
    def width(self) -> int:
        return int(self.bits.shape[1])

    @property
    def depth(self) -> int:
        return int(self.bits.shape[0])

    @cached_property
    def words(self) -> tuple[int, ...]:
        """The words as unsigned integers."""
        packed = np.packbits(self.bits, axis=1, bitorder="little")
        return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)

    def digits(self, start: int, count: int) -> str:
        """Words start .. start + count - 1 as binary digits, the last word first."""
        return (self.bits[start : start + count][::-1, ::-1] + ord("0")).tobytes().decode("ascii")


def put_contents(text: str, contents: dict[tuple[str, str], Contents]) -> str:
    """Verilog by Yosys with `contents` behind the declarations of their memories."""
    parts, position = [], 0
    left = dict(contents)
    modules = [(head.start(), head[1]) for head in _MODULE.finditer(text)]
    number = 0
    for register in _REGISTER.finditer(text):
        while len(modules) > 1 and modules[1][0] < register.start():
            modules.pop(0)
            number = 0
        key = (_rtlil_name(modules[0][1].partition("(")[0]), _rtlil_name(register[1]))
        words = left.pop(key, None)
        if words is None:
            continue
        if words.depth != int(register[2]) + 1:
            raise RuntimeError(f"memory {key[1]} of {key[0]} has {int(register[2]) + 1} words, not {words.depth}")
        parts += [text[position : register.end()], "\n", initial_blocks(register[1], words, number)]
        position = register.end() + 1
        number += 1
    if left:
        raise RuntimeError(f"Yosys' Verilog has no memory {next(iter(left))[1]} in {next(iter(left))[0]}")
    return "".join([*parts, text[position:]])


def _rtlil_name(name: str) -> str:
    return name if name.startswith("\\") else "\\" + name


def initial_blocks(memory: str, contents: Contents, number: int) -> str:
    """Verilog that fills `memory`, the module's memory `number`."""
    name = f"{memory} " if memory.startswith("\\") else memory
    width, depth = contents.width, contents.depth
    count = MOST_WORDS if width > PACKED_BITS else min(MOST_WORDS, MOST_BITS // width)
    lines = []
    for block, start in enumerate(range(0, depth, count)):
        words = min(count, depth - start)
        digits = contents.digits(start, words)
        label = f"{number}_{block}"
        fill = f"{INDENT}initial begin : fill_{label}"
        first = digits[len(digits) - width :]
        uniform = words > 1 and digits == first * words
        if uniform or (width <= PACKED_BITS and words > 1):
            value = constant(first) if uniform else f"fill_{label}_words[{width} * k +: {width}]"
            if not uniform:
                lines.append(f"{INDENT}localparam [{words * width - 1}:0] fill_{label}_words = {constant(digits)};")
            lines += [
                fill,
                f"{INDENT * 2}integer k;",
                f"{INDENT * 2}for (k = 0; k < {words}; k = k + 1)",
                f"{INDENT * 3}{name}[{start} + k] = {value};" if start else f"{INDENT * 3}{name}[k] = {value};",
            ]
        else:
            lines.append(fill)
            for k in range(words):
                end = len(digits) - k * width
                lines.append(f"{INDENT * 2}{name}[{start + k}] = {constant(digits[end - width : end])};")
        lines.append(f"{INDENT}end")
    return "\n".join(lines) + "\n"
