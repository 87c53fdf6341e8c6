"""A home folder whose login shell is a board's: pynq's Python first on PATH, XILINX_XRT set, the Device known.

Only a login shell reads .bash_profile, as only a login shell on a PYNQ image sees /etc/profile.d: a job that is
started without one finds no pynq here, as there.
"""

import shlex
import subprocess
from importlib.resources import files
from pathlib import Path

from bitwright_boards.processing import ZYNQ_7020, Platform
from bitwright_core.errors import BoardError

_ASK_SECONDS = 60


def check_pynq(pynq_python: Path) -> None:
    """Raises BoardError unless `pynq_python` is a Python that has the pynq package; imports nothing of it."""
    remedy = "make pynq's environment with: make pynq-env, and name another place of it with --pynq or BITWRIGHT_PYNQ"
    if not pynq_python.is_file():
        raise BoardError(f"{pynq_python} is missing; {remedy}")
    asked = "import importlib.util as u, sys; sys.exit(u.find_spec('pynq') is None)"
    try:
        done = subprocess.run([str(pynq_python), "-c", asked], capture_output=True, check=False, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BoardError(f"{pynq_python} does not run ({error}); {remedy}") from None
    if done.returncode != 0:
        raise BoardError(f"{pynq_python} has no pynq; {remedy}")


def make_account(home: Path, pynq_python: Path, *, platform: Platform = ZYNQ_7020, fast: bool = True) -> Path:
    """Makes `home` the account of a simulated board of `platform`, with `pynq_python` (of tools/make_pynq_venv).

    Returns `home`.

    `fast` lets a poll of the DMA run the simulation to the transfer's end; without it every access of the processor
    takes its own cycles. Raises BoardError if there is no such Python.
    """
    if ":" in str(pynq_python.absolute()):
        raise BoardError(
            f"{pynq_python.absolute()}: a colon parts the folders of PATH; make pynq's environment elsewhere"
        )
    check_pynq(pynq_python)
    library = home / "lib"
    library.mkdir(parents=True, exist_ok=True)
    device = Path(str(files(__package__) / "pynq_device.py")).resolve()
    (library / "sitecustomize.py").write_text(
        f"import sys\nsys.path.insert(0, {str(device.parent)!r})\nimport pynq_device\n"
    )
    settings = {
        "PATH": f"{pynq_python.absolute().parent}:/usr/local/bin:/usr/bin:/bin",
        "XILINX_XRT": "/usr",
        "PYTHONPATH": str(library),
        "PYTHONWARNINGS": "ignore",
        "BITWRIGHT_BOARD_PART": platform.bitstream_part,
        "BITWRIGHT_BOARD_PACE": "fast" if fast else "",
        "BITWRIGHT_BOARD_LOCK": str(home / "board.lock"),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    (home / ".bash_profile").write_text("\n".join(lines) + "\n")
    return home
