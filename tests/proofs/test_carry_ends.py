"""Carries that do not matter are found, and do not matter: proven with each of them at both values."""

import copy
import json

import pytest
from amaranth.back import rtlil

from bitwright_hw.families import ECP5
from bitwright_hw.families.ecp5 import popcount as ecp5
from bitwright_hw.families.ecp5.carry_ends import trim_carries
from bitwright_hw.yosys import Yosys
from tests.hw.popcount_support import Function


def chains(netlist, top):
    return [cell for cell in netlist["modules"][top]["cells"].values() if cell["type"] == "CCU2C"]


@pytest.fixture(scope="module")
def count(tmp_path_factory):
    """The number of agreeing lanes of 12, combinational: carry chains that are made here."""
    folder = tmp_path_factory.mktemp("count")
    body = Function(24, 4, lambda m, i: ecp5.ROWS.counted(m, i[:12], i[12:], 4, 0))
    (folder / "count.il").write_text(rtlil.convert(body, name="count", emit_src=False))
    Yosys().run(["read_rtlil count.il", "synth_ecp5 -noiopad -top count -json count.json"], folder)
    return json.loads((folder / "count.json").read_text())


def test_carries_of_our_chains_are_trimmed_at_both_ends(count):
    changed = copy.deepcopy(count)
    fed = [cell["connections"]["CIN"] for cell in chains(count, "count")]
    first = sum(wire == ["0"] for wire in fed)
    assert first
    assert trim_carries(changed, "count") == 2 * first
    assert [cell["connections"]["CIN"] == ["x"] for cell in chains(changed, "count")] == [w == ["0"] for w in fed]
    assert sum(cell["connections"]["COUT"] == ["x"] for cell in chains(changed, "count")) == first
    assert trim_carries(changed, "count") == 0


@pytest.mark.parametrize("carry", ["0", "1"])
def test_trimmed_carries_do_not_matter(count, carry, tmp_path):
    changed = copy.deepcopy(count)
    trim_carries(changed, "count")
    for number, cell in enumerate(chains(changed, "count")):
        wires = cell["connections"]
        wires["CIN"] = [carry] if wires["CIN"] == ["x"] else wires["CIN"]
        wires["COUT"] = [100_000 + number] if wires["COUT"] == ["x"] else wires["COUT"]
    commands = [f"read_verilog {model}" for model in ECP5.simulation_models]
    for name, netlist in (("gold", count), ("gate", changed)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"modules": {name: netlist["modules"]["count"]}}))
        commands.append(f"read_json {name}.json")
    commands += ["setattr -mod -unset top *", "hierarchy -check", "proc"]
    commands += ["miter -equiv -flatten gold gate miter", "flatten", "sat -verify -prove trigger 0 miter"]
    Yosys().run(commands, tmp_path)


def test_a_first_carry_that_counts_stays(tmp_path):
    """Yosys' own subtraction, whose first carry is the one of the two's complement."""
    (tmp_path / "minus.v").write_text("module minus(input [11:0] a, b, output [11:0] d); assign d = a - b; endmodule\n")
    Yosys().run(["read_verilog minus.v", "synth_ecp5 -noiopad -top minus -json minus.json"], tmp_path)
    netlist = json.loads((tmp_path / "minus.json").read_text())
    before = [cell["connections"]["CIN"] for cell in chains(netlist, "minus")]
    assert ["1"] in before
    assert trim_carries(netlist, "minus") == 1  # its last carry, which nothing reads
    assert [cell["connections"]["CIN"] for cell in chains(netlist, "minus")] == before


def test_carries_that_are_read_stay(count):
    changed = copy.deepcopy(count)
    module = changed["modules"]["count"]
    first = next(cell for cell in chains(changed, "count") if cell["connections"]["CIN"] == ["0"])
    trim_carries(copied := copy.deepcopy(changed), "count")
    last = next(k for k, cell in enumerate(chains(copied, "count")) if cell["connections"]["COUT"] == ["x"])
    carry = chains(changed, "count")[last]["connections"]["COUT"]
    module["ports"]["carry"] = {"direction": "output", "bits": carry}
    module["ports"]["sum"] = {"direction": "output", "bits": first["connections"]["S0"]}  # which shows its first carry
    trim_carries(changed, "count")
    assert chains(changed, "count")[last]["connections"]["COUT"] == carry
    assert first["connections"]["CIN"] == ["0"]
