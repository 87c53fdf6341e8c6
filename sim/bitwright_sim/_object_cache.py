"""A compiler prefix (make's OBJCACHE) that keeps what is the same in every build of a Verilator.

That is the objects of its runtime library, which take most of a small design's build, and its header precompiled, which
takes most of the rest. Usage: python -I -S _object_cache.py g++ ... -c -o OBJECT SOURCE, with the folder in
$BITWRIGHT_OBJECTS. A cache that cannot be read or written costs time, nothing else.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

_HEADER = "verilated.h"


def main(command: list[str]) -> int:
    source, folder = command[-1], os.environ.get("BITWRIGHT_OBJECTS", "")
    if not (folder and source.endswith(".cpp") and "-o" in command[:-2] and "-c" in command):
        return subprocess.call(command)
    if not os.path.basename(source).startswith("verilated"):  # noqa: PTH119
        return subprocess.call([*command[:-1], *with_header(command, folder), source])
    if not os.path.isabs(source):  # noqa: PTH117
        return subprocess.call(command)
    target = command[command.index("-o") + 1]
    key = _digest(command, source)
    kept = os.path.join(folder, f"{key}.o")  # noqa: PTH118
    try:
        shutil.copyfile(kept, target)
        os.utime(kept)  # the build cache removes what was not used for longest
        return 0
    except OSError:
        pass
    status = subprocess.call(command)
    if status == 0:
        temporary = f"{kept}.{os.getpid()}"
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            shutil.copyfile(target, temporary)
            os.replace(temporary, kept)  # noqa: PTH105
    return status


def with_header(command: list[str], folder: str) -> list[str]:
    """The options that include Verilator's header precompiled for the options of `command`; none for their first file.

    It is precompiled when they come for the second time, as it costs more than it saves one file. A compiler that does
    not take it (another version, say) reads the header itself.
    """
    at = command.index("-o")
    plain = [part for part in (*command[:at], *command[at + 2 : -1]) if part not in ("-c", "-MMD", "-MP", "-I.")]
    places = [os.path.join(part[2:], _HEADER) for part in plain if part.startswith("-I/")]  # noqa: PTH118
    header = next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113
    if header is None:
        return []
    try:
        home = os.path.join(folder, f"header-{_digest(sorted(plain), header)}")  # noqa: PTH118
        copy = os.path.join(home, _HEADER)  # noqa: PTH118
        if not os.path.isdir(home):  # noqa: PTH112
            os.makedirs(home, exist_ok=True)  # noqa: PTH103
            return []
        if not os.path.isfile(f"{copy}.gch"):  # noqa: PTH113
            temporary = f"{copy}.{os.getpid()}"
            with open(temporary, "w") as file:  # noqa: PTH123
                file.write(f'#include "{header}"\n')
            os.replace(temporary, copy)  # noqa: PTH105
            if subprocess.call([*plain, "-x", "c++-header", "-o", f"{temporary}.gch", copy]):
                return []
            os.replace(f"{temporary}.gch", f"{copy}.gch")  # noqa: PTH105
        os.utime(home)
    except OSError:
        return []
    return ["-include", copy]


def _digest(command: list[str], source: str) -> str:
    """A key over a command and the content of a file."""
    with open(source, "rb") as file:  # noqa: PTH123
        return hashlib.sha256("\0".join(command).encode() + file.read()).hexdigest()[:32]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
