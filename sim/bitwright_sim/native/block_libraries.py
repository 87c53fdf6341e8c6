"""Blocks of a design to object files, each from the cache or built now, several at a time."""

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bitwright_core.plain_folder import plain_copies, plain_folder
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache, digest
from bitwright_sim.native.blocks import Block
from bitwright_sim.process import run_checked
from bitwright_sim.tools import Compiler, Verilator

GROUP_BYTES = 400_000  # of C++


@dataclass(frozen=True, kw_only=True)
class BlockLibrary:
    """A built block: `interface` is SystemVerilog that stands for it, `objects` are linked with whoever has it."""

    interface: Path
    objects: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class BlockBuilder:
    """Builds blocks with one Verilator, one compiler and their options. `models` are those of vendor cells."""

    tool: Verilator
    compiler: Compiler
    cache: BuildCache
    models: Sequence[Path]
    verilator_options: tuple[str, ...]
    flags: tuple[str, ...]
    make_options: tuple[str, ...]

    def build(self, blocks: Sequence[Block], *, what: str, progress: Progress | None = None) -> list[BlockLibrary]:
        """The libraries of `blocks`, in which each comes behind those inside it. Raises ToolError."""
        started: dict[str, Future[BlockLibrary]] = {}
        names = {block.module: block for block in blocks}
        pool = ThreadPoolExecutor(os.cpu_count() or 1)
        try:
            for block in blocks:  # one that waits for others stands behind them in the pool's queue
                shells = [names[name].shell for name in block.inside]
                inside = [started[name] for name in block.inside]
                started[block.module] = pool.submit(self._one, block, shells, inside, what)
            for done, future in enumerate(started.values()):
                future.result()
                if progress is not None:
                    progress(what, done + 1, len(blocks) + 2)
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in started.values()]

    def _one(
        self, block: Block, shells: Sequence[str], inside: Sequence[Future[BlockLibrary]], what: str
    ) -> BlockLibrary:
        libraries = [future.result() for future in inside]
        text = "".join([*block.texts, *shells, block.top])
        parts: dict[str, str | bytes | Path] = {"verilog": text}
        parts |= {f"model {k}": file for k, file in enumerate(self.models)}
        parts |= {f"inside {k}": library.interface for k, library in enumerate(libraries)}
        parts["tools"] = f"{self.tool.name} {self.tool.executable} {self.compiler.name}"
        parts["options"] = json.dumps([self.verilator_options, self.flags, self.make_options])

        def build(folder: Path) -> None:
            with plain_folder() as work:
                self._compile(block.library, text, libraries, work, folder, what)

        folder = self.cache.get(block.library, digest(parts), build)
        return BlockLibrary(interface=folder / f"{block.library}.sv", objects=tuple(sorted(folder.glob("*.o"))))

    def _compile(
        self, name: str, text: str, inside: Sequence[BlockLibrary], work: Path, folder: Path, what: str
    ) -> None:
        (work / "block.v").write_text(text)
        for library in inside:
            shutil.copyfile(library.interface, work / library.interface.name)
        command: list[str | Path] = [
            self.tool.executable,
            *self.verilator_options,
            "--lib-create",
            name,
            "--prefix",
            f"V{name}",
            "--top-module",
            f"{name}_top",
            "-Mdir",
            ".",
            "-CFLAGS",
            " ".join(self.flags),
            "block.v",
            *(library.interface.name for library in inside),
            *plain_copies(list(self.models), work),
        ]
        environment = self.tool.build_environment(self.cache.folder, self.compiler)
        run_checked(command, what=what, log=folder / "verilator.log", cwd=work, environment=environment)
        make: list[str | Path] = [self.compiler.make, "-f", f"V{name}.mk", "-j", str(os.cpu_count() or 1)]
        log = folder / "make.log"
        for kind, options in (("fast", self.make_options), ("slow", ("OPT_FAST=-O0",))):
            files = sorted(file for file in work.glob("*.cpp") if file.stem.endswith("__Slow") == (kind == "slow"))
            objects: list[str] = []
            for k, group in enumerate(_groups(files)):
                (work / f"{kind}_{k}.cpp").write_text("".join(f'#include "{file.name}"\n' for file in group))
                objects.append(f"{kind}_{k}.o")
            run_checked([*make, *options, *objects], what=what, log=log, cwd=work, environment=environment)
            for made in objects:
                shutil.copyfile(work / made, folder / made)
        shutil.copyfile(work / f"{name}.sv", folder / f"{name}.sv")


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """`files` in groups of about GROUP_BYTES, each compiled as one: what a file includes takes as long as itself."""
    groups: list[list[Path]] = []
    room = 0
    for file in files:
        if room <= 0:
            groups.append([])
            room = GROUP_BYTES
        groups[-1].append(file)
        room -= file.stat().st_size
    return groups
