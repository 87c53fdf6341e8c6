"""Situations that benches are to bring about are counted, and those that never came are named."""

import pytest

from tests.coverage import Coverage


def test_a_hole_is_named():
    coverage = Coverage(["a stall", "a reset"])
    coverage.count("a stall", 1200)
    assert coverage.holes == ["a reset"]
    assert str(coverage).splitlines() == [
        "coverage:",
        "  a stall        1,200",
        "  a reset         HOLE",
        "holes: a reset",
    ]
    coverage.add({"a reset": 1})
    assert not coverage.holes and str(coverage).endswith("no holes")


def test_a_situation_that_no_list_has_is_refused():
    with pytest.raises(KeyError, match="a flood"):
        Coverage(["a stall"]).count("a flood")
