"""Initial contents of memories, taken out of Verilog text before Yosys reads it.

Yosys makes a cell of every `memory[3] = 12'h0ff;` and takes minutes for a design with deep weight memories. Initial
blocks that hold nothing but such assignments are read here and left out of the text; anything else stays for Yosys.
"""

import re
from collections.abc import Iterable

Contents = dict[tuple[str, str], dict[int, int]]  # by (module, memory): word by address

_NAME = r"(?:\\\S+[ \t]+|[A-Za-z_][\w$]*)"
_WORD = rf"[ \t]*{_NAME}[ \t]*\[\d+\][ \t]*=[ \t]*\d+'[hdbHDB][0-9a-fA-F_]+[ \t]*;[ \t]*\n"
_BLOCK = re.compile(rf"^[ \t]*initial begin[ \t]*\n((?:{_WORD})+)[ \t]*end[ \t]*\n", re.MULTILINE)
_ASSIGNMENT = re.compile(rf"({_NAME})[ \t]*\[(\d+)\][ \t]*=[ \t]*(\d+)'([hdbHDB])([0-9a-fA-F_]+)")
_MODULE = re.compile(rf"^[ \t]*module[ \t]+({_NAME})", re.MULTILINE)
_BASES = {"h": 16, "d": 10, "b": 2}


def _plain(name: str) -> str:
    """A Verilog name without the backslash and the blank of an escaped one."""
    return name.strip().removeprefix("\\")


def take_contents(texts: Iterable[str]) -> tuple[list[str], Contents]:
    """The texts without the initial blocks of memories, and what those blocks held."""
    contents: Contents = {}
    return [_take(text, contents) for text in texts], contents


def _take(text: str, contents: Contents) -> str:
    starts = [(found.start(), _plain(found[1])) for found in _MODULE.finditer(text)]
    pieces: list[str] = []
    end = at = 0
    for block in _BLOCK.finditer(text):
        while at + 1 < len(starts) and starts[at + 1][0] < block.start():
            at += 1
        if not starts or starts[at][0] > block.start():
            continue  # outside any module: not ours to judge
        pieces.append(text[end : block.start()])
        end = block.end()
        for name, address, width, base, digits in _ASSIGNMENT.findall(block[1]):
            words = contents.setdefault((starts[at][1], _plain(name)), {})
            words[int(address)] = int(digits.replace("_", ""), _BASES[base.lower()]) & ((1 << int(width)) - 1)
    pieces.append(text[end:])
    return "".join(pieces)
