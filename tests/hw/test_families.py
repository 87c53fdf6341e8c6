"""Families are objects: a name is looked up where it comes in, and nothing else asks for it."""

import ast
import re

import pytest

from bitwright_core.families import FAMILY_NAMES, FPGA_NAMES
from bitwright_hw.families import COUNTED, FAMILIES, family_named

# where names of families may stand as strings, and why
ALLOWED = {
    "sw/bitwright_core/families.py": "the names, as plans and options have them",
    "sw/bitwright_bnn_pynq/network.py": "BNN-PYNQ's parameter sets are for 7-series boards",
}
FOLDERS = ("sw", "hw", "sim", "boards", "bench")


def names_in(text):
    """(line, name) of each string that is a family's name."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and node.value in FAMILY_NAMES:
            found.append((node.lineno, node.value))
    return found


def test_every_name_has_an_object_and_every_object_a_name():
    assert tuple(family.name for family in FAMILIES) == FAMILY_NAMES
    assert tuple(family.name for family in COUNTED) == FPGA_NAMES
    for family in FAMILIES:
        assert family_named(family.name) is family
        assert (family.costs is None) == (family.synthesis is None)
        assert all(model.is_file() for model in family.simulation_models)
    with pytest.raises(ValueError, match=f"a family must be one of {', '.join(FAMILY_NAMES)}, not 'asic'"):
        family_named("asic")


def test_no_code_asks_for_a_family_by_its_name(checkout):
    files = [file for folder in FOLDERS for file in sorted((checkout / folder).rglob("*.py"))]
    assert len(files) > 200
    allowed = set()
    for file in files:
        name = file.relative_to(checkout).as_posix()
        found = names_in(file.read_text("utf-8"))
        if name in ALLOWED:
            allowed.add(name)
            assert found, f"{name} names no family; take it off the list"
        elif not name.startswith("hw/bitwright_hw/families/"):
            assert not found, f"{name} has names of families as strings: {found}; ask the family's object"
    assert allowed == set(ALLOWED)


def test_the_check_sees_a_name():
    assert names_in('def f(x):\n    """xc7 is fine here"""\n    return 1 if x == "xc7" else 2\n') == [(3, "xc7")]


def test_a_family_knows_only_its_own_folder(checkout):
    """Nothing that families share imports one of them, but for the tuple."""
    folder = checkout / "hw/bitwright_hw/families"
    own = {family.name for family in FAMILIES}
    for file in sorted([*folder.glob("*.py"), *(checkout / "hw/bitwright_hw/arithmetic").glob("*.py")]):
        if file.name != "__init__.py":
            imported = set(re.findall(r"bitwright_hw\.families\.(\w+)", file.read_text("utf-8")))
            assert not imported & own, f"{file.name} imports {sorted(imported & own)}"


def test_the_files_of_the_how_to_are_there(checkout):
    text = (checkout / "docs/howto/add-a-family.md").read_text("utf-8")
    paths = re.findall(r"`((?:sw|hw|boards|bench|docs|tests)/[\w./-]+)`", text)
    assert len(paths) > 8
    for path in paths:
        assert (checkout / path).exists(), f"docs/howto/add-a-family.md names {path}, which is not there"
