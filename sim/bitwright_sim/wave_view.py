"""A save file for GTKWave beside a trace: streams, each layer's results and the scores in groups, marks with names."""

import io
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vcd.gtkw import GTKWSave

from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_core.ports import CLOCK, CONTROL, INPUT, OUTPUT, RESET, accelerator_ports

_SUFFIX = ".gtkw"


def groups(design: Design) -> dict[str, list[tuple[str, int]]]:
    """Signals below the top, with their widths in bits, in the order of a frame's way; by the group's name."""
    manifest = design.manifest
    declared = accelerator_ports(manifest.input.data_bits, registers=bool(manifest.registers))
    ports = {name: port.bits for name, port in declared.items()}

    def bus(prefix: str) -> list[tuple[str, int]]:
        return [(name, bits) for name, bits in ports.items() if name.startswith(f"{prefix}_")]

    found = {"clock and reset": [(CLOCK, 1), (RESET, 1)], "input stream": bus(INPUT)}
    for probe in manifest.probes:
        found[f"layer {probe.layer}: results"] = [(probe.valid, 1), (probe.data, probe.pe * probe.bits)]
    if (score := manifest.score_probe) is not None:
        found["scores"] = [(score.valid, 1), (score.data, score.lanes * score.bits)]
    found["output stream"] = bus(OUTPUT)
    return {**found, "registers": bus(CONTROL)} if manifest.registers else found


def view_file(waves: Path) -> Path:
    """Where the save file of a trace lies."""
    return waves.with_suffix(_SUFFIX)


def write_view(waves: Path, design: Design, scope: str, marks: Mapping[str, int]) -> Path:
    """Writes the save file of the trace `waves`, in which the top is `scope`; `marks` are times in the trace's unit.

    GTKWave has a mark for each letter: the first 26 are set, and a group names them.
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
    return file
