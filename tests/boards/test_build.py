# amaranth: UnusedElaboratable=no
"""`bitwright build`: what it writes and says, with and without Vivado, and what it refuses."""

import json
import os
import shutil
from pathlib import Path

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core.errors import BoardError, ToolError
from tests.sw.networks import random_network

RECORDER = Path(__file__).parent / "vivado" / "recorder.tcl"


@pytest.fixture(scope="module")
def designs(tmp_path_factory):
    """A design for each target."""
    network = random_network(5, shape=(4, 4), bits=8, levels=1, hidden=(8,))
    root = tmp_path_factory.mktemp("designs")
    return {
        target: bw.generate(network, bw.size(network, cycles=16, scores=True, target=target), root / target)
        for target in ("generic", "xc7", "ecp5")
    }


def fake_vivado(folder: Path, answers: str = "", *, before: str = "") -> Path:
    """A `vivado` that is tclsh with the recorder."""
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is missing: apt-get install tcl")
    file = folder / "bin" / "vivado"
    file.parent.mkdir()
    file.write_text(
        f"#!/bin/sh\n{before}\necho '****** Vivado v2023.1 (64-bit)'\n"
        f"exec tclsh {RECORDER} \"$(pwd)/$4\" {folder}/record.jsonl '{answers}' 2>&1\n"
    )
    file.chmod(0o755)
    return file.parent


