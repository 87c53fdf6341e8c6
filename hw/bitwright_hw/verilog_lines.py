"""Lines of bounded length: Verilog may break between any two tokens, and tools have limits on a line.

Verilator refuses more than 40,000 preprocessor tokens on a line, and editors and diff tools slow down before; Yosys
writes a concatenation of any length on one line.
"""

import re
from collections.abc import Iterator

LINE = 120  # characters of a line, unless one token is longer
PIECE = 256  # bits of a constant on a line
INDENT = "  "

_LONG_CONSTANT = re.compile(r"\b(\d+)'h([0-9a-fx]{65,})")


def constant(digits: str) -> str:
    """Binary `digits` as a Verilog constant: in hexadecimal, pieces of PIECE bits if it is wide."""
    if len(digits) > PIECE:
        first = len(digits) % PIECE or PIECE
        starts = [0, *range(first, len(digits), PIECE)]
        pieces = [digits[start:end] for start, end in zip(starts, [*starts[1:], len(digits)], strict=True)]
        return "{ " + ", ".join(constant(piece) for piece in pieces) + " }"
    return f"{len(digits)}'h{int(digits, 2):0{-(-len(digits) // 4)}x}"


def short_lines(text: str) -> str:
    """Verilog in lines of at most LINE characters, without comments: longer ones are broken at spaces."""
    return "\n".join(part for line in text.split("\n") for part in _parts(line))


def _parts(line: str) -> Iterator[str]:
    if len(line) <= LINE:
        yield line
        return
    line = _LONG_CONSTANT.sub(_pieces, line)
    indent = line[: len(line) - len(line.lstrip())]
    part = indent
    for word in _words(line.lstrip()):
        if part.strip() and len(part) + 1 + len(word) > LINE:
            yield part.rstrip()
            part = indent + 2 * INDENT + word
        else:
            part += f" {word}" if part.strip() else word
    yield part.rstrip()


def _words(line: str) -> Iterator[str]:
    """What stands between spaces; strings are whole."""
    word = ""
    for part in line.split(" "):
        word = f"{word} {part}" if word else part
        if word.count('"') % 2 == 0:
            yield word
            word = ""
    if word:
        yield word


def _pieces(found: re.Match[str]) -> str:
    """A wide hexadecimal constant as a concatenation."""
    width, digits = int(found[1]), found[2]
    size = PIECE // 4
    first = len(digits) % size or size
    starts = [0, *range(first, len(digits), size)]
    pieces = []
    for start, end in zip(starts, [*starts[1:], len(digits)], strict=True):
        below = 4 * (len(digits) - end)
        pieces.append(f"{min(width - below, 4 * (end - start))}'h{digits[start:end]}")
    return "{ " + ", ".join(pieces) + " }"
