"""Labels and numbers through the Verilog: bits with their metrics, scores with what they are worth."""

import dataclasses

import numpy as np
import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core import golden
from bitwright_core.errors import DataError, PlanError
from bitwright_core.metrics import LabelMetrics
from bitwright_core.network import Values
from tests.sim.designs import frames_for, small_network


def test_labels_are_judged_each_for_itself(tmp_path, capsys):
    network = small_network(hidden=(13, 3), classes=None, labels=("hot", "wet", "loud"))
    frames = frames_for(network, 200)
    bits = golden.outputs(network, frames)
    labels = bits.copy()
    labels[:50, 1] ^= 1
    design = bw.generate(network, bw.size(network, cycles=40), tmp_path / "design")
    report = bw.verify(design, frames, labels)
    assert report.passed and report.accuracy is None
    assert report.label_metrics == report.golden_label_metrics == LabelMetrics.of(bits, labels)
    assert report.label_metrics.hamming_loss == 50 / 600 and report.label_metrics.all_right == 0.75
    both, either = (bits & labels).sum(), bits.sum() + labels.sum()
    assert report.label_metrics.micro_f1 == 2 * both / either
    with pytest.raises(DataError, match=r"labels of 0 and 1 .* here \(200, 3\) of bits"):
        bw.verify(design, frames, labels[:, :2])
    arrays = {
        "x_train": frames.astype(np.uint8),
        "y_train": labels,
        "x_test": frames.astype(np.uint8),
        "y_test": labels,
    }
    np.savez(tmp_path / "d.npz", **arrays)
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "design"), "--data", str(tmp_path / "d.npz")]) == 0
    assert "Hamming loss 0.0833" in capsys.readouterr().out


def test_numbers_come_out_as_scores(tmp_path, capsys):
    network = dataclasses.replace(small_network(classes=2), values=Values(step=0.25, error=0.01))
    frames = frames_for(network, 60)
    plan = bw.size(network, cycles=40)
    assert plan.scores and bw.size(network, board="pynq-z2", target_fps=1000).scores
    with pytest.raises(PlanError, match="gives values, which its scores are: the plan needs scores = true"):
        bw.generate(network, dataclasses.replace(plan, scores=False), tmp_path / "design")
    design = bw.generate(network, plan, tmp_path / "design")
    assert bw.load(tmp_path / "design").values == network.values
    assert bw.verify(design, frames, np.zeros(60, np.int64)).accuracy is None
    np.testing.assert_array_equal(golden.values(network, frames), 0.25 * golden.outputs(network, frames))
    with pytest.raises(DataError, match="gives values, not classes"):
        golden.classify(network, frames)
    assert main(["info", str(tmp_path / "design")]) == 0
    assert "0.25 times the score, within 0.01" in " ".join(capsys.readouterr().out.split())
