"""What commands print: one JSON object or rich tables on standard output, progress on standard error."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bitwright_core.progress import Progress, plain_progress

if TYPE_CHECKING:
    from bitwright_core.design import Design

_PIPE_WIDTH = 160
_SHORT = 24  # a text up to here stays on one line of a table


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_trust(command: argparse.ArgumentParser) -> None:
    """The option of every command that hands a design's Verilog to a tool."""
    command.add_argument(
        "--trust-verilog",
        action="store_true",
        help="let tools read Verilog that has more than bitwright writes, which may run programs here",
    )


def note_edited(design: "Design", done: str) -> None:
    """Says on standard error which Verilog is no longer what the generator wrote, and what was `done` with it."""
    if design.edited_files:
        names = ", ".join(design.edited_files)
        print(f"note: {names} was edited after the design was generated; it was {done} as it is now", file=sys.stderr)


def print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values, indent=2))


@contextmanager
def quiet_stdout(active: bool) -> Iterator[None]:
    """While a command works, whatever writes to file descriptor 1 (a simulator, say) goes to standard
    error instead, so that standard output holds the result alone."""
    if not active:
        yield
        return
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress callback: a bar for each thing on a terminal, otherwise a plain line now and then."""
    if sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield plain_progress()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        current: tuple[str, Any] | None = None

        def report(what: str, done: int, total: int) -> None:
            nonlocal current
            if current is None or current[0] != what:
                # what was left unfinished gives way; what is finished stays above
                if current is not None and not bars.tasks[-1].finished:
                    bars.remove_task(current[1])
                current = (what, bars.add_task(what, total=total))
            bars.update(current[1], completed=done, total=total)

        yield report


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table; numbers are set to the right. On a pipe it is as wide as it needs to be.

    Where it is wider than the terminal, names of columns and texts break between words; where that does not do either,
    each row becomes a list of its values, one a line. Numbers and names are never broken.
    """
    from rich.table import Table

    if title is not None:
        say(title)  # rich would fold it to the table's width
    out = console()
    cells = [[cell(value) for value in row] for row in rows]
    full = [max(len(text) for text in (name, *(row[k] for row in cells))) for k, name in enumerate(columns)]
    room = out.width - 3 * len(columns) - 1
    for short in (_SHORT, 0):
        widths = [_least(name, [row[k] for row in rows], short) for k, name in enumerate(columns)]
        if sum(widths) <= room:
            break
    else:
        _print_records(columns, cells, out.width)
        return
    table = Table()
    for k, name in enumerate(columns):
        numeric = all(isinstance(row[k], int | float) for row in rows)
        width = widths[k] + min(full[k] - widths[k], room - sum(widths))
        widths[k] = width
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", width=width)
    for row in cells:
        table.add_row(*row)
    out.print(table)


def _least(name: str, values: Sequence[object], short: int) -> int:
    """The width below which a column would break what stays whole: a word, a number, a text of up to `short`."""
    whole = name.split()
    for value in values:
        text = cell(value)
        whole += [text] if not isinstance(value, str) or len(text) <= short else text.split()
    return max(map(len, whole), default=0)


def _print_records(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> None:
    """Each row as lines of name and value, with an empty line between rows."""
    import textwrap

    names = max(len(name) for name in columns)
    for index, row in enumerate(cells):
        if index:
            say()
        for name, value in zip(columns, row, strict=True):
            lines = textwrap.wrap(value, max(width - names - 2, 20), break_long_words=False) or [""]
            for k, line in enumerate(lines):
                say(f"{name if not k else '':<{names}}  {line}".rstrip())


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Name and value pairs, aligned."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        say(f"{name:<{width}}  {cell(value)}")


def say(text: str = "") -> None:
    print(text)


def cell(value: object) -> str:
    """A value as tables show it: thousands separated, floats to four digits."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10000 else f"{value:.4g}"
    return str(value)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def console() -> Any:
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # main() ends the command; rich would exit by itself

    # rich takes a terminal's width, or COLUMNS where that is set; what is read by a program has room
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal() else _PIPE_WIDTH
    return Quiet(highlight=False, markup=False, soft_wrap=False, width=width)
