"""Whether Verilog can do anything but describe hardware.

To simulate or synthesize somebody's Verilog can run their code: `$system` and DPI imports run programs, `$fopen` and
`$dumpfile` write files, `$readmemh` and `include read them, Verilator's `$c` and `systemc_ directives bring in C++.
What bitwright writes needs none of these, so files that have any are refused.

The search is over the text as it stands, comments and strings included, so that nothing hangs on how a tool cuts it
into tokens: each `$` before a letter must begin an allowed function, or lie in an escaped identifier (a name of
Amaranth's); a backtick, with which macros could put words together, is not allowed at all; neither is DPI.
"""

import re
from pathlib import Path

from bitwright_core.errors import DesignError

FUNCTIONS = frozenset({b"$signed", b"$unsigned", b"$clog2"})
_MAX_NAME = 4096
_SIGN = re.compile(rb"[$`]")
_WORD = re.compile(rb"\$[A-Za-z_][A-Za-z0-9_$]*")
# \name$more, to the white space that ends it; Yosys takes functions by the same name with a backslash in front, so a
# name that begins with a dollar sign must be one that Amaranth gives
_ESCAPED = re.compile(rb"\\(?:[A-Za-z0-9_.]|\$(?:(?:signal|like)(?=[\s$])|signature__))[A-Za-z0-9_.$]*(?=\s)")
_DPI = re.compile(rb"\"\s*DPI", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def check_verilog(file: Path) -> None:
    """Raises DesignError, with the line, if `file` has anything by which a tool would run, read or write something."""
    text = file.read_bytes()
    place, what = _first(text)
    if place is not None:
        line = text.count(b"\n", 0, place) + 1
        raise DesignError(
            f"{file}, line {line}: {what} is nothing that bitwright writes, and tools that read it may run programs or "
            "read and write files here; look at the file, and add --trust-verilog if you want that"
        )


def _first(text: bytes) -> tuple[int | None, str]:
    """The place of the first thing that is not allowed, and its name."""
    for found in (_CONTROL.search(text), _DPI.search(text)):
        if found is not None:
            return found.start(), "a control character" if found.re is _CONTROL else "a DPI import"
    for sign in _SIGN.finditer(text):
        at = sign.start()
        if sign[0] == b"`":
            name = re.compile(rb"`\w{0,40}").match(text, at)
            assert name is not None  # it begins there
            return at, f"the directive {name[0].decode()}"
        word = _WORD.match(text, at)
        if word is None or word[0] in FUNCTIONS or _in_escaped(text, at):
            continue
        return at, word[0][:60].decode()
    return None, ""


def _in_escaped(text: bytes, at: int) -> bool:
    """Whether the `$` at `at` lies in an escaped identifier."""
    start = text.rfind(b"\\", max(0, at - _MAX_NAME), at)
    if start < 0:
        return False
    name = _ESCAPED.match(text, start)
    return name is not None and name.end() > at
