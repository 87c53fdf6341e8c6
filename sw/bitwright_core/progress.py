"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""progress(what, done, total): `done` of `total` steps of `what` are over; called before the first and after each."""


def no_progress(what: str, done: int, total: int) -> None:
    """Takes what Progress takes and tells nobody."""
