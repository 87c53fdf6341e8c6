"""Asking a program something small, such as its version, without waiting for one that never answers."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

SECONDS = 30.0


def ask(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, seconds: float | None = None
) -> tuple[int | None, str]:
    """The exit status and all output of `command`, or None and why there is none: it cannot be started, or it did not
    end within `seconds` (default: SECONDS), and was stopped with all that it had started."""
    limit = SECONDS if seconds is None else seconds
    with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as any child of it lives
        try:
            child = subprocess.Popen(
                command,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return None, error.strerror or str(error)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            return None, f"it did not answer within {limit:g} s"
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        output.seek(0)
        return status, output.read(1 << 16).decode(errors="replace")
