"""Verilog and C++ to a shared library: Verilator, g++, the build cache."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bitwright_core.plain_folder import plain_copies, plain_folder
from bitwright_core.progress import Progress
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


def build_library(
    sources: Sequence[Path],
    *,
    name: str,
    texts: dict[str, str],
    top: str,
    prefix: str,
    kind: str,
    options: tuple[str, ...] = (),
    optimize: bool = True,
    parts: Callable[[], Cut | None] = lambda: None,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """Verilog files `sources` and our texts, by file name, as a shared library, from the cache or built now.

    Module `top` becomes C++ class `prefix`. Texts that are `.v`, `.sv` or `.cpp` are compiled, others lie beside them.
    The build is called `kind`-`name`. `parts` may give the last of the sources in parts, each of which is built by
    itself.
    Raises ToolError for missing tools or a failed build.
    """
    tool, compiler = Verilator.find(), Compiler.find()
    cache = BuildCache() if cache is None else cache
    compiler_options = _OPTIMIZE if optimize else _QUICK
    all_options = (*_VERILATOR, *_QUIET, *options)
    key: dict[str, str | bytes | Path] = dict(texts)
    key |= {f"source {i}": file for i, file in enumerate(sources)}
    key["tools"] = f"{tool.name} {tool.executable} {compiler.name}"
    key["options"] = json.dumps([all_options, top, prefix, _COMPILER, compiler_options])
    what = f"building {name} for {tool.name}"

    def build(folder: Path) -> None:
        pieces = parts()
        files: list[Path] = list(sources)
        objects: list[Path] = []
        steps = 2 if pieces is None else 2 + len(pieces.blocks)
        if progress is not None:
            progress(what, 0, steps)
        if pieces is not None:
            builder = BlockBuilder(
                tool=tool,
                compiler=compiler,
                cache=cache,
                models=sources[:-1],
                verilator_options=all_options,
                flags=_COMPILER,
                make_options=compiler_options,
            )
            blocks = builder.build(pieces.blocks, what=what, progress=progress)
            rest = folder / "rest.v"
            rest.write_text("".join([pieces.rest, *(block.shell for block in pieces.blocks)]))
            files = [*sources[:-1], rest, *(block.interface for block in blocks)]
            objects = [each for block in blocks for each in block.objects]
        with plain_folder() as work:
            compile_in(work, folder, files, objects, steps)

    def compile_in(work: Path, folder: Path, files: list[Path], objects: list[Path], steps: int) -> None:
        for file_name, text in texts.items():
            (work / file_name).write_text(text)
        command: list[str | Path] = [
            tool.executable,
            *all_options,
            "--exe",
            "--prefix",
            prefix,
            "--top-module",
            top,
            "-Mdir",
            work,
            "-o",
            LIBRARY,
            "-CFLAGS",
            " ".join(_COMPILER),
            "-LDFLAGS",
            "-shared",
            *(work / file_name for file_name in texts if file_name.endswith(_VERILOG)),
            *plain_copies(files, work),
            *(work / file_name for file_name in texts if file_name.endswith(".cpp")),
            *plain_copies(objects, work),
        ]
        environment = tool.build_environment(cache.folder, compiler)
        make: list[str | Path] = [compiler.make, "-C", work, "-f", f"{prefix}.mk", "-j", str(os.cpu_count() or 1)]
        run_checked(command, what=what, log=folder / "verilator.log", cwd=work, environment=environment)
        if progress is not None:
            progress(what, steps - 1, steps)
        run_checked(
            [*make, *(["VM_PARALLEL_BUILDS=0"] if objects else []), *compiler_options],
            what=what,
            log=folder / "make.log",
            cwd=work,
            environment=environment,
        )
        shutil.copyfile(work / LIBRARY, folder / LIBRARY)
        (folder / LIBRARY).chmod(0o755)
        if progress is not None:
            progress(what, steps, steps)

    return cache.get(f"{kind}-{name}", digest(key), build) / LIBRARY
