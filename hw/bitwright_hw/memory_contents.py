"""The initial contents of memories: taken out of RTLIL, and written into Verilog in few and short lines.

Yosys writes a statement a word, 93 MB for 10 Mbit in narrow words. Here words of up to PACKED_BITS bits are packed into
constants, from which a loop fills the memory. The file needs no other beside it, and each word is assigned once, in an
initial block, by a loop of constant bounds or by itself: docs/decisions/0013-memory-contents.md.
"""

import re
from dataclasses import dataclass

from bitwright_hw.verilog_lines import INDENT, constant

PACKED_BITS = 64  # words wider than this have a statement each
MOST_BITS = 4096  # of a constant with packed words
MOST_WORDS = 256  # a block: the time that Yosys takes to read an initial block grows with the square of its statements

_CELL = re.compile(r"^ *cell \$meminit_v2 .*?^ *end\n", re.M | re.S)
_MODULE = re.compile(r"^module (\S+)", re.M)
_PARAMETER = re.compile(r'^ *parameter \\(\w+) "?(.*?)"?$', re.M)
_DATA = re.compile(r"^ *connect \\DATA \d+'([01]+)$", re.M)
_REGISTER = re.compile(r"^  reg \[\d+:0\] (\S+) +\[(\d+):0\];$", re.M)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The words of a memory of `width` bits, as binary digits, the last word's first."""

    width: int
    digits: str

    @property
    def depth(self) -> int:
        return len(self.digits) // self.width

    def packed(self, start: int, count: int) -> str:
        """Words start .. start + count - 1 as binary digits, word `start` lowest."""
        end = len(self.digits) - start * self.width
        return self.digits[end - count * self.width : end]


def take_contents(text: str) -> tuple[str, dict[tuple[str, str], Contents]]:
    """RTLIL without the contents of its memories, and those by module and memory, their names as in RTLIL."""
    found: dict[tuple[str, str], Contents] = {}
    kept = []
    module, position = "", 0
    for cell in _CELL.finditer(text):
        before = text[position : cell.start()]
        for name in _MODULE.findall(before):
            module = name
        kept.append(before)
        position = cell.end()
        parameters = dict(_PARAMETER.findall(cell[0]))
        data = _DATA.search(cell[0])
        width, words = int(parameters["WIDTH"]), int(parameters["WORDS"])
        if data is None or len(data[1]) != width * words:
            raise RuntimeError(f"Amaranth writes the contents of a memory in {module} in another way now")
        memory = parameters["MEMID"].replace("\\\\", "\\")
        found[module, memory] = Contents(width=width, digits=data[1])
    kept.append(text[position:])
    return "".join(kept), found


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
        digits = contents.packed(start, words)
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
