"""The simulated board without SSH: the same commands, files and job, in a home folder on this machine.

`LocalBoard` has the methods of ssh.Connection, so that everything above the connection is the same code. sshd, keys
and sudo are what it leaves out.
"""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bitwright_boards.errors import ConnectionLostError, JobError
from bitwright_boards.processing import ZYNQ_7020, Platform
from bitwright_boards.simulated.account import make_account
from bitwright_boards.ssh import Finished
from bitwright_core.plain_folder import plain_place


@dataclass(frozen=True, kw_only=True)
class Here:
    """Stands in the place of a Connection's Login: this machine, where nobody logs in."""

    name: str = "simulated board"
    user: str = "here"
    password: str | None = None


class LocalProcess:
    """A command in the account. Closing it closes its input, and ends it if that does not."""

    def __init__(self, command: str, environment: dict[str, str], home: Path):
        self._child = subprocess.Popen(
            ["sh", "-c", command],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._got = {"output": b"", "errors": b""}
        self._lock = threading.Lock()
        self._readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("output", self._child.stdout), ("errors", self._child.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, pipe: object) -> None:
        while part := os.read(pipe.fileno(), 65536):  # type: ignore[attr-defined]
            with self._lock:
                self._got[name] += part

    @property
    def ended(self) -> bool:
        return self._child.poll() is not None

    def send(self, data: bytes) -> None:
        assert self._child.stdin is not None
        with suppress(OSError, ValueError):
            self._child.stdin.write(data)
            self._child.stdin.flush()

    def end_input(self) -> None:
        assert self._child.stdin is not None
        with suppress(OSError):
            self._child.stdin.close()

    def take(self, *, rest: bool = False) -> bytes:
        return self._take("output", rest)

    def take_errors(self, *, rest: bool = False) -> bytes:
        return self._take("errors", rest)

    def _take(self, name: str, rest: bool) -> bytes:
        if rest:
            for reader in self._readers:
                reader.join()
        with self._lock:
            got, self._got[name] = self._got[name], b""
        return got

    def status(self, what: str) -> int:
        return self._child.wait()

    def close(self) -> None:
        self.end_input()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()


class LocalBoard:
    """A simulated board on this machine, in a temporary home. Close it, or use `with`."""

    needs_root = False

    def __init__(self, pynq_python: Path, *, platform: Platform = ZYNQ_7020, fast: bool = True):
        """Raises BoardError if there is no such Python."""
        self.login = Here()
        self._folder = tempfile.TemporaryDirectory(prefix="bitwright-board-", dir=plain_place())
        try:
            self.home = make_account(Path(self._folder.name), pynq_python, platform=platform, fast=fast)
        except BaseException:
            self._folder.cleanup()
            raise
        self._environment = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin"}

    def __enter__(self) -> "LocalBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._folder.cleanup()

    def lost(self, what: str) -> ConnectionLostError:
        return ConnectionLostError(f"the {self.login.name} broke while {what}; run it again")

    def run(self, command: str, *, what: str, feed: bytes = b"", timeout: float | None = 15.0) -> Finished:
        """Runs a command, as Connection.run does."""
        try:
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=self.home,
                env=self._environment,
                input=feed,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise JobError(f"{what} takes too long; it was stopped", kind="Slow") from None
        return Finished(
            status=done.returncode,
            output=done.stdout.decode(errors="replace"),
            errors=done.stderr.decode(errors="replace"),
        )

    def start(self, command: str, *, what: str) -> LocalProcess:
        """Starts a process, as Connection.start does."""
        return LocalProcess(command, self._environment, self.home)

    def upload(self, files: dict[str, bytes], folder: str) -> Iterator[tuple[str, int]]:
        """Writes a file, as Connection.upload does."""
        done = 0
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
            done += len(content)
            yield name, done

    def download(self, path: str) -> bytes:
        """Reads a file, as Connection.download does."""
        return Path(path).read_bytes()
