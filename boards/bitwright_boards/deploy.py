"""A deployment to a board: beside its place, checked by SHA-256, then moved into place, whole or not at all."""

import hashlib
import re
import shlex
from contextlib import suppress

from bitwright_boards.errors import ConnectionLostError, DiskFullError, JobError
from bitwright_boards.simulated.local import LocalBoard
from bitwright_boards.ssh import Connection
from bitwright_core.errors import BoardError
from bitwright_core.progress import Progress

AnyConnection = Connection | LocalBoard
ROOM = 1 << 20  # beyond the files, for the results


def deploy(
    connection: AnyConnection, name: str, files: dict[str, bytes], base: str | None, progress: Progress | None
) -> str:
    """Copies `files` to folder `name` under `base` (default: bitwright in the home); returns the folder.

    What was there before is replaced when all files have arrived; until then it stays, and after an error nothing else
    is left. Raises DiskFullError, ConnectionLostError, or JobError for what the other side refuses.
    """
    where = '"$HOME"/bitwright' if base is None else shlex.quote(base)
    made = connection.run(
        f'umask 022; base={where}; mkdir -p "$base" && cd "$base" && base=$(pwd) && '
        "{ find . -maxdepth 1 -name '.upload-*' -mmin +60 -exec rm -rf {} + ; } && "
        'folder=$(mktemp -d "$base/.upload-XXXXXX") && '
        "echo \"room $(df -Pk . | awk 'NR == 2 { print $4 }') in $folder\"",
        what="making a folder",
    )
    told = re.search(r"^room (\d+) in (.+)$", made.output, re.MULTILINE)  # a shell may have more to say
    if made.status != 0 or told is None:
        text = " ".join(made.errors.split())
        if "No space" in text:
            raise _full(connection, sum(map(len, files.values())))
        raise JobError(f"no folder can be made on {connection.login.name}: {text}", kind="Folder")
    free, folder = int(told[1]) * 1024, told[2]
    needed = sum(map(len, files.values()))
    try:
        if free < needed + ROOM:
            raise _full(connection, needed, free)
        _copy(connection, folder, files, progress)
        return _move(connection, folder, name)
    except ConnectionLostError:
        raise
    except BaseException:
        with suppress(BoardError):
            connection.run(f"rm -rf {shlex.quote(folder)}", what="cleaning up")
        raise


def _full(connection: AnyConnection, needed: int, free: int = 0) -> DiskFullError:
    return DiskFullError(
        f"{connection.login.name} has {free / 1e6:.1f} MB of room, and {(needed + ROOM) / 1e6:.1f} MB are needed; "
        "remove something there, or choose another place with --remote-dir"
    )


def _copy(connection: AnyConnection, folder: str, files: dict[str, bytes], progress: Progress | None) -> None:
    total = sum(map(len, files.values()))
    quoted = shlex.quote(folder)
    try:
        for _, done in connection.upload(files, folder):
            if progress is not None:
                progress(f"copying to {connection.login.name}", done, total)
    except OSError as error:
        left = connection.run(f"df -Pk {quoted} | awk 'NR == 2 {{ print $4 }}'", what="asking for room")
        free = int((left.output.split() or ["0"])[-1]) * 1024
        if free < total:
            raise _full(connection, total, free) from None
        raise JobError(f"{connection.login.name} refuses a file in {folder} ({error})", kind="Copy") from None
    sums = connection.run(f"cd {quoted} && sha256sum -b -- *", what="checking the copy", timeout=60)
    there = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64}) [ *](.+)$", sums.output, re.MULTILINE)}
    wrong = [name for name, content in files.items() if there.get(name) != hashlib.sha256(content).hexdigest()]
    if wrong:
        raise JobError(f"{', '.join(wrong)} did not arrive whole on {connection.login.name}; run it again", kind="Copy")


def _move(connection: AnyConnection, folder: str, name: str) -> str:
    """The new folder takes the old one's place."""
    final = f"{folder.rpartition('/')[0]}/{name}"
    new, old, place = shlex.quote(folder), shlex.quote(f"{folder}.old"), shlex.quote(final)
    moved = connection.run(
        f"chmod 755 {new} && {{ [ ! -e {place} ] || mv {place} {old}; }} && mv {new} {place} && rm -rf {old}",
        what="moving files into place",
    )
    if moved.status != 0:
        text = " ".join(moved.errors.split())
        raise JobError(f"{final} on {connection.login.name} cannot be replaced: {text}", kind="Folder")
    return final
