"""The argument parser of every command: mistakes as one sentence with the near miss, values that begin with a minus."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from bitwright_core.errors import BitwrightError

_CHOICE = re.compile(
    r"^(?:argument (?P<what>.*?): )?invalid choice: (?P<given>.*?) \(choose from (?P<known>.*)\)$", re.S
)


class UsageError(BitwrightError):
    """A command line that cannot be read."""


class Parser(argparse.ArgumentParser):
    """argparse's, with `UsageError` in the place of an exit, and without abbreviated options.

    An option that takes one value takes one that begins with a minus, too (`--mean -0.5,-0.5`, `--input-range -1..1`,
    `--password -x`): after such an option, what begins with one minus and is no option itself is its value.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_with_near_miss(message)}; see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does, but leaves nothing over: what this command does not know is its own error."""
        given = self._joined([str(arg) for arg in args])
        namespace, extra = super().parse_known_args(given, namespace)
        if extra:
            known = [name for action in self._actions for name in action.option_strings]
            first = extra[0].partition("=")[0]
            hint = _hint(first, known) if first.startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(extra)}{hint}")
        return namespace, extra

    def _joined(self, args: Sequence[str]) -> list[str]:
        """`args` with each value that begins with one minus joined to its option, as in --seed=-1."""
        options = {name: action for action in self._actions for name in action.option_strings}
        joined: list[str] = []
        rest = False  # behind --
        for arg in args:
            before = options.get(joined[-1]) if joined and not rest else None
            takes_one = before is not None and before.nargs is None
            if takes_one and re.match(r"-[^-]", arg) and arg not in options:
                joined[-1] += f"={arg}"
            else:
                joined.append(arg)
            rest = rest or arg == "--"
        return joined


def _with_near_miss(message: str) -> str:
    """argparse's message of a wrong choice, with what was probably meant."""
    found = _CHOICE.match(message)
    if found is None:
        return message
    known = [name.strip("'\"") for name in found["known"].split(", ")]
    what = "" if found["what"] is None else f"argument {found['what']}: "
    given = found["given"]
    return f"{what}invalid choice: {given}{_hint(given.strip(chr(39)), known)}; choose from {', '.join(known)}"


def _hint(word: str, known: Sequence[str]) -> str:
    from bitwright_core.near import did_you_mean

    return did_you_mean(word, known)


def add_planes(command: argparse._ActionsContainer) -> None:
    """How engines take bit-planes."""
    command.add_argument(
        "--planes",
        choices=("parallel", "serial"),
        help="bit-planes of values and weights of a few bits: with a popcount each, or one after the other with one",
    )


def add_loadable(command: argparse._ActionsContainer) -> None:
    """Which layers take other weights while they run."""
    command.add_argument(
        "--loadable",
        choices=("all", "last"),
        help="layers whose weights, thresholds and scores are loaded while it runs: all, or the last alone",
    )
