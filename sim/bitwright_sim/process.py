"""Child processes that never outlive their caller's interest: own process group, log file, time limit."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bitwright_core.errors import ToolError

TAIL_LINES = 30
_POLL_SECONDS = 0.2


def run_logged(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
    timeout: float | None = None,
    on_poll: Callable[[], None] | None = None,
) -> int:
    """Runs `command`, both outputs into `log`, and returns its exit status (negative: killed by that signal).

    Raises ToolError if it cannot be started or takes more than `timeout` seconds. Whatever ends the call,
    no process of the command's group is left. `on_poll` is called several times a second meanwhile.
    """
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(f"{what}: cannot start {command[0]} ({error.strerror})") from None
        started = time.monotonic()
        try:
            while True:
                try:
                    return child.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if on_poll is not None:
                        on_poll()
                    if timeout is not None and time.monotonic() - started > timeout:
                        raise ToolError(
                            f"{what} did not end within {timeout:g} s and was stopped; its last lines:\n{tail(log)}"
                        ) from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def run_checked(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
    timeout: float | None = None,
) -> None:
    """`run_logged` that raises ToolError, with the end of the log, for an exit status other than 0."""
    status = run_logged(command, what=what, log=log, cwd=cwd, environment=environment, timeout=timeout)
    if status != 0:
        raise ToolError(f"{what} failed with status {status}; its last lines:\n{tail(log)}")


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, empty if there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
