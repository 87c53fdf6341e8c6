"""Golden vectors and a plain Verilog testbench of a design, for simulators that bitwright does not drive."""

import os
from pathlib import Path

import numpy as np

from bitwright.api.frames import Frames
from bitwright.pages import page
from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.framing import pack_frames
from bitwright_core.golden import trace
from bitwright_core.ports import CONTROL, accelerator_ports

TESTBENCH, INPUT, EXPECTED = "testbench.v", "input.hex", "expected.hex"


def write_testbench(design: Design, out: Path, frames: Frames) -> tuple[Path, ...]:
    """Writes testbench.v, input.hex and expected.hex to folder `out`: `frames` and what the golden model makes of them.

    The beats are those of `bitwright_core.framing`. The simulator has to run in `out`.
    Raises DesignError for a design that begins without weights.
    """
    manifest, given = design.manifest, design.manifest.input
    if manifest.first_load is not None:
        raise DesignError(
            f"{design.folder} begins without weights: they come over the registers, which a plain testbench leaves "
            "alone; run it with bitwright simulate or verify, or generate the design with its weights in block RAM"
        )
    keep_bits = given.data_bits // 8
    packed = pack_frames(design.network, design.plan, frames.frames).reshape(len(frames.frames), given.beats, keep_bits)
    expected = results_due(design, frames.frames)
    lines = []
    for frame in packed:
        for number, beat in enumerate(frame):
            last = number == given.beats - 1
            kept = given.bytes - (given.beats - 1) * keep_bits if last else keep_bits
            value = int(last) << (given.data_bits + keep_bits) | ((1 << kept) - 1) << given.data_bits
            lines.append(f"{value | int.from_bytes(beat.tobytes(), 'little'):0{-(-(9 * keep_bits + 1) // 4)}x}")
    ports = accelerator_ports(given.data_bits, registers=bool(manifest.registers)).items()
    sources = [os.path.relpath(design.folder / name, out) for name in (*manifest.simulation_models, *manifest.verilog)]
    text = page(
        "testbench.v",
        top=manifest.top,
        frames=len(packed),
        sources=[TESTBENCH, *(name if name.isprintable() else Path(name).name for name in sources)],
        data_bits=given.data_bits,
        keep_bits=keep_bits,
        in_width=given.data_bits + keep_bits + 1,
        in_beats=len(packed) * given.beats,
        out_beats=expected.size,
        watchdog=1000 + 20 * (manifest.interval_cycles + manifest.latency_cycles),
        idle=[(name, port.bits) for name, port in ports if name.startswith(CONTROL) and not port.driven],
    )
    out.mkdir(parents=True, exist_ok=True)
    final = manifest.output.beats - 1
    results = [f"{int(number == final)}{int(word):016x}" for row in expected for number, word in enumerate(row)]
    files = {TESTBENCH: text, INPUT: "\n".join(lines) + "\n", EXPECTED: "\n".join(results) + "\n"}
    for name, content in files.items():
        write_text(out / name, content)
    return tuple(out / name for name in files)


def results_due(design: Design, frames: np.ndarray) -> np.ndarray:
    """The output beats of frames (n, ...) by the golden model: (n, beats) of 64 bits."""
    golden, output = trace(design.network, frames), design.manifest.output
    values = golden.layers[-1].values.reshape(len(frames), -1)
    return output.pack(golden.classes, values).view(np.uint64)
