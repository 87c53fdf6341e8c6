"""The README's commands, pasted; and the demo. Minutes, so with --slow only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def commands(text: str) -> list[str]:
    """The indented command lines of the README's "Four jobs"."""
    section = text.partition("## Four jobs")[2].partition("\n## ")[0]
    return re.findall(r"^    ((?:bitwright|cp) .*)$", section, re.MULTILINE)


def test_the_readme_has_its_commands(checkout):
    found = commands((checkout / "README.md").read_text("utf-8"))
    for name in ("train", "generate", "simulate", "program", "verify"):
        assert any(line.startswith(f"bitwright {name} ") for line in found)


@pytest.mark.slow
def test_every_command_of_the_readme_works(checkout, tmp_path):
    environment = {
        "BITWRIGHT_PYNQ": str(checkout / ".venv-pynq"),
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for line in commands((checkout / "README.md").read_text("utf-8")):
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_the_demo(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bitwright.cli", "demo", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["passed"] and report["frames"] == 364 and report["mismatches"] == 0
    assert report["test_accuracy"] >= 0.95
    assert (tmp_path / "demo-out" / "design" / report["verilog"]).is_file()
