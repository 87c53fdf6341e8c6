"""The wheel: built, installed into a fresh environment, and used far from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.sw.test_imports import PACKAGES as PACKAGE_FOLDERS

PACKAGES = {path.rpartition("/")[2]: path.partition("/")[0] for path in PACKAGE_FOLDERS.values()}


def call(*command: object, cwd: Path, **options) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "PYTEST"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == options.get("status", 0), done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, checkout) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, checkout]
    call(*command, cwd=out)
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def outside(tmp_path_factory, wheel) -> Path:
    """A fresh environment with the wheel in it. Dependencies come from this one, by a plain path: its .pth
    files, and with them the checkout, are not read."""
    folder = tmp_path_factory.mktemp("outside")
    call(sys.executable, "-m", "venv", "--without-pip", "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    call(*pip, wheel, cwd=folder)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(call(python, "-c", code, cwd=folder).stdout.strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_packages(wheel, checkout):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = call("git", "ls-files", *PACKAGE_FOLDERS.values(), cwd=checkout).stdout.split()
    assert len(tracked) > 20
    missing = {name.partition("/")[2] for name in tracked} - inside
    assert not missing
    assert {name.partition("/")[0] for name in inside} == set(PACKAGES)


def test_it_runs_from_the_environment_alone(outside, checkout):
    python = outside / "env" / "bin" / "python"
    code = "import bitwright, bitwright_hw, bitwright_sim\nfor name, module in list(globals().items()):\n"
    code += "    if name.startswith('bitwright'): print(module.__file__)"
    files = call(python, "-c", code, cwd=outside).stdout.split()
    assert len(files) == 3
    for file in files:
        assert Path(file).is_relative_to(outside)
        assert not Path(file).is_relative_to(checkout)


def test_generate_and_verify(outside):
    program = outside / "env" / "bin" / "bitwright"
    argv = "generate --layer dense --inputs 30 --outputs 9 --pe 2 --simd 7 --seed 4 --out design --json"
    made = json.loads(call(program, *argv.split(), cwd=outside).stdout)
    assert made["layers"][0]["ideal_cycles"] == 5 * 5
    argv = "verify design --data random:1 --frames 100 --json"
    report = json.loads(call(program, *argv.split(), cwd=outside).stdout)
    assert (report["frames"], report["mismatches"]) == (100, 0)


def test_the_named_configurations_are_in_it(outside):
    program = outside / "env" / "bin" / "bitwright"
    message = call(program, "train", "none.toml", "--out", "t", cwd=outside, status=2).stderr
    assert all(name in message for name in ("digits", "tfc", "sfc", "lfc"))


def test_the_same_design_whatever_the_hash_seed(tmp_path, checkout):
    """Byte for byte, from two interpreters with different hash seeds, in two folders."""
    (tmp_path / "n.py").write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.sw.networks import random_network\n"
        "random_network(3, shape=(30,), levels=1, hidden=(20, 17), classes=5).save(sys.argv[2])\n"
    )
    designs = []
    for seed in ("1", "2"):
        folder = tmp_path / f"with {seed}"
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        for command in (
            [sys.executable, tmp_path / "n.py", checkout, "n.safetensors"],
            [sys.executable, "-m", "bitwright.cli", "generate", "n.safetensors", "--out", "d", "--scores"],
        ):
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        designs.append({file.name: file.read_bytes() for file in (folder / "d").iterdir()})
    assert designs[0].keys() == designs[1].keys()
    assert len(designs[0]) >= 4
    for name, content in designs[0].items():
        assert content == designs[1][name], name
