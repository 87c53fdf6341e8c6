"""Reading what may come from somebody else: plain names, files inside their folder, sizes that are bounded.

A design folder, or what was built of one, may have been written by anybody. Every name in it is held against the
patterns here when it is read, and every file is found through `file_inside`.
"""

import stat
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from bitwright_core.errors import BitwrightError
from bitwright_core.near import did_you_mean_path

MAX_TEXT_BYTES = 16 << 20  # of a manifest, a plan, build.json
MAX_PIXELS = 1 << 26
MAX_CYCLES = 1 << 48

NAME_PATTERN = r"[a-z][a-z0-9_]{0,47}"  # of a network and of a layer, as checks.check_name has it
Name = Annotated[str, Meta(pattern=rf"\A{NAME_PATTERN}\Z")]
# a Verilog module
Identifier = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,127}\Z")]
# a signal below the top: identifiers with dots between
SignalPath = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,127}(\.[A-Za-z_][A-Za-z0-9_]{0,127}){0,31}\Z")]
# files: no folder, no leading dot or minus, and the suffix that says what tools take it for
VerilogFile = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,123}\.v\Z")]
PlainFile = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,123}\Z")]
BoardName = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,47}\Z")]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Line = Annotated[str, Meta(pattern=r"\A[\x20-\x7e]{0,300}\Z")]

Count = Annotated[int, Meta(ge=1, le=MAX_PIXELS)]
Cycles = Annotated[int, Meta(ge=0, le=MAX_CYCLES)]
Megahertz = Annotated[float, Meta(gt=0, le=10_000)]

_T = TypeVar("_T")


def file_inside(
    folder: Path,
    name: str,
    error: type[BitwrightError],
    *,
    limit: int | None = None,
    remedy: str = "generate the design again",
) -> Path:
    """The regular file `name` in `folder`, or in a folder of it. Raises `error` if it is missing, too large, or not in
    there: a link that leads out, a device, a pipe. `remedy` says what brings it back."""
    path = folder / name
    try:
        inside = path.resolve(strict=True).is_relative_to(folder.resolve())
        facts = path.stat()
    except (OSError, RuntimeError, ValueError):
        hint = "" if folder.exists() else did_you_mean_path(folder, holds=name)
        raise error(f"{folder}: file {name} is missing{hint}; {remedy}") from None
    if not inside:
        raise error(f"{path}: a link that leaves the folder; put the file itself there")
    if not stat.S_ISREG(facts.st_mode):
        raise error(f"{path}: no regular file; {remedy}")
    if limit is not None and facts.st_size > limit:
        raise error(f"{path}: larger than {limit:,} bytes, which bitwright writes none of")
    return path


def decode_json(raw: bytes | str, type_: type[_T]) -> _T:
    """`msgspec.json.decode`, whose every failure, that of nesting without end included, is a msgspec.DecodeError."""
    try:
        return msgspec.json.decode(raw, type=type_)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None


def decode_toml(raw: bytes) -> dict[str, Any]:
    """`msgspec.toml.decode`, whose every failure is a msgspec.DecodeError."""
    try:
        found = msgspec.toml.decode(raw)
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
    except msgspec.DecodeError:
        raise
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise msgspec.DecodeError(str(error)) from None
    assert isinstance(found, dict)  # TOML is a table
    return found
