"""A command file for Surfer beside a trace: what wave_view.py writes for GTKWave, in the commands of Surfer's prompt.

Surfer reads a line as a command and its words, `#` begins a comment, `;` the next command; a divider's and a mark's
name is one word (libsurfer/src/batch_commands.rs, command_parser.rs and fzcmd.rs, as of 0.5). So the groups of the save
file become dividers, and blanks and signs of names underscores.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_sim.wave_groups import groups

_SUFFIX = ".sucl"


def surfer_file(waves: Path) -> Path:
    """Where the command file of a trace lies."""
    return waves.with_suffix(_SUFFIX)


def surfer_command(waves: Path) -> str:
    """The line that opens a trace in Surfer with its command file."""
    return f"surfer {waves} --command-file {surfer_file(waves)}"


def write_surfer(waves: Path, design: Design, scope: str, marks: Mapping[str, int]) -> Path:
    """Writes the command file of the trace `waves`, in which the top is `scope`; `marks` are in the trace's unit."""
    lines = [f"# surfer {waves.name} --command-file {surfer_file(waves).name}"]
    for name, signals in groups(design).items():
        lines.append(f"divider_add {_word(name)}")
        lines += [f"variable_add {scope}.{signal}" for signal, _ in signals]
    lines += [f"marker_set {_word(name)} {time}" for name, time in marks.items()]
    if marks:
        lines.append(f"cursor_set {min(marks.values())}")
    file = surfer_file(waves)
    write_text(file, "\n".join(lines) + "\n")
    return file


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name)
