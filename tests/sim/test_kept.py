"""A frame's cycles as the report draws them, and what `verify` leaves beside a design for its report."""

import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bitwright import api
from bitwright.cli import main
from bitwright.kept import kept_benches, kept_verifications
from bitwright.reporting.handshakes import run_frame
from bitwright.reporting.waves import coming_out, going_in, overview
from bitwright_core.design import Design
from bitwright_core.golden import trace
from tests.sim.designs import frames_for


def test_a_frame_is_seen_cycle_by_cycle(scores_design):
    design, frames = scores_design, frames_for(scores_design.network, 1)
    found = run_frame(design, frames, quick=False)
    assert found.latency == design.manifest.latency_cycles
    words = {signal.name: int(signal.high.sum()) for signal in found.probes}
    assert words == {"layer0": 4, "layer1": 3, "layer2": 2, "scores": words["scores"]}
    golden = trace(design.network, frames)
    scores = golden.layers[-1].values[0].tolist()
    assert [int(word) for word in found.buses["m_axis_tdata"].words] == [*scores, int(golden.classes[0])]
    assert found.buses["scores"].words[0].split(", ")[0] == str(scores[0])
    pieces = (overview(found), *going_in(found), *coming_out(found))
    assert len(pieces) >= 3
    for drawn in pieces:
        ET.fromstring(drawn)


def test_what_verify_found_is_kept_until_the_verilog_is_another(scores_design, tmp_path):
    frames = tmp_path / "set.npz"
    labels = np.random.default_rng(1).integers(0, 5, 30)
    np.savez(frames, x_test=frames_for(scores_design.network, 30), y_test=labels)
    copy = tmp_path / "d"
    shutil.copytree(scores_design.folder, copy)
    report = api.verify(copy, str(frames))
    (kept,) = kept_verifications(Design.load(copy))
    assert kept.frames == 30 and kept.mismatches == 0 and sum(map(sum, kept.confusion)) == 30
    assert sum(row[k] for k, row in enumerate(kept.confusion)) == round(report.accuracy * 30)
    written = api.report(copy, frame=3)
    page = written.file.read_text("utf-8")
    assert written.file == copy / "report.html" and "30 frames of" in page and "no mismatch" in page
    assert "the class is the golden model&#39;s" in page and "hardware" in page
    assert not any("wave" in one or "verify" in one for one in written.missing)
    verilog = copy / scores_design.manifest.verilog[0]
    verilog.write_text(verilog.read_text() + "// edited\n")
    opened = Design.load(copy)
    assert kept_verifications(opened) == [] and kept_benches(opened) == []
    again = api.report(copy, data="random", waves=False).file.read_text("utf-8")
    assert "was edited after the design was generated" in again and "30 frames of" not in again


@pytest.mark.slow
def test_the_waves_of_one_frame_open_with_their_signals(scores_design, tmp_path, capsys):
    """Every signal of the save file is in the trace, with its width; the marks are the frame's first and last beat."""
    copy = tmp_path / "d"
    shutil.copytree(scores_design.folder, copy)
    assert main(["verify", str(copy), "--data", "random", "--frame", "3", "--waves"]) == 0
    assert f"gtkwave {copy / 'waves-frame-3.gtkw'}" in capsys.readouterr().out
    scopes, there = [], set()
    with (copy / "waves-frame-3.vcd").open() as trace_file:
        for line in trace_file:
            words = line.split()
            if words[:1] == ["$scope"]:
                scopes.append(words[2])
            elif words[:1] == ["$upscope"]:
                scopes.pop()
            elif words[:1] == ["$var"]:
                there.add(".".join([*scopes, "".join(words[4:-1])]))
            elif words[:1] == ["$enddefinitions"]:
                break
    view = (copy / "waves-frame-3.gtkw").read_text().splitlines()
    shown = [line for line in view if line.startswith("bitwright.")]
    assert len(shown) > 20 and set(shown) <= there
    (marks,) = [line.split()[2:4] for line in view if line.startswith("*-")]
    cycles = (int(marks[1]) - int(marks[0])) // 10
    assert cycles == scores_design.manifest.latency_cycles
