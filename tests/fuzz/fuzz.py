"""`make fuzz`: random accelerators under random traffic, until the time is over or something is wrong.

    python -m tests.fuzz.fuzz --seconds 600 --seed 1
    python -m tests.fuzz.fuzz --replay 17 --cycles 400000

A network's seed gives network, plan, frames and traffic; `--replay` runs one again. The work is done by driver.cpp.
"""

import argparse
import ctypes
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.golden import trace
from bitwright_core.network import Conv2d, Network
from bitwright_hw.generator import generate
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.library import LibraryKind, build_library
from tests.coverage import Coverage
from tests.fuzz.cases import KINDS, random_case, random_frames

FRAMES = 200  # different ones of a network
CYCLES = 150_000
_U64 = ctypes.c_uint64
COUNTS = {  # of driver.cpp, in its order, and what they are
    "ran": "cycles",
    "frames_in": "frames",
    "results": "results",
    "dropped": "broken frames",
    "resets": "resets",
    "soft_resets": "soft resets",
    "accesses": "register accesses",
}

SITUATIONS = (  # enum Situation of driver.cpp
    "the source pauses within a frame",
    "a beat is held back",
    "a result is held back",
    "both at once",
    "all buffers full",
    "all empty again",
    "frames back to back",
    "results back to back",
    "a third frame since reset (banks wrap)",
    "a frame too short",
    "a frame too long",
    "a wrong TKEEP",
    "a broken frame behind another",
    "a packet of several frames",
    "reset of an idle accelerator",
    "reset within a frame",
    "reset with results due",
    "reset with a result held back",
    "soft reset of an idle accelerator",
    "soft reset within a frame",
    "soft reset with results due",
    "soft reset with a result held back",
)
BORDERS = ("windows over the border", "zeros that pad", "border classes")
POINTS = (*SITUATIONS, *(f"a network of {kind}" for kind in KINDS), *BORDERS)


class _Run(ctypes.Structure):
    """FuzzRun of driver.cpp."""

    _fields_ = [
        ("frames", ctypes.c_void_p),
        ("expected", ctypes.c_void_p),
        ("frame_count", _U64),
        ("seed", _U64),
        ("cycles", _U64),
        ("message", ctypes.c_char_p),
        *((name, _U64) for name in COUNTS),
        ("seen", ctypes.c_void_p),
    ]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a network's run did; `failure` is empty if all was right."""

    what: str
    failure: str
    counts: dict[str, int]
    situations: dict[str, int]  # by their names in POINTS


def expected_beats(network: Network, design: Design, frames: np.ndarray) -> np.ndarray:
    """The result of each frame as 64-bit words (n, beats), by the golden model."""
    golden = trace(network, frames)
    values = golden.layers[-1].values.reshape(len(frames), -1)
    return design.manifest.output.pack(golden.classes, values).view("<u8")


def config(design: Design) -> str:
    """fuzz_config.h: the sizes of one design."""
    manifest, fmt = design.manifest, design.manifest.input
    lanes = fmt.data_bits // 8
    last = fmt.bytes - (fmt.beats - 1) * lanes
    digest = manifest.network_digest
    words = ", ".join(f"0x{digest[8 * k : 8 * k + 8]}u" for k in range(8))
    sizes = {
        "BYTES": lanes,
        "BEATS": fmt.beats,
        "LAST_BYTES": last,
        "FRAME_BYTES": fmt.bytes,
        "FREE_BITS": 8 * fmt.bytes - fmt.values * fmt.value_bits,
        "OUT_BEATS": manifest.output.beats,
        "OUTPUTS": manifest.output.outputs,
        "LATENCY": manifest.latency_cycles,
        "INTERVAL": manifest.interval_cycles,
        "WATCHDOG": 1000 + 20 * (manifest.interval_cycles + manifest.latency_cycles),
    }
    lines = [f"constexpr uint64_t {name} = {value};" for name, value in sizes.items()]
    return "\n".join([*lines, f"constexpr uint32_t DIGEST[8] = {{{words}}};"]) + "\n"


