"""A cache of builds: folders named by a digest of everything that went into them.

A build is made in a folder of its own and moved into place when it is complete, so that a kill, or two
processes at once, never leave half of one. Builds of one key exclude each other by a file lock, which the
system releases when its holder dies. The folder is $BITWRIGHT_CACHE, else $XDG_CACHE_HOME/bitwright, else
~/.cache/bitwright; it may be deleted at any time that nothing uses it.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bitwright_core.errors import ToolError

LIMIT_BYTES = 4 << 30
KEEP_SECONDS = 3600  # a build this young may be in use, and is never pruned


def cache_folder() -> Path:
    """Where builds are kept, by the environment."""
    if chosen := os.environ.get("BITWRIGHT_CACHE"):
        return Path(chosen).expanduser().absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser().absolute() / "bitwright"
    return Path.home() / ".cache" / "bitwright"


def digest(parts: dict[str, str | bytes | Path]) -> str:
    """A key (32 hex digits) over named parts; a Path stands for the content of its file."""
    sha = hashlib.sha256(b"bitwright build 1\n")
    for name, part in sorted(parts.items()):
        content = part.read_bytes() if isinstance(part, Path) else part
        content = content.encode() if isinstance(content, str) else content
        sha.update(f"{len(name)}:{name}:{len(content)}:".encode())
        sha.update(content)
    return sha.hexdigest()[:32]


class BuildCache:
    """Build folders under `folder`, pruned to `limit_bytes`, the least recently used first.

    So are the objects that builds share: files and folders in folders of `objects`, whose time tells when one was used.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int = LIMIT_BYTES):
        self.folder = cache_folder() if folder is None else folder
        self.limit_bytes = limit_bytes

    def get(self, name: str, key: str, build: Callable[[Path], None]) -> Path:
        """The folder of build `name`-`key`; `build(folder)` fills an empty one if there is none yet.

        What `build` raises is passed on, and leaves nothing behind. The folder is moved after `build`, so
        its files must not hold its path.
        """
        final = self.folder / "builds" / f"{name}-{key}"
        if not self._use(final):
            with self._lock(final.name):
                if not self._use(final):
                    self._build(final, build)
                    self.prune(keep=final)
        return final

    def _use(self, final: Path) -> bool:
        try:
            os.utime(final)
        except FileNotFoundError:
            return False
        return True

    def _build(self, final: Path, build: Callable[[Path], None]) -> None:
        temporary = self.folder / "building" / final.name
        _remove(temporary)  # left by a process that was killed: the lock is ours
        temporary.mkdir(parents=True)
        try:
            build(temporary)
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(final)
        finally:
            _remove(temporary)

    @contextmanager
    def _lock(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Holds the lock of one build; gives False if `wait` is false and another process has it."""
        folder = self.folder / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = (folder / name).open("a")
        except OSError as error:
            raise ToolError(
                f"{self.folder}: simulator builds cannot be kept there ({error.strerror or error}); name another "
                "folder in BITWRIGHT_CACHE"
            ) from None
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def prune(self, *, keep: Path | None = None) -> None:
        """Removes what killed processes left, and the oldest builds and objects while all take over `limit_bytes`."""
        for left in _children(self.folder / "building"):
            if keep is not None and left.name == keep.name:
                continue
            with self._lock(left.name, wait=False) as free:
                if free:
                    _remove(left)
        builds = []
        objects = [path for tools in _children(self.folder / "objects") for path in _children(tools)]
        for path in [*_children(self.folder / "builds"), *objects]:
            try:
                builds.append((path.stat().st_mtime, path, _size(path)))
            except FileNotFoundError:
                continue
        total = sum(size for _, _, size in builds)
        for used, path, size in sorted(builds):
            if total <= self.limit_bytes:
                break
            if path == keep or time.time() - used < KEEP_SECONDS:
                continue
            _remove(path)
            total -= size


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _remove(folder: Path) -> None:
    """Removes a file, or a folder, whole or not at all as others see it."""
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    doomed = folder.with_name(f".{folder.name}.{os.getpid()}.removed")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)
