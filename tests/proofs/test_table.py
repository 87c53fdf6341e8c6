"""docs/proofs.md: every component of hw/ is in its table, which says of proofs what the registry has."""

import importlib
import pkgutil
import re

import pytest
from amaranth.lib import wiring

import bitwright_hw
from tests.proofs.registry import GROUPS, PROOFS

NO_COMPONENTS = {"cells"}  # groups that are about cells, which the text below the table names
FUNCTIONS = {"credit_fifo"}  # that make a component


def component_names():
    """The names of the component classes of hw/."""
    found = set()
    for module in pkgutil.walk_packages(bitwright_hw.__path__, "bitwright_hw."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            member.__name__
            for member in members
            if isinstance(member, type)
            and issubclass(member, wiring.Component)
            and member.__module__.startswith("bitwright_hw.")
        }
    return found


@pytest.fixture(scope="module")
def table(checkout):
    """The rows of the table by their component: (how far, groups, tested only)."""
    rows = {}
    for line in (checkout / "docs/proofs.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and cells[0].startswith("`"):
            assert cells[0].strip("`") not in rows, cells[0]
            rows[cells[0].strip("`")] = (cells[3], re.findall(r"`([^`]+)`", cells[4]), cells[5])
    return rows


def test_every_component_is_in_the_table(table):
    assert component_names() | FUNCTIONS == set(table)


def test_every_component_has_a_proof_or_a_reason(table):
    assert [name for name, (_, groups, tested) in table.items() if not groups and not tested] == []


def test_rows_name_proofs_that_there_are_and_say_how_far_they_go(table):
    for name, (far, groups, _) in table.items():
        mine = [proof for proof in PROOFS if name in proof.components]
        assert set(groups) == {proof.group for proof in mine}, name
        said = set(filter(None, (word.strip() for word in far.split(","))))
        assert said == {proof.method for proof in mine}, name


def test_every_proof_is_in_the_table(table):
    named = {group for _, groups, _ in table.values() for group in groups}
    assert named | NO_COMPONENTS == set(GROUPS)
