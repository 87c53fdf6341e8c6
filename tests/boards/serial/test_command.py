"""`bitwright serial`: frames over the simulated line, from the command line."""

import json
import shutil

import numpy as np

from bitwright.cli import main


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
    from bitwright_boards import serial_driver

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
