"""A tool as a process of its own that tells its progress on standard error."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO


def run_python(
    source: str,
    arguments: list[str],
    folder: Path,
    *,
    line: Callable[[str], None],
    stdin: IO[str] | int = subprocess.DEVNULL,
    stdout: IO[str] | int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Runs Python `source` with `arguments` in `folder`; returns its exit status.

    `line` gets each line of its standard error as it comes. The process ends with us, and if `line` raises.
    `environment` defaults to ours.
    """
    with subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            assert process.stderr is not None  # a pipe was asked for
            for text in process.stderr:
                line(text.rstrip())
        except BaseException:
            process.kill()
            raise
    return process.returncode
