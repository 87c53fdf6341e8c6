"""Ports of memories whose signals have a name that is the same under every Python."""

from typing import Any


def unnamed_write_port(memory: Any) -> Any:
    """A write port of `memory` whose signals are named after no variable: Amaranth takes a port's name from the
    assignment of its call, and here there is none."""
    return memory.write_port()
