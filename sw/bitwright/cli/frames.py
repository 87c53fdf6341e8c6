"""What verify, program and serial share: which frames they run, and how their report begins."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Judged(Protocol):
    """The fields that reports of compared frames have in common."""

    @property
    def accuracy(self) -> float | None: ...
    @property
    def golden_accuracy(self) -> float | None: ...
    @property
    def label_metrics(self) -> object | None: ...
    @property
    def golden_label_metrics(self) -> object | None: ...


def add_frames(
    command: argparse._ActionsContainer,
    *,
    default: str | None,
    required: bool = True,
    frames: bool = True,
    otherwise: str = "",
) -> None:
    """Options --data, --data-dir and, with `frames`, --frames; --data is `required` where there is no default.

    `otherwise` says what is taken where it is left out and has no default.
    """
    told = default or otherwise
    command.add_argument(
        "--data",
        metavar="NAME",
        default=default,
        required=required and default is None,
        help="digits, mnist, fashion-mnist, cifar10, fsdd, spam, yeast, a .npz (x_test, y_test) or .csv, a folder of "
        "classes, a .npy of frames, or random[:SEED] for random frames; mnist:5-9 for some classes"
        + (f" (default: {told})" if told else ""),
    )
    command.add_argument(
        "--data-dir", metavar="D", type=Path, help="folder of the data files (default: $BITWRIGHT_DATA, or data)"
    )
    if frames:
        command.add_argument("--frames", metavar="N|all", type=_frames, help="the first N frames (default: all)")


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames, nor all")
    return int(text)


def seconds(text: str) -> float:
    """A type of argparse: a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def count(what: str, most: int | None = None) -> Callable[[str], int]:
    """A type of argparse: a whole number from 1 up to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text) < 1 or (most is not None and int(text) > most):
            limit = "" if most is None else f" from 1 to {most:,}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what}{limit}")
        return int(text)

    return read


def frame_facts(report: Judged, *, frames: int, mismatches: int, where: str) -> Sequence[tuple[str, object]]:
    """How many frames ran `where`, how many differed, and how right classes or labels are if the frames' were given."""
    from bitwright.cli.output import percent

    facts: list[tuple[str, object]] = [("frames", frames), ("mismatches", mismatches)]
    if report.accuracy is not None:
        told = f"{percent(report.accuracy)} {where}, {percent(report.golden_accuracy)} golden model"
        facts.append(("accuracy", told))
    if report.label_metrics is not None:
        facts += [("labels", f"{report.label_metrics} {where}"), ("", f"{report.golden_label_metrics} golden model")]
    return facts


def compared(integers: Mapping[str, int]) -> str:
    """How many integers were compared, in all and of each layer or kind of result."""
    return f"{sum(integers.values()):,} integers: " + ", ".join(f"{name} {n:,}" for name, n in integers.items())
