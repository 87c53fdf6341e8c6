"""Augmented copies of training frames, made once, with what a teacher says of them."""

import dataclasses

import pytest
import torch

from bitwright_core.errors import TrainingError
from bitwright_data import load_dataset
from bitwright_train import TrainConfig, train
from bitwright_train.augment import Augmenter
from bitwright_train.copies import Copies
from bitwright_train.loop import LoopOptions, run
from bitwright_train.teacher import FloatTeacher

SMALL = TrainConfig(
    name="small",
    dataset="digits",
    hidden=(16,),
    input_bits=5,
    thresholds=(4, 10),
    epochs=3,
    batch_size=64,
    learning_rate=0.02,
    shift=1,
    distill=0.5,
    teacher_width=4,
    teacher_epochs=1,
    copies=3,
    seed=3,
)


@pytest.fixture
def frames():
    return torch.randint(0, 32, (1100, 6, 5), generator=torch.Generator().manual_seed(1), dtype=torch.int32)


def teacher_of(frames):
    teacher = FloatTeacher(shape=tuple(frames.shape[1:]), input_bits=5, width=4, classes=10)
    teacher.initialise(torch.Generator().manual_seed(2))
    return teacher.eval().requires_grad_(False)


def test_copies_are_shifts_of_their_frames_and_the_teacher_is_asked_of_each(frames):
    teacher = teacher_of(frames)
    copies = Copies(Augmenter(frames, 1), 4, 7, teacher)
    assert copies.frames.shape == (4, 1100, 6, 5) and copies.frames.dtype == frames.dtype
    padded = torch.nn.functional.pad(frames, (1, 1, 1, 1))
    shifted = [padded[:, down : down + 6, across : across + 5] for down in range(3) for across in range(3)]
    for copy in copies.frames:
        assert torch.stack([(copy == one).all((1, 2)) for one in shifted]).any(0).all()
    assert not (copies.frames[0] == copies.frames[1]).all()
    torch.testing.assert_close(copies.said[2], teacher(teacher.encode(copies.frames[2])))


def test_a_batch_has_a_copy_of_each_frame_by_chance_with_its_logits(frames):
    teacher = teacher_of(frames)
    copies = Copies(Augmenter(frames, 1), 4, 7, teacher)
    index = torch.arange(900, 100, -1)
    batch, said = copies.batch(index, torch.Generator().manual_seed(5))
    torch.testing.assert_close(said, teacher(teacher.encode(batch)))
    taken = [(batch == copy[index]).all((1, 2)).sum().item() for copy in copies.frames]
    assert min(taken) > 100 and sum(taken) >= 800  # 200 of each; two copies may be alike


def test_the_same_seed_gives_the_same_copies_and_none_of_the_logits_without_a_teacher(frames):
    one, same, other = (Copies(Augmenter(frames, 1), 2, seed) for seed in (7, 7, 8))
    assert torch.equal(one.frames, same.frames) and not torch.equal(one.frames, other.frames)
    assert one.batch(torch.arange(3), None)[1] is None


def test_more_copies_than_memory_holds_are_refused(frames):
    with pytest.raises(TrainingError, match=r"100000000000 augmented copies of 1100 frames take .* GB.*; lower copies"):
        Copies(Augmenter(frames, 1), 100_000_000_000, 7)


def kept(out, **options):
    """The model that a run in the folder `out` keeps."""
    own = LoopOptions(
        device=torch.device("cpu"), teacher=out / "teacher.safetensors", checkpoint_seconds=0.0, **options
    )
    model, _ = run(SMALL, load_dataset("digits", None), out / "checkpoint.safetensors", own)
    return model.state_dict()


def test_a_run_with_copies_goes_on_to_the_bit_and_tells_of_them(tmp_path):
    steps = []
    whole = kept(tmp_path / "whole", progress=lambda *step: steps.append(step))
    assert [step for step in steps if step[0] == "copies"][-1][1:] == (3 * 1292, 3 * 1292)
    kept(tmp_path / "cut", enough=lambda history: len(history) == 2)
    resumed = kept(tmp_path / "cut")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_mixup_asks_the_teacher_of_the_blended_frames(tmp_path, monkeypatch):
    asked = []
    forward = FloatTeacher.forward
    monkeypatch.setattr(
        FloatTeacher, "forward", lambda self, *args: asked.append(self.training) or forward(self, *args)
    )
    train(dataclasses.replace(SMALL, epochs=1), tmp_path / "plain")
    without = asked.count(False)
    asked.clear()
    train(dataclasses.replace(SMALL, epochs=1, mixup=0.3), tmp_path / "mixed")
    assert without < 12  # chunks of copies, and validation
    assert asked.count(False) >= 20  # each step
