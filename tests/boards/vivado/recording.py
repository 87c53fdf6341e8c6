"""What a recorded Vivado script asked for, as a graph: projects, the packaged IP, cells, nets, buses, addresses."""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

RECORDER = Path(__file__).with_name("recorder.tcl")


@dataclass
class Recording:
    """`pins` and `buses` have (from, to); `addresses` (space, segment, offset, range)."""

    status: int = 0
    said: str = ""
    commands: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    cells: dict[str, str] = field(default_factory=dict)  # name to VLNV
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    pins: list[tuple[str, str]] = field(default_factory=list)
    buses: list[tuple[str, str]] = field(default_factory=list)
    addresses: list[tuple[str, str, int, int]] = field(default_factory=list)
    properties: dict[str, dict[str, str]] = field(default_factory=dict)  # of all else, the package's parts too
    inferred: dict[str, tuple[str, ...]] = field(default_factory=dict)  # an interface's VLNV and ports
    associations: list[dict[str, str]] = field(default_factory=list)
    added: list[tuple[str, str, str]] = field(default_factory=list)  # kind, name, of what


def record(script: Path, folder: Path, **answers: str) -> Recording:
    """Runs `script` in tclsh under recorder.tcl; `answers` are what Vivado is to say."""
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("tclsh is missing: apt-get install tcl")
    file = folder / "record.jsonl"
    words = " ".join(f"{{{name}}} {{{value}}}" for name, value in answers.items())
    done = subprocess.run(
        [tclsh, str(RECORDER), str(script), str(file), words], capture_output=True, text=True, check=False, timeout=60
    )
    return parse(file.read_text(), Recording(status=done.returncode, said=done.stdout + done.stderr))


def parse(text: str, result: Recording) -> Recording:
    for line in text.splitlines():
        entry = json.loads(line)
        _apply(result, entry["command"], entry["arguments"], entry["result"])
    return result


def _apply(found: Recording, command: str, words: list[str], result: str) -> None:
    found.commands.append(command)
    options = {a: b for a, b in pairwise(words) if a.startswith("-")}
    if command == "create_project":
        found.parts.append(options["-part"])
    elif command == "add_files":
        found.files.append(words[-1])
    elif command == "create_bd_cell":
        found.cells[words[-1]] = options["-vlnv"]
    elif command == "set_property" and words[0] == "-dict":
        pairs = _words(words[1])
        new = dict(zip(pairs[::2], pairs[1::2], strict=True))
        found.settings.setdefault(words[2], {}).update({k.removeprefix("CONFIG."): v for k, v in new.items()})
    elif command == "set_property":
        found.properties.setdefault(words[2], {})[words[0]] = words[1]
    elif command == "connect_bd_net":
        found.pins += [(words[0], word) for word in words[1:]]
    elif command == "connect_bd_intf_net":
        found.buses.append((words[0], words[1]))
    elif command == "assign_bd_address":
        values = {"-offset", "-range", "-target_address_space"}
        plain = [w for before, w in zip(["", *words], words, strict=False) if before not in values]
        (segment,) = [word for word in plain if not word.startswith("-")]
        space = options["-target_address_space"]
        found.addresses.append((space, segment, int(options["-offset"], 0), int(options["-range"], 0)))
    elif command == "ipx::infer_bus_interface":
        found.inferred[_common(words[0].split())] = (words[1], *words[0].split())
    elif command == "ipx::associate_bus_interfaces":
        found.associations.append({name.removeprefix("-"): value for name, value in options.items()})
    elif command.startswith("ipx::add_"):
        found.added.append((command.removeprefix("ipx::add_"), words[0], words[1]))


def _common(ports: list[str]) -> str:
    return ports[0] if len(ports) == 1 else ports[0].rpartition("_")[0]


def _words(text: str) -> list[str]:
    """The words of a Tcl list without nesting: bare, or in braces."""
    words = []
    rest = text.strip()
    while rest:
        if rest.startswith("{"):
            word, _, rest = rest[1:].partition("}")
        else:
            word, _, rest = rest.partition(" ")
        words.append(word)
        rest = rest.strip()
    return words


def plant(file: Path, old: str, new: str) -> None:
    """Puts a fault into a script: `new` in the place of `old`, which must be there once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new))
