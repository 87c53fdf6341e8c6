"""Verilog and C++ to a shared library: Verilator, g++, the build cache."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bitwright_core.plain_folder import plain_copies, plain_folder
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache, digest
from bitwright_sim.process import run_checked
from bitwright_sim.tools import Compiler, Verilator

LIBRARY = "libnative.so"
_VERILATOR = ("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert")
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
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """Verilog files `sources` and our texts, by file name, as a shared library, from the cache or built now.

    Module `top` becomes C++ class `prefix`. Texts that are `.v`, `.sv` or `.cpp` are compiled, others lie beside them.
    The build is called `kind`-`name`. Raises ToolError for missing tools or a failed build.
    """
    tool, compiler = Verilator.find(), Compiler.find()
    cache = BuildCache() if cache is None else cache
    compiler_options = _OPTIMIZE if optimize else _QUICK
    all_options = [*_VERILATOR, *options]
    parts: dict[str, str | bytes | Path] = dict(texts)
    parts |= {f"source {i}": file for i, file in enumerate(sources)}
    parts["tools"] = f"{tool.name} {tool.executable} {compiler.name}"
    parts["options"] = json.dumps([all_options, top, prefix, _COMPILER, compiler_options])

    def build(folder: Path) -> None:
        with plain_folder() as work:
            compile_in(work, folder)

    def compile_in(work: Path, folder: Path) -> None:
        what = f"building {name} for {tool.name}"
        if progress is not None:
            progress(what, 0, 2)
        for file_name, text in texts.items():
            (work / file_name).write_text(text)
        verilog = [work / file_name for file_name in texts if file_name.endswith(_VERILOG)]
        command: list[str | Path] = [
            tool.executable,
            *all_options,
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
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
            *verilog,
            *plain_copies(list(sources), work),
            *(work / file_name for file_name in texts if file_name.endswith(".cpp")),
        ]
        environment = tool.build_environment(cache.folder, compiler)
        run_checked(command, what=what, log=folder / "verilator.log", cwd=work, environment=environment)
        if progress is not None:
            progress(what, 1, 2)
        run_checked(
            [compiler.make, "-C", work, "-f", f"{prefix}.mk", "-j", str(os.cpu_count() or 1), *compiler_options],
            what=what,
            log=folder / "make.log",
            cwd=work,
            environment=environment,
        )
        shutil.copyfile(work / LIBRARY, folder / LIBRARY)
        (folder / LIBRARY).chmod(0o755)
        if progress is not None:
            progress(what, 2, 2)

    return cache.get(f"{kind}-{name}", digest(parts), build) / LIBRARY
