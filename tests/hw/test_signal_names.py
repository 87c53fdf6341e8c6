"""Each Python gives the same bytes: a signal's name is found in the bytecode of its assignment, which differs between
versions where several targets share one statement, or a comprehension makes the signal."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("hw/bitwright*/**/*.py"), *ROOT.glob("boards/bitwright*/**/*.py")])


def unnamed(node: ast.AST) -> bool:
    """Whether it is Signal(...) or Signal.like(...) without a name."""
    if not isinstance(node, ast.Call) or any(keyword.arg == "name" for keyword in node.keywords):
        return False
    made = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "like" else node.func
    return isinstance(made, ast.Name) and made.id == "Signal"


def misnamed(source: str) -> list[int]:
    """Lines of signals whose name depends on the Python that runs."""
    found = []
    for node in ast.walk(ast.parse(source)):
        several = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        made = isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp | ast.Lambda)
        if several or made:
            found += [part.lineno for part in ast.walk(node) if unnamed(part)]
    return found


def test_such_signals_are_found():
    assert misnamed("a, b = Signal(), Signal(2)") == [1, 1]
    assert misnamed("a = [Signal.like(b) for _ in range(2)]") == [1]
    assert misnamed("a = Signal()\nb, c = f(), Signal(name='c')") == []


def test_signals_are_named_by_an_assignment_of_their_own():
    found = {file.relative_to(ROOT).as_posix(): misnamed(file.read_text("utf-8")) for file in FILES}
    assert {file: lines for file, lines in found.items() if lines} == {}
    assert len(found) > 150
