"""Initial contents of memories, read from Verilog text: what Yosys would take nearly a millisecond a word for.

An initial block that holds nothing but assignments of constants to words of memories, one by one or by a loop from a
packed constant, is a fill. Anything else is left to Yosys. Synthesis puts files in the place of fills, simulation takes
them out.
"""

import re
from dataclasses import dataclass

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
_BASES = {"h": 16, "d": 10, "b": 2}


@dataclass(frozen=True, kw_only=True)
class Fill:
    """An initial block that fills memories."""

    span: tuple[int, int]  # of the block in the text
    constant: tuple[int, int] | None  # of the packed constant's declaration, where nothing else uses it
    words: dict[str, dict[int, int]]  # of each memory, named as it is written, the word at each address


def _constant(text: str) -> int:
    """The value of a number, or of a concatenation of numbers."""
    value = 0
    for part in text.strip("{} \n\t").split(","):
        size, _, rest = part.strip().partition("'")
        digits = re.sub(r"[_\s]", "", rest[1:])
        value = value << int(size) | int(digits, _BASES[rest[0].lower()]) & (1 << int(size)) - 1
    return value


def fills(text: str) -> list[Fill]:
    """The fills of a text, in order. The names of memories are those of the module around each."""
    packed = list(_PACKED.finditer(text))
    found = []
    for block in _BLOCK.finditer(text):
        if block["words"] is not None:
            written: dict[str, dict[int, int]] = {}
            for name, address, value in _ASSIGNMENT.findall(block["words"]):
                written.setdefault(name, {})[int(address)] = _constant(value)
            found.append(Fill(span=block.span(), constant=None, words=written))
            continue
        count, first, constant = int(block["count"]), int(block["start"] or 0), None
        if block["step"] is None:
            values = [_constant(block["value"])] * count
        else:
            name, width = block["value"].partition("[")[0], int(block["width"])
            declared = [one for one in packed if one[1] == name and one.end() <= block.start()]
            if not declared or int(block["step"]) != width:
                continue
            value, span = declared[-1][2], declared[-1].span()
            whole = bin(_constant(value) | 1 << count * width)[3:]  # digits, the last word's first
            values = [int(whole[(count - 1 - k) * width : (count - k) * width], 2) for k in range(count)]
            if len(re.findall(rf"\b{name}\b", text[span[0] : block.end()])) == 2:
                constant = span
        words = {block["memory"]: {first + k: value for k, value in enumerate(values)}}
        found.append(Fill(span=block.span(), constant=constant, words=words))
    return found


def replaced(text: str, pieces: list[tuple[tuple[int, int], str]]) -> str:
    """`text` with other text in the place of spans."""
    parts, end = [], 0
    for (start, stop), piece in sorted(pieces):
        parts += [text[end:start], piece]
        end = stop
    return "".join([*parts, text[end:]])