@pytest.fixture
def no_vivado(monkeypatch):
    """A PATH with the tools that tests need, and no Vivado."""
    folders = [f for f in os.environ["PATH"].split(os.pathsep) if not (Path(f) / "vivado").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


def test_without_vivado_it_says_what_is_ready_and_what_is_missing(designs, tmp_path, capsys, no_vivado):
    out = tmp_path / "overlay"
    assert main(["build", str(designs["xc7"].folder), "--board", "pynq-z2", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "there is no vivado on PATH" in said and "random.bit and random.hwh" in said
    assert said.rstrip().endswith("vivado -mode batch -source build.tcl")
    assert main(["build", str(designs["xc7"].folder), "--board", "pynq-z2", "--out", str(out), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["built"] is False and values["command"] == "vivado -mode batch -source build.tcl"
    assert values["part"] == "xc7z020clg400-1" and values["clock_mhz"] == 100
    assert all((out / name).is_file() for name in values["files"])
    assert {"build.tcl", "scripts/package_ip.tcl", "scripts/block_design.tcl", "component.xml"} <= set(values["files"])


def test_with_vivado_it_runs_it(designs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", f"{fake_vivado(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    out = tmp_path / "overlay"
    assert main(["build", str(designs["generic"].folder), "--board", "pynq-z1", "--out", str(out), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["built"] and values["tool"] == "Vivado 2023.1"
    assert (values["setup_slack_ns"], values["hold_slack_ns"]) == (0.512, 0.031)
    assert (out / "random.bit").is_file() and (out / "random.hwh").is_file()
    assert json.loads((out / "build.json").read_text())["built"]
    assert main(["build", str(designs["generic"].folder), "--board", "pynq-z1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "0.512 ns setup" in said and "bitwright program" in said
    # a project alone would take the overlay away, which Vivado took long for
    command = ["build", str(designs["generic"].folder), "--board=pynq-z1", f"--out={out}", "--no-vivado"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "holds random.bit, random.hwh that this build does not make again; nothing was written" in told
    assert (out / "random.bit").is_file() and json.loads((out / "build.json").read_text())["built"]
    assert main([*command, "--force"]) == 0
    assert "Vivado was not asked for" in capsys.readouterr().out
    assert not (out / "random.bit").exists() and not json.loads((out / "build.json").read_text())["built"]


@pytest.mark.parametrize(
    ("answers", "before", "sentence"),
    [
        ("STATS.WNS -0.25", "", "timing is not met: worst setup slack -0.25 ns at 100 MHz"),
        ("", "echo 'ERROR: [Common 17-345] A valid license was not found'; exit 3", "A valid license was not found"),
        ("", "exit 0", "Vivado ended without error, but left no random.bit"),
    ],
)
def test_what_vivado_cannot_do_is_an_error(designs, tmp_path, capsys, monkeypatch, answers, before, sentence):
    folder = fake_vivado(tmp_path, answers, before=before)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    out = tmp_path / "overlay"
    assert main(["build", str(designs["xc7"].folder), "--board", "pynq-z2", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert sentence in told and "vivado.log" in told
    assert not (out / "random.bit").exists()


def test_a_bitstream_of_another_design_is_not_lost_in_silence(designs, tmp_path, capsys, monkeypatch, no_vivado):
    out = tmp_path / "overlay"
    first, second = designs["xc7"].folder, designs["generic"].folder
    assert main(["build", str(first), "--board", "pynq-z2", "--out", str(out)]) == 0
    capsys.readouterr()
    # without a bitstream only what is written again goes, and it is said
    assert main(["build", str(second), "--board", "pynq-z2", "--out", str(out)]) == 0
    assert f"note: the build of random, Verilog {designs['xc7'].manifest.digest[:12]}" in capsys.readouterr().out
    (out / "random.bit").write_bytes(b"hours")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    monkeypatch.setenv("PATH", f"{fake_vivado(tmp_path)}{os.pathsep}{os.environ['PATH']}")
    assert main(["build", str(first), "--board", "pynq-z2", "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "holds random.bit of another design than random" in told and "--force" in told
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert main(["build", str(first), "--board", "pynq-z2", "--out", str(out), "--force"]) == 0
    assert (out / "random.bit").read_bytes() != b"hours"


def test_the_default_folder_lies_beside_the_design(designs, tmp_path, capsys, no_vivado):
    copy = shutil.copytree(designs["xc7"].folder, tmp_path / "mine")
    assert main(["build", str(copy), "--board", "pynq-z2"]) == 0
    assert (tmp_path / "mine-pynq-z2" / "build.tcl").is_file()
    assert "mine-pynq-z2" in capsys.readouterr().out


def test_what_cannot_be_built_is_told_in_a_sentence(designs, tmp_path):
    with pytest.raises(BoardError, match="the design is for ecp5, pynq-z2 is xc7; generate it with --target xc7"):
        bw.build(designs["ecp5"], "pynq-z2", tmp_path / "a")
    with pytest.raises(BoardError, match="the design is for xc7, ulx3s-85f is ecp5"):
        bw.build(designs["xc7"], "ulx3s-85f", tmp_path / "a")
    with pytest.raises(
        BoardError,
        match=r"nothing is built for zybo-z7-20, it is only sized: .* boards with a build: .*icebreaker, .*pynq-z1",
    ):
        bw.build(designs["xc7"], "zybo-z7-20", tmp_path / "a")
    with pytest.raises(BoardError, match="no board is called"):
        bw.build(designs["xc7"], "zynq", tmp_path / "a")
    with pytest.raises(BoardError, match="at least 1 placement"):
        bw.build(designs["ecp5"], "ulx3s-85f", tmp_path / "a", seeds=0)
    with pytest.raises(BoardError, match="300 MHz cannot be had on Zynq-7000"):
        bw.build(designs["xc7"], "pynq-z2", tmp_path / "a", clock_mhz=300)
    assert not (tmp_path / "a").exists()


def test_a_missing_tool_is_told_before_anything_is_written(designs, tmp_path, monkeypatch):
    import bitwright_hw.nextpnr as module

    def none(name: str) -> str:
        raise module.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.metadata, "version", none)
    with pytest.raises(ToolError, match=r"placing needs nextpnr for ECP5"):
        bw.build(designs["ecp5"], "ulx3s-85f", tmp_path / "a")
    assert not (tmp_path / "a").exists()
