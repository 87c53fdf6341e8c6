"""Progress in a notebook: a bar in the output of the cell for each thing that takes its time.

Asks IPython, which a notebook has loaded, and nothing else: no widgets, so that any front end shows the bars.
"""

import functools
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_SECONDS = 0.5  # what is done sooner has no bar
_EVERY_SECONDS = 0.2  # a bar is drawn anew at most so often
_WIDTH = "18rem"


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook, not in a script or at a prompt."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookBars:
    """A progress callback (what, done, total): one bar in the cell's output, of what is at work."""

    def __init__(self, display: Callable[..., Any], clock: Callable[[], float] = time.monotonic):
        self._display, self._clock = display, clock
        self._started, self._drawn = clock(), 0.0
        self._bar: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        soon = self._bar is None and now - self._started < _FIRST_SECONDS
        if soon or (now - self._drawn < _EVERY_SECONDS and done < total):
            return
        self._drawn = now
        bar = f'<progress value="{done}" max="{max(1, total)}" style="width: {_WIDTH}"></progress>'
        self._show(f"{bar} {escape(what)}, {done:,} of {total:,}")

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._show("")
            self._bar = None

    def _show(self, html: str) -> None:
        shown = {"text/html": html, "text/plain": ""}
        if self._bar is None:
            self._bar = self._display(shown, raw=True, display_id=True)
        else:
            self._bar.update(shown, raw=True)


def shows_progress(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, which shows bars while it works where it is called in a notebook and without `progress`."""

    @functools.wraps(function)
    def with_bars(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs.get("progress") is not None or not in_notebook():
            return function(*args, **kwargs)
        from IPython.display import display

        bars = NotebookBars(display)
        try:
            return function(*args, **{**kwargs, "progress": bars})  # type: ignore[arg-type]
        finally:
            bars.close()

    return with_bars
