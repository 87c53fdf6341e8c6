"""Equal input gives equal bytes: designs of every kind are what they were when they were recorded."""

import pytest

from tests.corpus.cases import CASES, LARGE, RANDOM, Case
from tests.corpus.record import facts, recorded


def check(case: Case) -> None:
    assert facts(case) == recorded()[case.name]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_designs_are_as_recorded(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*RANDOM, *LARGE], ids=lambda case: case.name)
def test_more_designs_are_as_recorded(case):
    check(case)


def test_the_corpus_is_recorded_whole():
    assert list(recorded()) == [case.name for case in (*CASES, *RANDOM, *LARGE)]
