"""How to get what an extra brings. bitwright is not on a package index: it is installed from its source."""

import shlex
from pathlib import Path


def install(*extras: str) -> str:
    """The command that installs `extras`, for messages; with the source folder where that is known."""
    named = f"[{','.join(extras)}]"
    source = Path(__file__).resolve().parents[2]
    if (source / "pyproject.toml").is_file():
        return f"pip install {shlex.quote(str(source) + named)}"
    return f"pip install '.{named}' in bitwright's source folder"
