"""A save file for GTKWave beside a trace: streams, each layer's results and the scores in groups, marks with names.

Surfer's command file is written with it (surfer_view.py).
"""

import io
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vcd.gtkw import GTKWSave

from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_sim.surfer_view import write_surfer
from bitwright_sim.wave_groups import groups

_SUFFIX = ".gtkw"


def view_file(waves: Path) -> Path:
    """Where the save file of a trace lies."""
    return waves.with_suffix(_SUFFIX)


def write_view(waves: Path, design: Design, scope: str, marks: Mapping[str, int]) -> Path:
    """Writes the save files of the trace `waves`, in which the top is `scope`; `marks` are times in the trace's unit.

    Returns GTKWave's. GTKWave has a mark for each letter: the first 26 are set, and a group names them.
    """
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(waves.name, abspath=False)
    letters = dict(zip(string.ascii_lowercase, marks.items(), strict=False))
    first = min(marks.values(), default=0)
    times: dict[str, Any] = {letter: time for letter, (_, time) in letters.items()}
    save.zoom_markers(-14.0, first, **times)
    with save.group("marks", closed=True):
        for letter, (name, _) in letters.items():
            save.blank(f"{letter.upper()}: {name}")
    for name, signals in groups(design).items():
        with save.group(name, closed=name == "registers"):
            for signal, bits in signals:
                save.trace(f"{scope}.{signal}" + (f"[{bits - 1}:0]" if bits > 1 else ""), datafmt="hex")
    file = view_file(waves)
    write_text(file, text.getvalue())
    write_surfer(waves, design, scope, marks)
    return file
