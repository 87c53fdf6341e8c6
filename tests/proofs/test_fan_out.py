"""Nets of many readers get buffers on their way to nextpnr for Gowin, and the function stays: proven."""

import copy
import json

import pytest

from bitwright_core.errors import ToolError
from bitwright_hw.families.gowin.fan_out import MOST, MOST_FAR, split_nets
from bitwright_hw.netlist import count_readers
from bitwright_hw.yosys import Yosys

# `few` and `most` have as many readers as go over long wires, `wide` has more; `d` is read by a register, `en` enables
TOP = """
module top(input clk, en, few, most, wide, input [10:0] a, input [49:0] b, input [50:0] c,
    output reg [11:0] p, output [49:0] q, output [50:0] r);
always @(posedge clk) if (en) p <= {few, a ^ {11{few}}};
assign q = b & {50{most}};
assign r = c | {51{wide}};
endmodule
"""


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fan_out")
    (folder / "top.v").write_text(TOP)
    Yosys().run(["read_verilog top.v", "synth_gowin -noiopads -noalu -top top -json top.json"], folder)
    return json.loads((folder / "top.json").read_text())


def net(netlist, port):
    return netlist["modules"]["top"]["ports"][port]["bits"][0]


def test_nets_that_nextpnr_takes_for_long_ones_are_split(netlist):
    changed = copy.deepcopy(netlist)
    before = count_readers(netlist["modules"]["top"])
    assert [before[net(netlist, name)] for name in ("few", "most", "wide", "en")] == [12, 50, 51, 12]
    assert split_nets(changed, "top") == 1 + 5 + 1
    after = count_readers(changed["modules"]["top"])
    assert [after[net(netlist, name)] for name in ("few", "most", "wide", "en")] == [3, 5, 51, 3]
    assert after[net(netlist, "clk")] == before[net(netlist, "clk")] == 12
    assert not [n for n, readers in after.items() if MOST_FAR < readers <= MOST and n != net(netlist, "clk")]
    assert split_nets(changed, "top") == 0


def prove(netlist, changed, folder):
    commands = ["read_verilog +/gowin/cells_sim.v"]
    for name, cells in (("gold", netlist), ("gate", changed)):
        (folder / f"{name}.json").write_text(json.dumps({"modules": {name: cells["modules"]["top"]}}))
        commands.append(f"read_json {name}.json")
    commands += ["setattr -mod -unset top *", "hierarchy -check", "proc", "miter -equiv -flatten gold gate miter"]
    commands += ["hierarchy -top miter", "flatten", "opt_clean"]
    commands += ["sat -verify -prove trigger 0 -tempinduct -set-init-undef -set-def-inputs miter"]
    Yosys().run(commands, folder)


def test_split_nets_change_no_function(netlist, tmp_path):
    changed = copy.deepcopy(netlist)
    assert split_nets(changed, "top")
    prove(netlist, changed, tmp_path)


def test_a_buffer_that_inverts_is_found(netlist, tmp_path):
    changed = copy.deepcopy(netlist)
    split_nets(changed, "top")
    buffers = [cell for name, cell in changed["modules"]["top"]["cells"].items() if name.startswith("fan_out_")]
    buffers[-1]["parameters"]["INIT"] = "01"
    with pytest.raises(ToolError):
        prove(netlist, changed, tmp_path)


def test_readers_of_a_wire_of_their_own_stay():
    """A carry's chain, and a wide multiplexer's inputs from its own LUTs."""
    cells = {
        f"c{k}": {"type": "MUX2_LUT5", "port_directions": {"I0": "input"}, "connections": {"I0": [2]}}
        for k in range(12)
    }
    module = {"cells": cells, "ports": {}, "netnames": {}}
    assert split_nets({"modules": {"top": module}}, "top") == 0
    assert len(cells) == 12
