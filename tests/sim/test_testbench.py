"""The plain Verilog testbench: passes on the design, with and without pauses, and fails on one that is wrong."""

import re
import subprocess

import pytest

from bitwright import api
from bitwright.cli import main
from tests.sim.designs import flip_weight, need_icarus, small_network, small_plan


def run(folder, *more: str) -> str:
    """What Icarus prints, of the files that the testbench's head names."""
    head = (folder / "testbench.v").read_text()
    sources = re.search(r"^// Compile with: (.*)$", head, re.M)[1].split()
    for command in (["iverilog", "-g2005", "-Wall", "-o", "run", *sources], ["vvp", "run", *more]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({}, {}),
        ({}, {"scores": True, "data_bits": 16, "target": "xc7"}),
        ({"classes": None}, {"encoding": "host", "data_bits": 128}),
    ],
    ids=["class", "scores-16-xc7", "bits-host-128"],
)
def test_it_passes_on_icarus(tmp_path, changes, plan):
    need_icarus()
    network = small_network(**{"bits": 12 if plan else 8, **changes})
    design = api.generate(network, small_plan(network, **plan), tmp_path / "design")
    beats = 10 * design.manifest.output.beats
    for seed in range(2):
        files = api.write_testbench(design, tmp_path / "tb", f"random:{seed}")
        assert [file.name for file in files] == ["testbench.v", "input.hex", "expected.hex"]
        assert len(files[1].read_text().split()) == 10 * design.manifest.input.beats
    assert f"PASS: 10 frames, {beats} output beats" in run(tmp_path / "tb")
    assert f"PASS: 10 frames, {beats} output beats" in run(tmp_path / "tb", "+stall")


def test_it_fails_on_a_weight_that_is_wrong(scores_design, tmp_path):
    need_icarus()
    wrong = flip_weight(scores_design, tmp_path / "wrong", memory=2, word=0, bit=0)
    assert wrong.edited
    api.write_testbench(wrong, tmp_path / "tb")
    said = run(tmp_path / "tb")
    assert "FAIL: 60 of 60 output beats came" in said and "expected" in said and "PASS" not in said


def test_a_result_that_is_lost_is_seen(scores_design, tmp_path):
    need_icarus()
    api.write_testbench(scores_design, tmp_path / "tb")
    vectors = tmp_path / "tb" / "input.hex"
    lines, beats = vectors.read_text().splitlines(), scores_design.manifest.input.beats
    vectors.write_text("\n".join(lines[:-beats] + ["x"] * beats) + "\n")
    assert "FAIL: " in run(tmp_path / "tb")


def test_generate_writes_it(tmp_path, capsys):
    small_network().save(tmp_path / "n.safetensors")
    given = ["generate", str(tmp_path / "n.safetensors"), "--out", str(tmp_path / "d")]
    assert main([*given, "--testbench", str(tmp_path / "d" / "tb")]) == 2
    assert "lies in the design's folder" in capsys.readouterr().err and not (tmp_path / "d").exists()
    assert main([*given, "--testbench", str(tmp_path / "tb")]) == 0
    assert "../d/bitwright_" in (tmp_path / "tb" / "testbench.v").read_text()
