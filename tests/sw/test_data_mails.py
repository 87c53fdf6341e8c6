"""Mails as bags of words: which words count, the split, and what is refused."""

import hashlib

import numpy as np
import pytest

from bitwright_core.errors import DataError
from bitwright_data import load_dataset, load_held_out
from bitwright_data.mails import bags, telling_words, words_of


def test_words_are_of_subject_and_body():
    head = b"From: someone\r\nSubject: Cheap\r\n offers here\r\nX-Other: header\r\n\r\n"
    mail = head + b"Buy it NOW, don't wait42 abcdefghijklmnop"
    assert words_of(mail) == {"cheap", "offers", "here", "buy", "now", "don", "wait"}
    assert words_of(b"no empty line") == frozenset()
    assert words_of(b"\n\nbody alone") == {"body", "alone"}


def test_the_most_telling_words_come_first():
    """By chi-square, of mails in whole numbers; a word in every mail tells nothing, equal ones go by the alphabet."""
    mails = [
        frozenset(text.split()) for text in ("all ham x", "all ham y", "all z ham", "all spam x", "all spam y", "all")
    ]
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert telling_words(mails, labels) == ("ham", "spam", "z", "all", "x", "y")
    np.testing.assert_array_equal(bags(mails, ("spam", "x"))[2:4], [[0, 0], [1, 1]])


def test_words_are_those_of_the_formula():
    rng = np.random.default_rng(4)
    present = rng.random((300, 40)) < rng.random(40)
    labels = (rng.random(300) < 0.3 + 0.4 * present[:, 7]).astype(np.int64)
    mails = [frozenset(f"w{k:02}" for k in np.flatnonzero(row)) for row in present]
    table = np.array(
        [[((present[:, k] == a) & (labels == b)).sum() for a in (0, 1) for b in (0, 1)] for k in range(40)]
    )
    p, q, r, s = table.T.astype(float)
    chi = 300 * (p * s - q * r) ** 2 / ((p + q) * (r + s) * (p + r) * (q + s))
    assert telling_words(mails, labels, 5) == tuple(f"w{k:02}" for k in np.argsort(-chi, kind="stable")[:5])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Forty mails of ham and twenty of spam, named as the corpus names them; some say the same."""
    root = tmp_path_factory.mktemp("data")
    for group, count, text in (
        ("easy_ham", 25, "list patch"),
        ("hard_ham", 15, "offer list"),
        ("spam_2", 20, "offer now"),
    ):
        folder = root / "spam" / group
        folder.mkdir(parents=True)
        (folder / "cmds").write_text("mv this that")
        for k in range(count):
            name = f"{k:05}.{hashlib.md5(f'{group}{k}'.encode()).hexdigest()}"
            letters = "abcdefghijklmnop"[k // 2 % 16] * 4
            (folder / name).write_text(f"Subject: {text}\n\n{letters} {group.replace('_', '')}\n")
    return root


def test_a_fifth_of_the_mails_tests_and_the_same_words_stay_on_one_side(corpus):
    data = load_dataset("spam", corpus)
    assert len(data.train_frames) + len(data.test_frames) == 60 and data.labels == ("ham", "spam")
    assert set(np.unique(data.train_frames)) == {0, 1} and 8 <= len(data.test_frames) <= 16
    held = load_held_out("spam", corpus)
    np.testing.assert_array_equal(held.frames, data.test_frames)
    np.testing.assert_array_equal(held.labels, data.test_labels)
    again = load_dataset("spam", corpus)
    np.testing.assert_array_equal(again.train_frames, data.train_frames)


def test_folders_that_do_not_do(tmp_path):
    with pytest.raises(DataError, match="give --data-dir"):
        load_dataset("spam")
    with pytest.raises(DataError, match="no folders of ham and of spam"):
        load_dataset("spam", tmp_path)
    for name in ("easy_ham", "spam"):
        (tmp_path / "spam" / name).mkdir(parents=True)
        (tmp_path / "spam" / name / "cmds").touch()
    with pytest.raises(DataError, match="no mails of both classes"):
        load_dataset("spam", tmp_path)
