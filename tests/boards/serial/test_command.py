"""`bitwright serial`: frames over the simulated line, from the command line."""

import json
import shutil
from dataclasses import replace

import numpy as np

from bitwright.cli import main
from bitwright_boards import serial_driver
from bitwright_boards.deployment import Vectors


def test_frames_over_the_simulated_line(folder, capsys):
    assert main(["serial", str(folder), "--simulated", "--frames", "40", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["passed"] and values["frames"] == 40 and values["mismatches"] == [] and values["repeated"] == 0
    assert values["board"] == "ulx3s-85f" and values["port"] == "simulated" and values["accuracy"] is None
    assert 1000 < values["frames_per_second"] < values["busy_frames_per_second"] * 2
    assert main(["serial", str(folder), "--simulated", "--frames", "8"]) == 0
    assert "golden model's" in capsys.readouterr().out


def test_labels_give_the_accuracy(folder, network, tmp_path, capsys):
    frames = np.random.default_rng(1).integers(0, 256, (10, 5, 5), np.uint8)
    np.savez(
        tmp_path / "set.npz",
        x_train=frames,
        y_train=np.arange(10) % 4,
        x_test=frames,
        y_test=np.arange(10) % 4,
    )
    assert main(["serial", str(folder), "--simulated", "--data", str(tmp_path / "set.npz"), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["accuracy"] == values["golden_accuracy"] is not None


def test_a_wrong_result_is_a_mismatch(folder, capsys, monkeypatch):
    original = serial_driver.Accelerator.run

    def run(board, frames, **options):
        result = original(board, frames, **options)
        result.scores[3, 1] += 1
        return result

    monkeypatch.setattr(serial_driver.Accelerator, "run", run)
    assert main(["serial", str(folder), "--simulated", "--frames", "6"]) == 1
    assert "MISMATCH in frames 3\n" in capsys.readouterr().out


def test_mistakes_are_told_in_a_sentence(folder, tmp_path, capsys):
    assert main(["serial", str(tmp_path), "--simulated"]) == 2
    assert "make it with: bitwright build" in capsys.readouterr().err
    assert main(["serial", str(folder), "--port", "/dev/none-such"]) == 2
    assert "/dev/none-such cannot be opened" in capsys.readouterr().err
    copy = shutil.copytree(folder, tmp_path / "b")
    (copy / "design.json").unlink()
    assert main(["serial", str(copy), "--simulated", "--frames", "1"]) == 2
    assert "file design.json is missing; build it again: bitwright build" in capsys.readouterr().err
    assert main(["serial", str(folder)]) == 2
    assert "one of the arguments --port --simulated is required" in capsys.readouterr().err


def test_labels_that_stand_for_themselves_are_judged_one_by_one(folder, tmp_path, capsys, monkeypatch):
    """A network that gives bits: four answers of two labels, one label wrong."""
    bits, labels = np.array([[0, 1], [1, 1], [0, 0], [1, 0]]), np.array([[0, 1], [1, 0], [0, 0], [1, 0]])
    vectors = Vectors(frames=np.zeros((4, 25), np.uint8), classes=None, scores=bits, labels=labels)
    metrics = vectors.label_metrics(bits)
    assert metrics.hamming_loss == 1 / 8 and metrics.micro_f1 == 6 / 7 and metrics.all_right == 3 / 4
    assert replace(vectors, labels=None).label_metrics(bits) is None

    monkeypatch.setattr("bitwright_boards.serial_run.make_vectors", lambda *_: vectors)
    monkeypatch.setattr(Vectors, "differing", lambda *_, **__: np.zeros(4, bool))
    monkeypatch.setattr(serial_driver.Accelerator, "run", _answering(serial_driver.Accelerator.run, bits))
    assert main(["serial", str(folder), "--simulated", "--frames", "4"]) == 0
    assert capsys.readouterr().out.count("micro-F1 0.8571") == 2  # on the board, and by the golden model
    assert main(["serial", str(folder), "--simulated", "--frames", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label_metrics"]["hamming_loss"] == 1 / 8


def _answering(run, bits):
    def answered(board, frames, **options):
        result = run(board, frames, **options)
        return replace(result, classes=None, scores=bits)

    return answered
