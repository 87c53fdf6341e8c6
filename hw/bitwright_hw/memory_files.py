"""Emitted Verilog as Yosys reads it soonest: the contents of memories in files beside it.

Yosys takes 0.7 ms for each word that an initial block assigns, however it is written, and some microseconds for one
that $readmemh reads. What `memory_contents` writes is recognized and read from files; all else stays as it is. The
result is the same design. See docs/decisions/0013-memory-contents.md.
"""

import re
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^  localparam \[\d+:0\] fill_(\w+)_words =([^;]*);\n)?"
    r"^  initial begin : fill_(\w+)\n(.*?)^  end\n",
    re.M | re.S,
)
_LOOP = re.compile(
    r"integer k; for \(k = 0; k < (\d+); k = k \+ 1\) (\\\S+|\w+) ?\[(?:(\d+) \+ )?k\] = "
    r"(?:fill_(\w+)_words\[(\d+) \* k \+: \d+\]|([^;]+));"
)
_WORD = re.compile(r"(\\\S+|\w+) ?\[(\d+)\] = ([^;]+);")
_PIECE = re.compile(r"(\d+)'h([0-9a-f]+)")


def with_files(text: str, folder: Path, name: str) -> str:
    """`text` with $readmemh in place of the blocks that fill memories.

    The files, `name`_0.mem and so on, are written to `folder`, in which Yosys must run.
    """
    parts, position, number = [], 0, 0
    for block in _BLOCK.finditer(text):
        filled = _filled(block)
        if filled is None:
            continue
        memory, start, words = filled
        file = folder / f"{name}_{number}.mem"
        file.write_text("\n".join(words) + "\n")
        number += 1
        read = f'  initial $readmemh("{file.name}", {memory} , {start}, {start + len(words) - 1});\n'
        parts += [text[position : block.start()], read]
        position = block.end()
    return "".join([*parts, text[position:]])


def _filled(block: re.Match[str]) -> tuple[str, int, list[str]] | None:
    """The memory that a block fills, from which word on, and the words in hexadecimal; None for another block."""
    body = " ".join(block[4].split())
    loop = _LOOP.fullmatch(body)
    if loop is not None:
        count, memory, start = int(loop[1]), loop[2], int(loop[3] or 0)
        if loop[4] is None:
            return memory, start, [f"{_value(loop[6]):x}"] * count
        if loop[4] != block[1] or block[1] != block[3]:
            return None
        width, value = int(loop[5]), _value(block[2])
        digits = f"{value:0{width * count}b}"
        return memory, start, [f"{int(digits[k - width : k], 2):x}" for k in range(width * count, 0, -width)]
    words = _WORD.findall(body)
    if not words or block[1] is not None:
        return None
    if _WORD.sub("", body).strip() or len({name for name, _, _ in words}) > 1:
        return None
    start = int(words[0][1])
    if [int(index) for _, index, _ in words] != [*range(start, start + len(words))]:
        return None
    return words[0][0], start, [f"{_value(value):x}" for _, _, value in words]


def _value(text: str) -> int:
    """A constant, or a concatenation of some."""
    value = 0
    for width, digits in _PIECE.findall(text):
        value = value << int(width) | int(digits, 16)
    return value
