"""Lines that tell how far long work is, where there is no terminal."""

import sys

import pytest

from bitwright_core import progress
from bitwright_train import __main__ as trains


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def set_to(seconds):
        now[0] = seconds

    return set_to


def test_a_line_now_and_then_and_one_at_the_end(at, capsys):
    report = progress.plain_progress()
    for second in range(26):
        at(float(second))
        report("teacher", second, 25)
    told = capsys.readouterr().err.splitlines()
    assert told == ["teacher: 2/25", "teacher: 12/25", "teacher: 22/25", "teacher: 25/25"]


def test_what_is_soon_over_is_not_told_and_an_end_is_told_once(at, capsys):
    report = progress.plain_progress()
    report("frames", 0, 2)
    at(1.9)
    report("frames", 2, 2)
    assert capsys.readouterr().err == ""
    at(3.0)
    report("copies", 0, 4)
    at(4.0)
    report("copies", 4, 4)
    report("copies", 4, 4)
    assert capsys.readouterr().err.splitlines() == ["copies: 0/4", "copies: 4/4"]


def test_training_alone_tells_of_its_teacher_too(monkeypatch, tmp_path, capsys):
    told = set()
    monkeypatch.setattr(trains, "plain_progress", lambda: lambda what, done, total: told.add((what, done == total)))
    text = 'name = "one"\ndataset = "digits"\nhidden = [8]\ninput_bits = 5\nthresholds = [8]\nepochs = 1\n'
    (tmp_path / "one.toml").write_text(text + "distill = 0.5\nteacher_width = 4\nteacher_epochs = 1\n")
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "one.toml"), "--out", str(tmp_path / "out"), "--cpu"])
    assert trains.main() == 0, capsys.readouterr().err
    assert {("teacher", True), ("train", True)} <= told
