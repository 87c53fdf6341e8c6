"""A testbench in plain Verilog, the same text for Icarus and Verilator: results, probes, cycles, pauses on both sides.

Several designs stand in one simulator, which builds faster than one for each. A design runs three times over: with no
pauses, with pauses at random, and with pauses so long that all of its buffers fill and run empty. Each run tells what
differed from the golden model, of results and of every probed integer, and in which cycles results came.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment

from bitwright.testbench import results_due
from bitwright_core.derived import CLASS, OUTPUT
from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.ports import CONTROL, accelerator_ports
from bitwright_sim.compare import expected_values
from bitwright_sim.native.build import Probe, probes
from bitwright_sim.tools import Compiler, Icarus, Verilator

FRAMES = 6  # of each run at least; the interval is measured over the last half of them
RUNS = ("without pauses", "with random pauses", "with long pauses")

CLOCKED = """\
module clocked;
  reg clk = 0;
  always #1 clk = !clk;
  benches all(.clk(clk));
endmodule
"""

MAIN = """\
#include "Vbenches.h"
#include "verilated.h"
int main() {
    VerilatedContext context;
    Vbenches top{&context};
    while (!context.gotFinish()) {
        context.timeInc(1);
        top.clk = !top.clk;
        top.eval();
    }
    top.final();
    return 0;
}
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A design and the frames (n, ...) that it is given; n as frames_for says, or more."""

    design: Design
    frames: np.ndarray


def frames_for(design: Design) -> int:
    """So many frames that the last half of them come when the pipeline is full, and what waited in it has gone."""
    manifest = design.manifest
    return FRAMES + min(40, 2 * -(-manifest.latency_cycles // manifest.interval_cycles))


def _page(name: str, **names: object) -> str:
    text = Path(__file__).with_name(name).read_text()
    return Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(text).render(**names) + "\n"


def _inputs(case: Case) -> str:
    """The input beats, a line each: TLAST, TKEEP, TDATA."""
    given = case.design.manifest.input
    lanes = given.data_bits // 8
    lines = []
    packed = pack_frames(case.design.network, case.design.plan, case.frames)
    for frame in packed.reshape(len(packed), given.beats, lanes):
        for number, data in enumerate(frame):
            last = number == given.beats - 1
            kept = given.bytes - number * lanes if last else lanes
            head = int(last) << lanes | ((1 << kept) - 1)
            lines.append(f"{head << given.data_bits | int.from_bytes(data.tobytes(), 'little'):x}")
    return "\n".join(lines) + "\n"


def _results_due(case: Case) -> str:
    rows = results_due(case.design, case.frames)
    final = rows.shape[1] - 1
    return "".join(f"{int(beat == final)}{int(word):016x}\n" for row in rows for beat, word in enumerate(row))


def _words(values: np.ndarray, probe: Probe) -> str:
    """What the probe must show for `values` (frames, pixels x values), a line a word: which bits count, and those."""
    pixels = values.reshape(len(values) * probe.pixels, probe.values)
    words, field = probe.words // probe.pixels, (1 << probe.bits) - 1
    lines = []
    for row in pixels.tolist():
        for start in range(0, words * probe.fields, probe.fields):
            mask = bits = 0
            for place, value in enumerate(row[start : start + probe.fields]):
                mask |= field << place * probe.bits
                bits |= (value & field) << place * probe.bits
            lines.append(f"{mask << probe.width | bits:x}\n")
    return "".join(lines)


def _bench(number: int, case: Case, seed: int) -> str:
    manifest, given = case.design.manifest, case.design.manifest.input
    ports = accelerator_ports(given.data_bits).items()
    return _page(
        "bench.v.j2",
        k=number,
        top=manifest.top,
        frames=len(case.frames),
        data_bits=given.data_bits,
        in_width=given.data_bits + given.data_bits // 8 + 1,
        in_beats=len(case.frames) * given.beats,
        out_beats=len(case.frames) * manifest.output.beats,
        probes=probes(manifest),
        idle=[(name, port.bits) for name, port in ports if name.startswith(CONTROL) and not port.driven],
        longest=manifest.latency_cycles + len(case.frames) * manifest.interval_cycles,
        settle=64 + manifest.interval_cycles,
        watchdog=200 + 2 * (manifest.latency_cycles + 4 * manifest.interval_cycles),
        seed=2 * seed + 1,
    )


def write_benches(cases: list[Case], folder: Path, seed: int = 0) -> list[Path]:
    """Writes the testbench of `cases` and what it reads to `folder`; its Verilog sources, those of the designs too."""
    texts, sources = [], []
    for number, case in enumerate(cases):
        texts.append(_bench(number, case, seed + number))
        values = expected_values(case.design.network, case.frames)[1]
        shown = [array for name, array in values.items() if name not in (CLASS, OUTPUT)]
        (folder / f"{number}.in.hex").write_text(_inputs(case))
        (folder / f"{number}.out.hex").write_text(_results_due(case))
        for place, (array, probe) in enumerate(zip(shown, probes(case.design.manifest), strict=True)):
            (folder / f"{number}.p{place}.hex").write_text(_words(array, probe))
        sources += case.design.simulation_sources
    (folder / "benches.v").write_text("".join(texts) + _page("benches.v.j2", count=len(cases)))
    return [folder / "benches.v", *dict.fromkeys(path.resolve() for path in sources)]


def _said(command: list[object], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def run_icarus(sources: list[Path], folder: Path) -> str:
    """What the testbench says in Icarus Verilog, which knows X and Z."""
    icarus = Icarus.find()
    (folder / "clocked.v").write_text(CLOCKED)
    options = ["-g2005-sv", "-s", "clocked", "-o", "benches.vvp"]
    _said([icarus.executable, *options, "clocked.v", *sources], folder, icarus.environment())
    return _said([icarus.executable.with_name("vvp"), "-n", "benches.vvp"], folder, icarus.environment())


def run_verilator(sources: list[Path], folder: Path, cache: Path) -> str:
    """What the testbench says in Verilator; `cache` keeps the objects of its runtime."""
    tool, compiler = Verilator.find(), Compiler.find()
    (folder / "main.cpp").write_text(MAIN)
    command = [
        tool.executable,
        "--cc",
        "--exe",
        "--build",
        "--top",
        "benches",
        "--Mdir",
        "verilated",
        "-O3",
        "--output-split",
        "0",
    ]
    command += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-assign", "fast", "--x-initial", "fast", "--noassert"]
    make = ["-MAKEFLAGS", "OPT_FAST=-O0", "-MAKEFLAGS", "OPT_SLOW=-O0", "-MAKEFLAGS", "OPT_GLOBAL=-O2"]
    _said([*command, *make, "main.cpp", *sources], folder, tool.build_environment(cache, compiler))
    return _said([folder / "verilated" / "Vbenches"], folder, tool.environment())


_LINE = re.compile(r"^bench (\d+) run (\d) beats (\d+) wrong (\d+) latency (\d+) least (\d+) most (\d+)$", re.MULTILINE)
_PROBE = re.compile(r"^bench (\d+) run (\d) probe (\d+) words (\d+) wrong (\d+)$", re.MULTILINE)


def complaints(number: int, case: Case, said: str) -> list[str]:
    """What is wrong with design `number` in what a simulator said; nothing if all is as the golden model and the
    manifest say: every result, every probed integer, latency and interval to the cycle, and no word too many."""
    manifest, found = case.design.manifest, []
    shown = probes(manifest)
    runs = {
        int(line[1]): tuple(map(int, line[2:])) for line in map(list, _LINE.findall(said)) if int(line[0]) == number
    }
    probed = {
        (int(run), int(place)): (int(words), int(wrong))
        for bench, run, place, words, wrong in _PROBE.findall(said)
        if int(bench) == number
    }
    for run, name in enumerate(RUNS):
        if run not in runs:
            found.append(f"{name}: it did not end")
            continue
        beats, wrong, latency, least, most = runs[run]
        if (beats, wrong) != (len(case.frames) * manifest.output.beats, 0):
            found.append(f"{name}: {beats} result beats, {wrong} wrong")
        for place, probe in enumerate(shown):
            words, wrong = probed[run, place]
            if (words, wrong) != (len(case.frames) * probe.words, 0):
                found.append(f"{name}: layer {probe.layer} showed {words} words, {wrong} wrong")
        if run == 0 and (latency, least, most) != (manifest.latency_cycles, *[manifest.interval_cycles] * 2):
            found.append(
                f"{name}: latency {latency}, intervals {least} to {most}; the manifest has {manifest.latency_cycles} "
                f"and {manifest.interval_cycles}"
            )
    return found


def integers(case: Case) -> int:
    """How many integers a simulator compares: of probes and results, in all runs."""
    manifest = case.design.manifest
    per_frame = sum(probe.pixels * probe.values for probe in probes(manifest)) + manifest.output.beats
    return len(RUNS) * len(case.frames) * per_frame
