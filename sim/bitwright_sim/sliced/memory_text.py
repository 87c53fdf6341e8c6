"""Initial contents of memories, taken out of Verilog text before Yosys reads it.

Yosys takes nearly a millisecond for a word, whatever the form. Initial blocks that hold nothing but assignments of
constants to words of a memory, one by one or by a loop from a packed constant, are read here and left out of the
text; anything else stays for Yosys.
"""

import re
from collections.abc import Iterable

Contents = dict[tuple[str, str], dict[int, int]]  # by (module, memory): word by address

_NAME = r"(?:\\\S+[ \t]+|[A-Za-z_][\w$]*)"
_NUMBER = r"\d+'[hdbHDB][0-9a-fA-F_\s]+"
_VALUE = rf"(?:{_NUMBER}|\{{[^{{}};]*\}})"
_LABEL = r"(?:[ \t]*:[ \t]*\w+)?"
_WORD = rf"\s*{_NAME}[ \t]*\[\d+\][ \t]*=\s*{_VALUE}\s*;[ \t]*\n"
_LOOP = (
    rf"\s*integer (?P<k>\w+);\s*for \((?P=k) = 0; (?P=k) < (?P<count>\d+); (?P=k) = (?P=k) \+ 1\)\s*"
    rf"(?P<memory>{_NAME})[ \t]*\[(?:(?P<start>\d+) \+ )?(?P=k)\][ \t]*=\s*"
    rf"(?P<value>{_VALUE}|\w+\[(?P<step>\d+) \* (?P=k) \+: (?P<width>\d+)\])\s*;[ \t]*\n"
)
_BLOCK = re.compile(
    rf"^[ \t]*initial begin{_LABEL}[ \t]*\n(?:(?P<words>(?:{_WORD})+)|{_LOOP})[ \t]*end[ \t]*\n", re.MULTILINE
)
_ASSIGNMENT = re.compile(rf"({_NAME})[ \t]*\[(\d+)\][ \t]*=\s*({_VALUE})\s*;")
_PACKED = re.compile(rf"^[ \t]*localparam \[\d+:0\] (\w+) =\s*({_VALUE})\s*;[ \t]*\n", re.MULTILINE)
_MODULE = re.compile(rf"^[ \t]*module[ \t]+({_NAME})", re.MULTILINE)
_BASES = {"h": 16, "d": 10, "b": 2}


def _plain(name: str) -> str:
    """A Verilog name without the backslash and the blank of an escaped one."""
    return name.strip().removeprefix("\\")


def _constant(text: str) -> int:
    """The value of a number, or of a concatenation of numbers."""
    value = 0
    for part in text.strip("{} \n\t").split(","):
        size, _, rest = part.strip().partition("'")
        digits = re.sub(r"[_\s]", "", rest[1:])
        value = value << int(size) | int(digits, _BASES[rest[0].lower()]) & (1 << int(size)) - 1
    return value


def take_contents(texts: Iterable[str]) -> tuple[list[str], Contents]:
    """The texts without the initial blocks of memories, and what those blocks held."""
    contents: Contents = {}
    return [_take(text, contents) for text in texts], contents


def _take(text: str, contents: Contents) -> str:
    modules = [(found.start(), _plain(found[1])) for found in _MODULE.finditer(text)]
    pieces: list[str] = []
    end = 0
    for at, (start, module) in enumerate(modules):
        stop = modules[at + 1][0] if at + 1 < len(modules) else len(text)
        pieces += [text[end:start], _module(text[start:stop], module, contents)]
        end = stop
    pieces.append(text[end:])
    return "".join(pieces)


def _module(text: str, module: str, contents: Contents) -> str:
    """A module's text without what `contents` takes."""
    packed = {found[1]: (found[2], found.span()) for found in _PACKED.finditer(text)}
    cuts: list[tuple[int, int]] = []
    for block in _BLOCK.finditer(text):
        if block["words"] is not None:
            for name, address, value in _ASSIGNMENT.findall(block["words"]):
                contents.setdefault((module, _plain(name)), {})[int(address)] = _constant(value)
            cuts.append(block.span())
            continue
        count, first = int(block["count"]), int(block["start"] or 0)
        if block["step"] is None:
            values = [_constant(block["value"])] * count
        else:
            name, width = block["value"].partition("[")[0], int(block["width"])
            if name not in packed or int(block["step"]) != width:
                continue
            value, span = packed[name]
            whole = bin(_constant(value) | 1 << count * width)[3:]  # digits, the last word's first
            values = [int(whole[(count - 1 - k) * width : (count - k) * width], 2) for k in range(count)]
            if len(re.findall(rf"\b{name}\b", text[span[0] : block.end()])) == 2:
                cuts.append(span)
        words = contents.setdefault((module, _plain(block["memory"])), {})
        words.update({first + k: value for k, value in enumerate(values)})
        cuts.append(block.span())
    pieces, end = [], 0
    for start, stop in sorted(cuts):
        pieces.append(text[end:start])
        end = stop
    return "".join([*pieces, text[end:]])
