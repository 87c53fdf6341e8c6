"""Lines that tell how far long work is, where there is no terminal."""

import pytest

from bitwright_core import progress


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
