"""Several processes that train one network together, as torchrun starts them."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bitwright_core.errors import TrainingError
from bitwright_train import TrainConfig, load_config, train
from bitwright_train import together as together_module
from bitwright_train.together import Together, together

CHILD = Path(__file__).with_name("together_child.py")
CONFIG = TrainConfig(name="two", dataset="digits", hidden=(8,), input_bits=5, thresholds=(4, 10), batch_size=63)


def torchrun(*arguments, cwd):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_go_on_to_the_bit(tmp_path):
    run = torchrun(CHILD, tmp_path, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    said = dict(line.rsplit(" ", 1) for line in run.stdout.splitlines())
    assert float(said["linear"]) < 1e-5  # no batch norm: as one process, but for rounding
    assert said["resumed"] == "0.0" and said["histories"] == "True"
    assert said["sum of the first"] == said["sum of the second"]
    assert math.isfinite(float(said["sum of the first"]))


@pytest.mark.slow
def test_torchrun_trains_a_configuration_which_is_then_exported(tmp_path):
    text = 'name = "two"\ndataset = "digits"\nhidden = [24]\ninput_bits = 5\nthresholds = [4, 10]\nepochs = 8\n'
    (tmp_path / "two.toml").write_text(text + "batch_size = 64\nlearning_rate = 0.02\n")
    run = torchrun("-m", "bitwright_train", "two.toml", "--out", "out", "--cpu", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [line.split(":")[0] for line in run.stdout.splitlines()[:-1]] == [f"epoch {n}/8" for n in range(1, 9)]
    report = train(load_config(tmp_path / "two.toml"), tmp_path / "out")
    assert report.check.frames == 364 and report.test_accuracy > 0.8
    (tmp_path / "odd.toml").write_text(text + "batch_size = 63\n")
    run = torchrun("-m", "bitwright_train", "odd.toml", "--out", "odd", "--cpu", cwd=tmp_path)
    assert run.returncode != 0
    assert "error: a batch of 63 frames cannot be shared evenly by 2 processes" in run.stderr
    assert not (tmp_path / "odd").exists()


def test_shares_of_a_batch():
    assert Together(rank=1, count=4).share_of(64) == 16
    with pytest.raises(TrainingError, match="set batch_size to a multiple of 2"):
        Together(count=2).share_of(63)


def test_alone_nothing_is_wrapped_or_sent():
    model, alone = nn.Linear(2, 2), Together()
    assert alone.forward_of(model) is model
    assert alone.agreed(1.5, 2.0) == (1.5, 2.0)
    generator = torch.Generator()
    assert alone.chance(generator, 3) is generator
    total = torch.ones(2)
    alone.add(total)
    assert total.tolist() == [1, 1]


def test_chance_is_another_for_each_process_and_epoch():
    generator = torch.Generator().manual_seed(7)
    states = {
        bytes(Together(rank=rank, count=2).chance(generator, epoch).get_state().numpy().tobytes())
        for rank in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert len(states) == 6


def test_bitwright_train_under_torchrun_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="-m bitwright_train CONFIG --out DIR"):
        train(CONFIG, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_the_environment_is_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(TrainingError, match="WORLD_SIZE is 'many'"):
        together_module.started_together()
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    message = "process 4 of this machine has no GPU of its own: torch sees 2; start torchrun with --nproc-per-node 2"
    with pytest.raises(TrainingError, match=message), together(torch.device("cuda")):
        pass
