"""A design folder in which something was changed after it was generated: noticed, whatever it is."""

import dataclasses
import shutil

import pytest
from msgspec.structs import replace

import bitwright as bw
from bitwright.cli import main
from bitwright_core.board_build import copy_design
from bitwright_core.design import MANIFEST, Design
from bitwright_core.errors import DesignError
from bitwright_core.manifest import read_manifest
from bitwright_core.plan import default_plan
from tests.sw.networks import random_network

COMMANDS = (
    "simulate d",
    "verify d --data random",
    "synth d --family xc7",
    "build d --board pynq-z2 --no-vivado",
    "program d --board pynq-z2 --simulated",
    "program d --board pynq-z2 --host 127.0.0.1",
    "size d --board pynq-z2",
    "info d",
    "generate d --out new",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    network = random_network(3, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)
    plan = bw.size(network, cycles=60, target="xc7")
    return bw.generate(network, plan, tmp_path_factory.mktemp("altered") / "d", name="random")


@pytest.fixture
def folder(original, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(original.folder, tmp_path / "d")


def edit(file) -> None:
    text = file.read_text()
    file.write_text(text.replace("clock_mhz = 100.0", "clock_mhz = 125.0") if file.suffix == ".toml" else text + "\n")


@pytest.mark.parametrize("name", ["plan.toml", "network.safetensors"])
def test_an_altered_plan_or_network_is_refused_by_every_command(folder, capsys, name):
    if name == "plan.toml":
        edit(folder / name)
    else:
        network = random_network(3, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3, labels=("a", "b", "c"))
        network.save(folder / name)  # the digest of what it computes is the same
    for line in COMMANDS:
        assert main(line.split()) == 2, line
        said = capsys.readouterr().err
        assert f"{name} was altered after the design was generated, and its Verilog is of the old one" in said, line
        assert f"generate another design from it, or bring the old {name} back" in said


def test_another_design_comes_of_the_altered_plan(folder, capsys):
    edit(folder / "plan.toml")
    assert main(["generate", "d/network.safetensors", "--plan", "d/plan.toml", "--out", "new"]) == 0
    assert Design.load("new").plan.clock_mhz == 125
    shutil.copy("new/plan.toml", "d/plan.toml")
    with pytest.raises(DesignError, match="was altered"):
        Design.load("d")


@pytest.mark.parametrize("key", ["latency_cycles", "interval_cycles", "clock_mhz", "top"])
def test_an_altered_manifest_is_refused(folder, key):
    manifest = read_manifest(folder)
    other = {"latency_cycles": 5, "interval_cycles": 5, "clock_mhz": 1.0, "top": "other"}[key]
    altered = replace(manifest, **{key: other})
    text = altered.to_bytes().replace(altered.sealed().seal.encode(), manifest.seal.encode())
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(DesignError, match=r"manifest\.json: was altered after it was generated; generate the design"):
        Design.load(folder)
    (folder / MANIFEST).write_bytes(manifest.to_bytes().replace(b"  ", b" "))  # white space alone
    assert Design.load(folder).manifest == manifest


@pytest.mark.parametrize("name", ["bitwright_random.v", "sim/xc7.v"])
def test_edited_verilog_and_models_are_named(folder, tmp_path, capsys, name):
    assert Design.load(folder).edited_files == [] and not Design.load(folder).edited
    edit(folder / name)
    design = Design.load(folder)
    assert design.edited_files == [name] and design.edited
    assert main(["build", "d", "--board", "pynq-z2", "--no-vivado", "--out", "b"]) == 0
    assert (
        f"note: {name} was edited after the design was generated; it was built as it is now" in capsys.readouterr().err
    )
    assert Design.load("b/design").edited_files == [name]
    assert copy_design(design, tmp_path / "c").edited_files == [name]


@pytest.mark.slow
def test_synth_names_edited_verilog(folder, capsys):
    edit(folder / "bitwright_random.v")
    assert main(["synth", "d", "--family", "xc7", "--json"]) == 0
    told = capsys.readouterr()
    assert "note: bitwright_random.v was edited" in told.err and told.out.startswith("{")


def test_designs_of_format_1_are_refused_with_what_to_do(folder):
    manifest = read_manifest(folder)
    (folder / MANIFEST).write_bytes(replace(manifest, format=1).to_bytes())
    with pytest.raises(
        DesignError, match=r"manifest format 1, but this bitwright reads format 2.*generate the design again"
    ):
        Design.load(folder)
    assert main(["generate", "d/network.safetensors", "--plan", "d/plan.toml", "--out", "new"]) == 0


def test_every_file_has_its_digest(original):
    there = {file.relative_to(original.folder).as_posix() for file in original.folder.rglob("*") if file.is_file()}
    assert set(original.manifest.files) == there - {MANIFEST} == set(original.manifest.names)


def test_a_clock_of_whole_megahertz_is_no_alteration(tmp_path):
    network = random_network(3, shape=(6,), bits=8, levels=1, hidden=(5,), classes=3)
    plan = dataclasses.replace(default_plan(network), clock_mhz=12)
    assert Design.load(bw.generate(network, plan, tmp_path / "d").folder).plan == plan
