"""A compiler prefix (make's OBJCACHE) that keeps the objects of Verilator's runtime library.

They are the same for every design of a tool, and take most of a small design's build. Usage:
python -I -S _object_cache.py g++ ... -c -o OBJECT SOURCE, with the folder in $BITWRIGHT_OBJECTS.
"""

import hashlib
import os
import shutil
import subprocess
import sys


def main(command: list[str]) -> int:
    source, folder = command[-1], os.environ.get("BITWRIGHT_OBJECTS", "")
    runtime = os.path.isabs(source) and os.path.basename(source).startswith("verilated")  # noqa: PTH117, PTH119
    if not (folder and runtime and source.endswith(".cpp") and "-o" in command[:-2] and "-c" in command):
        return subprocess.call(command)
    target = command[command.index("-o") + 1]
    with open(source, "rb") as file:  # noqa: PTH123
        key = hashlib.sha256("\0".join(command).encode() + file.read()).hexdigest()[:32]
    kept = os.path.join(folder, f"{key}.o")  # noqa: PTH118
    try:
        shutil.copyfile(kept, target)
        return 0
    except OSError:
        pass
    status = subprocess.call(command)
    if status == 0:
        temporary = f"{kept}.{os.getpid()}"
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            shutil.copyfile(target, temporary)
            os.replace(temporary, kept)  # noqa: PTH105
        except OSError:
            pass  # a cache that cannot be written costs time, nothing else
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
