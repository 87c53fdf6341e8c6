"""A design as a sliced simulator: a shared library and the contents of its memories, built in parallel, from the cache.

Every generated function lies in a file of its part; a file is compiled once for its text, so that a change of one layer
compiles what that layer's text changed.
"""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache as memoize
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np

from bitwright_core.design import Design
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache, digest
from bitwright_sim.native.build import probes
from bitwright_sim.process import run_checked
from bitwright_sim.sliced.compiler import NetlistCompiler
from bitwright_sim.sliced.glue import control_functions, glue
from bitwright_sim.sliced.netlist import UnsupportedError, read
from bitwright_sim.sliced.part_pieces import Function
from bitwright_sim.sliced.program import Program
from bitwright_sim.tools import Compiler

LIBRARY = "libsliced.so"
ROMS = "roms.npy"
REFUSED = "refused.txt"  # in place of both: why the design cannot be sliced
_RECURSION = 100_000  # gates one behind another: carry chains behind carry chains
_FILE_CHARACTERS = 120_000  # of a source file, about
_CONTROL_OUT = ("s_axis_tready", "m_axis_tvalid", "m_axis_tlast", "m_axis_tkeep")
_FLAGS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing", "-w", "-O1")


@dataclass(frozen=True, kw_only=True)
class VectorUnit:
    """The widest vectors of this machine, and the compiler's options for them."""

    bytes: int
    flags: tuple[str, ...]

    @property
    def lanes(self) -> int:
        return 8 * self.bytes

    @property
    def name(self) -> str:
        return {64: "AVX-512", 32: "AVX2"}.get(self.bytes, "128-bit vectors")


