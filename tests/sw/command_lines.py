"""The whole command line as data: each command's own parser, for tests that look at all of them."""

import argparse
from collections.abc import Iterator

from bitwright.cli import parser


def leaves(
    top: argparse.ArgumentParser | None = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that runs, "import onnx" for one, with its parser."""
    top = parser() if top is None else top
    below = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield " ".join(path), top
    for action in below:
        for name, command in action.choices.items():
            yield from leaves(command, (*path, name))
