"""What a command finds around it: streams that are closed, and a user who presses Ctrl-C."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_AGAIN_SECONDS = 0.02


def check_streams() -> str:
    """Gives every standard stream that is closed a place, so that no file of ours takes its number; returns what is
    wrong, if a result could not be shown."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)  # the lowest free number
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
        return "standard output is closed, so nothing could be shown; nothing was done: open it, as with > /dev/null"
    return ""


def discard_output() -> None:
    """Keeps the interpreter from flushing once more, at exit, into a standard output that takes nothing."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def hush_amaranth() -> None:
    """Keeps Amaranth from warning of each component that was made and not used, as a command cut short leaves them."""
    hdl = sys.modules.get("amaranth.hdl")
    if hdl is not None:
        warnings.simplefilter("ignore", hdl.UnusedElaboratable)


def _swallowed(frame: FrameType | None) -> bool:
    """Whether an exception raised at `frame` would be ignored: in a finalizer."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class Terminated(KeyboardInterrupt):
    """SIGTERM came: all that Ctrl-C ends is to end, the tools that run for us with it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, as ever, but never where it would be ignored: there it waits for a moment.
    SIGTERM, which would leave the tools behind that run for us, raises Terminated likewise.

    A signal for which somebody else has a handler, or which is ignored as in the background of a shell, is left alone.
    """
    ours: dict[int, tuple[Any, type[KeyboardInterrupt]]] = {
        signal.SIGINT: (signal.default_int_handler, KeyboardInterrupt),
        signal.SIGTERM: (signal.SIG_DFL, Terminated),
    }
    taken = {number: was for number, (was, _) in ours.items() if signal.getsignal(number) is was}
    if threading.current_thread() is not threading.main_thread() or not taken:
        yield
        return
    waiting: list[int] = []
    owner = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a child that was forked: who ends it means it
            signal.signal(number, taken.get(number, signal.SIG_DFL))
            os.kill(os.getpid(), number)
            return
        if number in taken:
            waiting.append(number)
        if _swallowed(frame):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            return
        raise ours[waiting[0]][1]

    before = signal.signal(signal.SIGALRM, interrupt)
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for number, was in taken.items():
            signal.signal(number, was)