def fuzz_design(design: Design, *, seed: int, cycles: int, cache: BuildCache | None) -> Outcome:
    """Runs one design for so many cycles."""
    network = design.network
    library = build_library(
        design.simulation_sources,
        name=design.manifest.name,
        texts={"fuzz_config.h": config(design), "driver.cpp": (Path(__file__).parent / "driver.cpp").read_text()},
        top=design.manifest.top,
        kind=LibraryKind(name="fuzz", prefix="Vfuzz", optimize=False),  # the build takes longer than the run
        cache=cache,
    )
    frames = random_frames(network, FRAMES, seed)
    packed = np.ascontiguousarray(pack_frames(network, design.plan, frames))
    expected = expected_beats(network, design, frames)
    message = ctypes.create_string_buffer(400)
    seen = np.zeros(len(SITUATIONS), np.uint64)
    run = _Run(
        frames=packed.ctypes.data,
        expected=expected.ctypes.data,
        frame_count=FRAMES,
        seed=seed,
        cycles=cycles,
        message=ctypes.cast(message, ctypes.c_char_p),
        seen=seen.ctypes.data,
    )
    status = ctypes.CDLL(str(library)).fuzz_run(ctypes.byref(run))
    counts = {name: int(getattr(run, name)) for name in COUNTS}
    situations = {name: int(count) for name, count in zip(SITUATIONS, seen, strict=True)}
    convs = [layer for layer in network.matrix_layers if isinstance(layer, Conv2d) and any(layer.padding)]
    situations["windows over the border"] = len(convs)
    situations["zeros that pad"] = sum(layer.padding_value == "zero" for layer in convs)
    situations["border classes"] = sum(layer.borders is not None for layer in convs)
    return Outcome(
        what=design.manifest.name,
        failure=message.value.decode() if status else "",
        counts=counts,
        situations=situations,
    )


def fuzz_seed(seed: int, *, cycles: int = CYCLES, cache: BuildCache | None = None) -> Outcome:
    """Makes the network of a seed and runs it; builds go to `cache`."""
    kind, network, plan = random_case(seed)
    folds = " ".join(f"{one.pe}x{one.simd}" for one in plan.layers)
    tail = network.gives if network.gives != "class" else "scores" if plan.scores else "class"
    what = f"{kind}, {tail}, {plan.target}, {plan.data_bits} bits, folds {folds}"
    with tempfile.TemporaryDirectory(prefix="bitwright-fuzz-") as folder:
        design = generate(network, plan, Path(folder) / "design")
        outcome = fuzz_design(design, seed=seed, cycles=cycles, cache=cache)
    return replace(outcome, what=what, situations={**outcome.situations, f"a network of {kind}": 1})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default: 600)")
    parser.add_argument("--seed", type=int, default=0, help="of the first network; the next has the next (default: 0)")
    parser.add_argument("--cycles", type=int, default=CYCLES, help=f"of each network (default: {CYCLES})")
    parser.add_argument("--replay", metavar="SEED", type=int, help="run the network of this seed alone")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bitwright-fuzz-cache-") as folder:
        return run(args, BuildCache(Path(folder), limit_bytes=100 << 20))


def run(args: argparse.Namespace, cache: BuildCache) -> int:
    """Network after network; the exit status."""
    totals = dict.fromkeys(COUNTS, 0)
    coverage = Coverage(POINTS)
    networks = 0
    started = time.monotonic()
    seed = args.seed if args.replay is None else args.replay
    while True:
        outcome = fuzz_seed(seed, cycles=args.cycles, cache=cache)
        networks += 1
        coverage.add(outcome.situations)
        for name, count in outcome.counts.items():
            totals[name] += count
        parts = [f"{totals[name]:,} {words}" for name, words in COUNTS.items()]
        line = ", ".join([f"{networks} networks", *parts])
        if outcome.failure:
            print(f"FAILED: seed {seed} ({outcome.what})\n  {outcome.failure}", flush=True)
            print(f"  again with: python -m tests.fuzz.fuzz --replay {seed} --cycles {args.cycles}\nuntil then: {line}")
            return 1
        print(f"seed {seed}: {outcome.what}\n  so far {line}, {time.monotonic() - started:.0f} s", flush=True)
        if args.replay is not None or time.monotonic() - started >= args.seconds:
            print(f"{coverage}\nall right: {line}")
            return 0
        seed += 1


if __name__ == "__main__":
    sys.exit(main())
