"""How long work tells how far it is."""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""progress(what, done, total): `done` of `total` steps of `what` are over; called before the first and after each."""

_QUIET_SECONDS = 2.0  # nothing is told of what is over by then
_PLAIN_SECONDS = 10.0  # from line to line of one thing


def no_progress(what: str, done: int, total: int) -> None:
    """Takes what Progress takes and tells nobody."""


def plain_progress() -> Progress:
    """A line on standard error now and then, for a log or a pipe: nothing at first, then one every ten seconds."""
    started = time.monotonic()
    last: dict[str, float] = {}

    def report(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        before = last.get(what)
        due = now - started >= _QUIET_SECONDS and (before is None or now - before >= _PLAIN_SECONDS)
        finished = done >= total and before not in {None, float("inf")}
        if due or finished:
            print(f"{what}: {done}/{total}", file=sys.stderr, flush=True)
            last[what] = float("inf") if done >= total else now

    return report
