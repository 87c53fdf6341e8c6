"""The demo, whole. Minutes, so with --slow only."""

import json
import subprocess
import sys

import pytest


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
