"""`spam`: mails as bags of words, a bit for each of 1,024 words, from SpamAssassin's public corpus.

Words have 3 to 15 letters and stand in the subject or in the raw body; no other header is looked at. The words are
those that tell most of the class by chi-square over the training mails. A fifth of the mails are for the test; those of
the same words stay on one side. Source: spamassassin.apache.org/old/publiccorpus.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_data.dataset import Dataset, HeldOut

LABELS = ("ham", "spam")
WORDS = 1024
_MAIL = re.compile(r"\d{5}\.[0-9a-f]{32}(\.txt)?")
_SUBJECT = re.compile(rb"^subject:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_WORD = re.compile(rb"[a-z]+")
_FILES = "spam/ with the corpus' folders in it as they unpack: easy_ham, easy_ham_2, hard_ham, spam, spam_2"
_SEED = 1


def words_of(mail: bytes) -> frozenset[str]:
    """The words of a mail, lower case."""
    head, _, body = mail.replace(b"\r\n", b"\n").lower().partition(b"\n\n")
    subject = _SUBJECT.search(head)
    text = (subject[1] if subject else b"") + b"\n" + body
    return frozenset(word.decode() for word in _WORD.findall(text) if 3 <= len(word) <= 15)


def bags(mails: list[frozenset[str]], words: tuple[str, ...]) -> NDArray[np.uint8]:
    """1 where a mail has a word, (mails, words)."""
    return np.array([[word in mail for word in words] for mail in mails], np.uint8)


def telling_words(mails: list[frozenset[str]], labels: NDArray[np.int64], count: int = WORDS) -> tuple[str, ...]:
    """The `count` words of the greatest chi-square with the class, the greatest first, equal ones by the alphabet.

    In whole numbers: every machine takes the same words.
    """
    held = [
        Counter(word for mail, label in zip(mails, labels, strict=True) if label == of for word in mail)
        for of in (0, 1)
    ]
    totals = [int((labels == of).sum()) for of in (0, 1)]
    total = sum(totals)

    def merit(word: str) -> int:
        ham, spam = held[0][word], held[1][word]
        present = ham + spam
        if present == total:
            return 0  # a word in every mail says nothing
        return ((ham * totals[1] - spam * totals[0]) ** 2 << 64) // (present * (total - present))

    vocabulary = sorted({*held[0], *held[1]})
    return tuple(sorted(vocabulary, key=merit, reverse=True)[:count])


def _read(data_dir: Path | None) -> tuple[list[frozenset[str]], NDArray[np.int64]]:
    """Words and class of each mail, in the order of folders and names. Raises DataError."""
    if data_dir is None:
        raise DataError(f"spam is read from files: give --data-dir, a folder with {_FILES}")
    folder = data_dir / "spam"
    groups = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    groups = [path for path in groups if path.name.startswith("spam") or "ham" in path.name]
    if {path.name.startswith("spam") for path in groups} != {True, False}:
        raise DataError(f"{data_dir}: no folders of ham and of spam; spam needs {_FILES}")
    mails, labels = [], []
    for group in groups:
        for path in sorted(path for path in group.iterdir() if _MAIL.fullmatch(path.name)):
            mails.append(words_of(path.read_bytes()))
            labels.append(int(group.name.startswith("spam")))
    if len(set(labels)) < 2:
        raise DataError(f"{folder}: no mails of both classes, named NUMBER.DIGEST; spam needs {_FILES}")
    return mails, np.array(labels, np.int64)


def load_spam(data_dir: Path | None) -> Dataset:
    """`spam`: frames (n, 1024) of 0 and 1, the most telling word first. Raises DataError."""
    mails, labels = _read(data_dir)
    distinct = list(dict.fromkeys(mails))
    tested = {distinct[i] for i in np.random.RandomState(_SEED).permutation(len(distinct))[: len(distinct) // 5]}
    test = np.array([mail in tested for mail in mails])
    train_mails = [mail for mail, is_test in zip(mails, test, strict=True) if not is_test]
    words = telling_words(train_mails, labels[~test])
    frames = bags(mails, words)
    return Dataset(
        name="spam",
        train_frames=frames[~test],
        train_labels=labels[~test],
        test_frames=frames[test],
        test_labels=labels[test],
        labels=LABELS,
    )


def load_spam_held_out(data_dir: Path | None) -> HeldOut:
    """The test mails; all are read, since the training mails say which words count. Raises DataError."""
    return load_spam(data_dir).held_out
