"""Names of signals in emitted Verilog are the same under every Python.

Amaranth takes an unnamed signal's name from the bytecode of its assignment. Python 3.13 stores two targets of a line in
one instruction, which Amaranth does not read; so the last signal of such an assignment has its name as an argument,
and ports of memories, which take no name, have an assignment of their own.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKERS = ("Signal", "Memory", "MemoryData", "ClockDomain")


def makes_a_name(call: ast.expr) -> bool:
    """Whether the expression is a call that takes its name from the assignment, as it has none of its own."""
    if not isinstance(call, ast.Call) or any(word.arg == "name" for word in call.keywords):
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("read_port", "write_port"):
        return True
    made = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "like" else call.func
    return isinstance(made, ast.Name) and made.id in MAKERS


def unnamed(text: str) -> Iterator[int]:
    """Lines that assign several names at once, the last value of which is such a call."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Assign):
            continue
        several = isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
        last = node.value.elts[-1] if several else node.value
        stored_at_once = several or (len(node.targets) > 1 and isinstance(node.targets[0], ast.Name))
        if stored_at_once and makes_a_name(last):
            yield node.lineno


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a, b = Signal(), Signal()", [1]),
        ("a, b = Signal(), Signal.like(c)", [1]),
        ("a = b = Signal(3)", [1]),
        ("m.a = a = Signal(3)", []),
        ("a, b = memory.write_port(), memory.read_port()", [1]),
        ("a, b = Signal(), Signal(name='b')", []),
        ("a, b = (Signal(name=n) for n in 'ab')", []),
        ("a = Signal()\nb = c", []),
    ],
)
def test_such_lines_are_found(text, lines):
    assert [*unnamed(text)] == lines


def test_no_name_depends_on_the_python():
    files = [file for folder in ("hw", "boards") for file in sorted((ROOT / folder).rglob("*.py"))]
    found = [f"{file.relative_to(ROOT)}:{line}" for file in files for line in unnamed(file.read_text("utf-8"))]
    assert len(files) > 100 and found == []