@memoize
def vectors() -> VectorUnit:
    """The widest vectors of this processor, by /proc/cpuinfo; else 128 bits, which every 64-bit compiler knows."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    have = set(next((line.split(":")[1].split() for line in text.splitlines() if line.startswith("flags")), []))
    if {"avx512f", "avx512bw", "avx512vl"} <= have:
        return VectorUnit(
            bytes=64, flags=("-mavx512f", "-mavx512bw", "-mavx512vl", "-mbmi2", "-mprefer-vector-width=512")
        )
    if {"avx2", "bmi2"} <= have:
        return VectorUnit(bytes=32, flags=("-mavx2", "-mbmi2", "-mtune=haswell"))
    return VectorUnit(bytes=16, flags=())


@dataclass(frozen=True, kw_only=True)
class SlicedBuild:
    """A built simulator."""

    library: Path
    roms: Path
    vectors: VectorUnit


def build_sliced(
    design: Design,
    *,
    cache: BuildCache | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    use: VectorUnit | None = None,
) -> SlicedBuild:
    """The sliced simulator of `design`, from the cache or built now.

    Raises UnsupportedError for a design that cannot be sliced, ToolError for missing tools or a failed build.
    """
    if design.manifest.first_load is not None:
        raise UnsupportedError("it begins without weights, and its registers, which load them, are silent when sliced")
    compiler, use = Compiler.find(), use or vectors()
    cache = BuildCache() if cache is None else cache
    manifest = design.manifest
    parts: dict[str, str | bytes | Path] = {f"source {i}": file for i, file in enumerate(design.simulation_sources)}
    parts["engine"] = engine_digest()
    parts["compiler"] = f"{compiler.name} {use}"
    parts["probes"] = repr((probes(manifest), manifest.input, manifest.output))

    def build(folder: Path) -> None:
        what = f"building {manifest.name} for the sliced engine"
        if progress is not None:
            progress(what, 0, 3)
        try:
            program = compile_design(design)
        except (UnsupportedError, RecursionError) as error:
            (folder / REFUSED).write_text(str(error) or type(error).__name__)
            return
        if progress is not None:
            progress(what, 1, 3)
        np.save(folder / ROMS, rom_words(program))
        texts = sources(program, design)
        objects = _objects(texts, cache, compiler, use, folder, what, jobs or os.cpu_count() or 1)
        if progress is not None:
            progress(what, 2, 3)
        command: list[str | Path] = [compiler.compiler, "-shared", "-o", folder / LIBRARY, *objects]
        run_checked(command, what=what, log=folder / "link.log", cwd=folder, environment=dict(os.environ))
        if progress is not None:
            progress(what, 3, 3)

    folder = cache.get(f"sliced-{manifest.name}", digest(parts), build)
    if (folder / REFUSED).exists():
        raise UnsupportedError((folder / REFUSED).read_text())
    return SlicedBuild(library=folder / LIBRARY, roms=folder / ROMS, vectors=use)


def compile_design(design: Design) -> Program:
    """The netlist of `design` as a program."""
    manifest = design.manifest
    pairs = [(probe.valid, probe.data) for probe in probes(manifest)]
    source = read(design.simulation_sources, manifest.top, [name for pair in pairs for name in pair])
    compiler = NetlistCompiler(
        source,
        manifest.top,
        clock="aclk",
        data_in="s_axis_tdata",
        control_out=_CONTROL_OUT,
        observe=[*pairs, ("m_axis_tvalid", "m_axis_tdata")],
    )
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        return compiler.compile()
    finally:
        sys.setrecursionlimit(limit)


def rom_words(program: Program) -> np.ndarray:
    """What all control memories hold at the start, one after another."""
    words = np.zeros(program.rom_limbs + 1, np.uint64)
    for rom, at in program.roms:
        size = 8 * rom.limbs
        rows = [(address, word) for address, word in rom.words.items() if address < rom.depth]
        if rows:
            raw = b"".join((word & (1 << rom.width) - 1).to_bytes(size, "little") for _, word in rows)
            table = words[at : at + rom.limbs * rom.depth].reshape(rom.depth, rom.limbs)
            table[[address for address, _ in rows]] = np.frombuffer(raw, "<u8").reshape(len(rows), rom.limbs)
    return words


def sources(program: Program, design: Design) -> list[str]:
    """The source files, without the header."""
    per_file: list[list[str]] = []
    seen: set[str] = set()
    by_part: dict[int, list[Function]] = {}
    for observed in program.observed:
        for k, function in observed.functions:
            by_part.setdefault(k, []).append(function)
    for k, function in (*program.exports, *program.updates):
        by_part.setdefault(k, []).append(function)
    unit_names = {function.name for function in program.units}
    declarations = [_declaration(function) for function in program.units]
    groups: list[list[Function]] = [[function] for function in program.units]
    groups += [functions for _, functions in sorted(by_part.items())]
    for functions in groups:
        room = 0
        for function in functions:
            if function.name in seen:
                continue
            seen.add(function.name)
            if room < len(function.text):
                room = _FILE_CHARACTERS
                per_file.append([])
            if function.name not in unit_names:
                per_file[-1] += [line for name, line in declarations if name in function.text]
            per_file[-1].append(function.text)
            room -= len(function.text)
    controls = control_functions(program)
    per_file += [[text for _, text in controls[at : at + 2]] for at in range(0, len(controls), 2)]
    harness = (files(__package__) / "harness.inc").read_text()
    result = ["\n".join(dict.fromkeys(texts)) for texts in per_file]
    return [*result, glue(program, design.manifest, probes(design.manifest)) + harness]


def _declaration(function: Function) -> tuple[str, str]:
    return function.name, function.text[: function.text.index(" {")] + ";"


def engine_digest() -> str:
    """A digest of everything that decides what is generated."""
    sha = sha256()
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith((".py", ".h", ".inc")):
            sha.update(file.name.encode() + file.read_bytes())
    return sha.hexdigest()


def _objects(
    texts: Sequence[str], cache: BuildCache, compiler: Compiler, use: VectorUnit, folder: Path, what: str, jobs: int
) -> list[Path]:
    """The object files, compiled now or kept from another build."""
    header = (files(__package__) / "sliced.h").read_text()
    kept = cache.folder / "objects" / "sliced"
    kept.mkdir(parents=True, exist_ok=True)
    flags = (*_FLAGS, *use.flags, f"-DBYTES={use.bytes}")

    def one(text: str) -> Path:
        key = sha256("\0".join([compiler.name, *flags, header, text]).encode()).hexdigest()[:32]
        target = kept / f"{key}.o"
        with suppress(FileNotFoundError):
            os.utime(target)
            return target
        source = folder / f"{key}.cpp"
        source.write_text(header + text)
        temporary = kept / f"{key}.{os.getpid()}.{threading.get_ident()}.o"
        command: list[str | Path] = [compiler.compiler, *flags, "-c", "-o", temporary, source]
        try:
            run_checked(command, what=what, log=folder / f"{key}.log", cwd=folder, environment=dict(os.environ))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        source.unlink()
        (folder / f"{key}.log").unlink()
        return target

    # the longest first, so that the last core is not left with it
    order = sorted(range(len(texts)), key=lambda k: -len(texts[k]))
    with ThreadPoolExecutor(jobs) as pool:
        made = dict(zip(order, pool.map(one, [texts[k] for k in order]), strict=True))
    return [made[k] for k in range(len(texts))]
