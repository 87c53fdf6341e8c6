"""Verilog and C++ to a shared library: Verilator, g++, the build cache."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitwright_core.plain_folder import plain_copies, plain_folder
from bitwright_core.progress import Progress, no_progress
from bitwright_sim.cache import BuildCache, digest
from bitwright_sim.native.block_libraries import BlockBuilder
from bitwright_sim.native.blocks import Cut
from bitwright_sim.process import run_checked
from bitwright_sim.tools import Compiler, Verilator

LIBRARY = "libnative.so"
_VERILATOR = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert")
_QUIET = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
_COMPILER = ("-fPIC", "-fvisibility=hidden")
_OPTIMIZE = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")
_QUICK = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")  # the runtime is shared with other builds
_VERILOG = (".v", ".sv")


@dataclass(frozen=True, kw_only=True)
class LibraryKind:
    """A kind of simulator: the C++ class that Verilator makes, its options, and whether g++ optimizes for the run."""

    name: str
    prefix: str
    options: tuple[str, ...] = ()
    optimize: bool = True


def build_library(
    sources: Sequence[Path],
    *,
    name: str,
    texts: dict[str, str],
    top: str,
    kind: LibraryKind,
    parts: Callable[[], Cut | None] = lambda: None,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """Verilog files `sources` and our texts, by file name, as a shared library, from the cache or built now.

    Module `top` becomes the C++ class of `kind`. Texts that are `.v`, `.sv` or `.cpp` are compiled, others lie beside
    them. The build is called by the names of `kind` and `name`. `parts` may give the last of the sources in parts, each
    of which is built by itself.
    Raises ToolError for missing tools or a failed build.
    """
    cache = BuildCache() if cache is None else cache
    tool = Verilator.find()
    library = _Library(
        sources=tuple(sources),
        texts=texts,
        top=top,
        prefix=kind.prefix,
        options=(*_VERILATOR, *_QUIET, *kind.options),
        compiler_options=_OPTIMIZE if kind.optimize else _QUICK,
        parts=parts,
        tool=tool,
        compiler=Compiler.find(),
        cache=cache,
        what=f"building {name} for {tool.name}",
        progress=progress or no_progress,
    )
    return cache.get(f"{kind.name}-{name}", digest(library.key), library.build) / LIBRARY


@dataclass(frozen=True, kw_only=True)
class _Library:
    """A build: what it is made of, and by what."""

    sources: tuple[Path, ...]
    texts: Mapping[str, str]
    top: str
    prefix: str
    options: tuple[str, ...]
    compiler_options: tuple[str, ...]
    parts: Callable[[], Cut | None]
    tool: Verilator
    compiler: Compiler
    cache: BuildCache
    what: str
    progress: Progress

    @property
    def key(self) -> dict[str, str | bytes | Path]:
        """All that the library depends on."""
        key: dict[str, str | bytes | Path] = dict(self.texts)
        key |= {f"source {i}": file for i, file in enumerate(self.sources)}
        key["tools"] = f"{self.tool.name} {self.tool.executable} {self.compiler.name}"
        key["options"] = json.dumps([self.options, self.top, self.prefix, _COMPILER, self.compiler_options])
        return key

    def build(self, folder: Path) -> None:
        """Leaves the library in `folder`. Raises ToolError."""
        pieces = self.parts()
        files: list[Path] = list(self.sources)
        objects: list[Path] = []
        steps = 2 if pieces is None else 2 + len(pieces.blocks)
        self.progress(self.what, 0, steps)
        if pieces is not None:
            builder = BlockBuilder(
                tool=self.tool,
                compiler=self.compiler,
                cache=self.cache,
                models=self.sources[:-1],
                verilator_options=self.options,
                flags=_COMPILER,
                make_options=self.compiler_options,
            )
            blocks = builder.build(pieces.blocks, what=self.what, progress=self.progress)
            rest = folder / "rest.v"
            rest.write_text("".join([pieces.rest, *(block.shell for block in pieces.blocks)]))
            files = [*self.sources[:-1], rest, *(block.interface for block in blocks)]
            objects = [each for block in blocks for each in block.objects]
        with plain_folder() as work:
            self._compile(work, folder, files, objects, steps)

    def _compile(self, work: Path, folder: Path, files: list[Path], objects: list[Path], steps: int) -> None:
        for file_name, text in self.texts.items():
            (work / file_name).write_text(text)
        command: list[str | Path] = [
            self.tool.executable,
            *self.options,
            "--exe",
            "--prefix",
            self.prefix,
            "--top-module",
            self.top,
            "-Mdir",
            work,
            "-o",
            LIBRARY,
            "-CFLAGS",
            " ".join(_COMPILER),
            "-LDFLAGS",
            "-shared",
            *(work / file_name for file_name in self.texts if file_name.endswith(_VERILOG)),
            *plain_copies(files, work),
            *(work / file_name for file_name in self.texts if file_name.endswith(".cpp")),
            *plain_copies(objects, work),
        ]
        environment = self.tool.build_environment(self.cache.folder, self.compiler)
        jobs = str(os.cpu_count() or 1)
        make: list[str | Path] = [self.compiler.make, "-C", work, "-f", f"{self.prefix}.mk", "-j", jobs]
        run_checked(command, what=self.what, log=folder / "verilator.log", cwd=work, environment=environment)
        self.progress(self.what, steps - 1, steps)
        run_checked(
            [*make, *(["VM_PARALLEL_BUILDS=0"] if objects else []), *self.compiler_options],
            what=self.what,
            log=folder / "make.log",
            cwd=work,
            environment=environment,
        )
        shutil.copyfile(work / LIBRARY, folder / LIBRARY)
        (folder / LIBRARY).chmod(0o755)
        self.progress(self.what, steps, steps)
