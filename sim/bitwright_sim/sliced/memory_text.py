"""Initial contents of memories, taken out of Verilog text before Yosys reads it."""

import re
from collections.abc import Iterable

from bitwright_core.verilog_memories import fills, replaced

Contents = dict[tuple[str, str], dict[int, int]]  # by (module, memory): word by address
_MODULE = re.compile(r"^[ \t]*module[ \t]+(\\\S+[ \t]+|[A-Za-z_][\w$]*)", re.MULTILINE)


def _plain(name: str) -> str:
    """A Verilog name without the backslash and the blank of an escaped one."""
    return name.strip().removeprefix("\\")


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
    cuts = []
    for fill in fills(text):
        for name, words in fill.words.items():
            contents.setdefault((module, _plain(name)), {}).update(words)
        cuts += [(span, "") for span in (fill.span, fill.constant) if span is not None]
    return replaced(text, cuts)
