# amaranth: UnusedElaboratable=no
"""Synthesis of emitted designs: that every memory and name passes Yosys' own scripts, and how cells are counted."""

import json
import re
from itertools import pairwise

import pytest

import bitwright as bw
from bitwright.cli import main
from bitwright_core.errors import PlanError, ToolError
from bitwright_core.plan import Plan
from bitwright_hw.cells import Counts
from bitwright_hw.emit import without_brackets
from bitwright_hw.families import ECP5, GENERIC, ICE40, XC7
from bitwright_hw.families.ecp5.router import WEIGHTS, set_weights
from bitwright_hw.families.ecp5.spread_rows import ROWS, spread_rows
from bitwright_hw.nextpnr import pins
from bitwright_hw.synth import _ports, synthesize
from bitwright_hw.yosys import Yosys
from tests.sw.networks import random_network

FOLDS = {"pe": [8, 4, 3], "simd": [16, 8, 4]}


@pytest.fixture(scope="module")
def network():
    return random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(16, 16))


@pytest.fixture(scope="module")
def design(network, tmp_path_factory):
    """Block, distributed and unnamed weight memories, and scores with constants, for 7-series."""
    plan = bw.size(network, **FOLDS, target="xc7", scores=True)
    layers = zip(plan.layers, ("block", "distributed", "auto"), strict=True)
    chosen = [{"name": y.name, "pe": y.pe, "simd": y.simd, "memory": memory} for y, memory in layers]
    folder = tmp_path_factory.mktemp("synth")
    text = "".join("[[layers]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in y.items()) for y in chosen)
    (folder / "plan.toml").write_text('target = "xc7"\nscores = true\n' + text)
    return bw.generate(network, Plan.load(folder / "plan.toml"), folder / "design")


@pytest.fixture(scope="module")
def report(design):
    steps = []
    found = synthesize(design, family=XC7, progress=lambda *step: steps.append(step))
    assert [done for _, done, _ in steps] == list(range(steps[-1][2] + 1))
    return found


def test_cells_are_counted_at_the_luts_that_they_occupy():
    cells = {"LUT6": 3, "LUT6_2": 2, "INV": 1, "RAM32M": 2, "SRL16E": 1, "RAM64X1D": 1, "CARRY4": 9, "MUXF7": 4}
    assert XC7.synthesis.count(cells) == Counts(luts=3 + 2 + 1 + 8 + 1 + 2, lutram=8 + 1 + 2)
    cells = {"FDRE": 5, "FDSE": 1, "RAMB18E1": 3, "RAMB36E1": 2, "DSP48E1": 1}
    assert XC7.synthesis.count(cells) == Counts(ffs=6, block_rams=3.5, dsps=1)
    cells = {"LUT4": 3, "CCU2C": 2, "TRELLIS_DPR16X4": 1, "TRELLIS_FF": 7, "DP16KD": 2, "MULT18X18D": 1, "PFUMX": 5}
    assert ECP5.synthesis.count(cells) == Counts(luts=3 + 4 + 6, lutram=6, ffs=7, block_rams=2, dsps=1)


@pytest.mark.parametrize("kind", ["LUT7", "XLUT6", "MYSTERY", "$lut"])
def test_an_unknown_cell_is_not_counted_as_nothing(kind):
    with pytest.raises(ToolError, match=rf"{re.escape(kind)}, which bitwright cannot count"):
        XC7.synthesis.count({"LUT6": 1, kind: 2})


def test_elements_of_arrays_are_named_apart_from_bits():
    text = "wire width 8 \\o__payload[0]\nconnect \\o__payload[0] \\o__payload [7:0]\nwire \\a[1].b[23].c\n"
    assert without_brackets(text) == (
        "wire width 8 \\o__payload.0\nconnect \\o__payload.0 \\o__payload [7:0]\nwire \\a.1.b.23.c\n"
    )


def test_yosys_own_script_takes_the_verilog(design, report, tmp_path):
    """A user's run: ABC9 stops if a wire is named as a bit of another; a memory that maps to nothing is an error."""
    commands = [f"read_verilog {design.verilog[0]}", "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf"]
    Yosys().run([*commands, "tee -o stat.json stat -json"], tmp_path)
    modules = json.loads((tmp_path / "stat.json").read_text())["modules"]
    (cells,) = [module["num_cells_by_type"] for module in modules.values() if "FDRE" in module["num_cells_by_type"]]
    flat = XC7.synthesis.count(cells)
    assert (flat.block_rams, flat.lutram) == (report.total.block_rams, report.total.lutram)
    assert abs(report.total.luts / flat.luts - 1) < 0.05  # layers that stay modules cost next to nothing


def test_the_parts_add_up(design, report):
    total = report.other
    for layer in report.layers:
        total += layer.total
    assert total == report.total
    assert min(report.other.luts, report.other.ffs) > 0
    assert [layer.name for layer in report.layers] == [layer.name for layer in design.manifest.layers]


def test_memories_land_where_the_plan_says(report):
    block, distributed, auto = report.layers
    # 8 x 16 weights wide and 8 words deep: four RAMB18 of 36 bits; thresholds are in the shift chain's own memory
    assert block.engine.block_rams >= 2
    assert distributed.engine.block_rams == auto.engine.block_rams == 0
    assert all(layer.queue.lutram > 0 and layer.queue.block_rams == 0 for layer in report.layers)


def test_the_command(design, report, capsys, monkeypatch):
    monkeypatch.setattr("bitwright_hw.synth.synthesize", lambda *args, **options: report)
    assert main(["synth", str(design.folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.keys() >= {
        "family",
        "luts",
        "ffs",
        "bram36",
        "lutram",
        "dsps",
        "layers",
        "other",
        "fmax_mhz",
        "estimate",
    }
    assert (
        facts["fmax_mhz"] is None and facts["estimate"]["luts"] == bw.estimate(design.network, design.plan).total.luts
    )
    assert json.loads((design.folder / "synth-xc7.json").read_text()) == facts
    assert facts["luts"] == report.total.luts and facts["bram36"] == report.total.block_rams
    layers = facts["layers"]
    assert facts["luts"] == sum(layer["luts"] for layer in layers) + facts["other"]["luts"]
    assert all(layer["luts"] == layer["engine"]["luts"] + layer["queue"]["luts"] for layer in layers)
    assert main(["synth", str(design.folder)]) == 0
    table = capsys.readouterr().out
    assert "layer0 engine" in table and f"{report.total.luts:,}" in table and "BRAM36" in table


def test_ecp5(network, tmp_path):
    design = bw.generate(network, bw.size(network, **FOLDS, target="ecp5"), tmp_path / "d")
    report = bw.synth(design)  # the plan names the family
    assert report.family is ECP5
    facts = report.to_dict()
    assert isinstance(facts["ebr"], int) and facts["luts"] > 0
    assert facts["luts"] == sum(layer["luts"] for layer in facts["layers"]) + facts["other"]["luts"]


def test_ice40_has_blocks_and_flip_flops_in_place_of_memories_in_luts(network, tmp_path):
    design = bw.generate(network, bw.size(network, **FOLDS), tmp_path / "d")
    facts = bw.synth(design, family="ice40").to_dict()
    assert facts["lutram"] == facts["dsps"] == 0 and facts["luts"] > 500
    assert isinstance(facts["ebr"], int) and facts["ebr"] > 0
    assert json.loads((design.folder / "synth-ice40.json").read_text()) == facts
    cells = {"SB_LUT4": 5, "SB_CARRY": 3, "SB_DFFESR": 2, "SB_DFF": 1, "SB_DFFNSS": 1, "SB_RAM40_4K": 2}
    assert ICE40.synthesis.count(cells) == Counts(luts=5, ffs=4, block_rams=2)


def test_a_generic_design_needs_a_family(network, tmp_path):
    design = bw.generate(network, bw.size(network, cycles=64), tmp_path / "d")
    with pytest.raises(PlanError, match="target is generic; say for which family, xc7, ecp5"):
        bw.synth(design)
    with pytest.raises(PlanError, match="family generic is no FPGA"):
        bw.synth(design, family="generic")
    with pytest.raises(PlanError, match=r"a family must be one of generic, xc7, ecp5.*, not 'asic'"):
        bw.synth(design, family="asic")
    with pytest.raises(ToolError, match="nothing counts the cells of generic designs"):
        synthesize(design, family=GENERIC)


def test_a_failing_command_is_told(tmp_path):
    with pytest.raises(ToolError, match=r"Yosys .* failed: ERROR"):
        Yosys().run(["read_verilog missing.v"], tmp_path)


def test_only_ecp5_is_placed(design):
    with pytest.raises(ToolError, match="nothing places designs for xc7 here"):
        bw.synth(design, family="xc7", place=True)


def test_four_pins_reach_every_port(design, tmp_path):
    """Each input bit hangs on a bit of its own, and each output goes somewhere."""
    top = design.manifest.top
    text = pins(top, _ports(design.verilog, top), "aclk")
    (tmp_path / "pins.v").write_text(text)
    commands = [
        f"read_verilog {design.verilog[0]} pins.v",
        "hierarchy -top pins",
        "proc",
        "select pins",
        "check -assert",
        "select -clear",
    ]
    Yosys().run(
        [*commands, "select -assert-count 4 pins/i:* pins/o:*", f"select -assert-count 1 pins/t:{top}"], tmp_path
    )
    assert ".s_axis_tdata(given[" in text and ".m_axis_tdata(result[" in text and ".aclk(clk)" in text


@pytest.mark.slow
def test_placing(network, tmp_path, capsys):
    design = bw.generate(network, bw.size(network, **FOLDS, target="ecp5"), tmp_path / "d")
    steps = []
    report = bw.synth(design, place=True, clock_mhz=50, progress=lambda what, *_: steps.append(what))
    assert 40 < report.placed.fmax_mhz < 400 and report.placed.seed == 1
    assert {"nextpnr, placing", "nextpnr, routing", "nextpnr, timing"} <= set(steps)
    assert json.loads((design.folder / "synth-ecp5.json").read_text())["fmax_mhz"] == round(report.placed.fmax_mhz, 2)
    # the wrapper that stands for pins is not counted
    assert report.total == bw.synth(design).total


def test_the_netlist_carries_the_router_s_weights():
    """Beside the settings that it has, in the forms that nextpnr writes: text for fractions, 32 bits for integers."""
    netlist = {"modules": {"top": {"cells": {}, "settings": {"seed": "1"}}, "other": {"cells": {}}}}
    assert set_weights(netlist, "top") == 4
    assert (
        netlist["modules"]["top"]["settings"] == {"seed": "1", **WEIGHTS}
        and "settings" not in netlist["modules"]["other"]
    )
    assert all(re.fullmatch(r"\d+\.\d+|[01]{32}", value) for value in WEIGHTS.values())


def test_rows_of_a_placement_are_drawn_apart():
    """Each row moves as a whole, in order, over all of the device; what is no slice stays."""
    rows = [2, 3, 9, 11]
    cells = {
        f"c{y}_{k}": {"type": kind, "attributes": {"NEXTPNR_BEL": f"X7/Y{y}/SLICEA.{k}"}}
        for y in rows
        for k, kind in enumerate(("TRELLIS_COMB", "TRELLIS_FF"))
    }
    cells["pin"] = {"type": "TRELLIS_IO", "attributes": {"NEXTPNR_BEL": "X7/Y0/PIOA"}}
    cells["free"] = {"type": "TRELLIS_COMB", "attributes": {}}
    netlist = {"modules": {"top": {"cells": cells}}}
    assert spread_rows(netlist, "top") == 4
    places = {name: cell["attributes"].get("NEXTPNR_BEL") for name, cell in cells.items()}
    to = [int(places[f"c{y}_0"].split("/")[1][1:]) for y in rows]
    assert to[0] == ROWS[0] and to[-1] == ROWS[-1] and to == sorted(set(to)) and set(to) <= set(ROWS)
    assert [places[f"c{y}_1"] for y in rows] == [f"X7/Y{y}/SLICEA.1" for y in to]
    assert places["pin"] == "X7/Y0/PIOA" and places["free"] is None
    assert len(ROWS) == 85  # of 123 tiles with eight LUTs each: 83,640


def test_rows_with_a_few_cells_take_no_room_from_full_ones():
    """Forty full rows among forty with a cell or two: the full ones in order, two or three rows apart."""
    cells = {
        f"c{y}_{k}": {"type": "TRELLIS_COMB", "attributes": {"NEXTPNR_BEL": f"X{k}/Y{y}/SLICEA.K0"}}
        for y in range(2, 82)
        for k in range(40 if 22 <= y < 62 else 1 + y % 2)
    }
    assert spread_rows({"modules": {"top": {"cells": cells}}}, "top") == 80
    to = {y: int(cells[f"c{y}_0"]["attributes"]["NEXTPNR_BEL"].split("/")[1][1:]) for y in range(2, 82)}
    assert len(set(to.values())) == 80 and set(to.values()) <= set(ROWS)
    places = [ROWS.index(to[y]) for y in range(22, 62)]
    assert {after - before for before, after in pairwise(places)} == {2, 3}
    assert (places[0], places[-1]) == (0, len(ROWS) - 1)


@pytest.mark.slow
def test_placing_hardwired_layers(network, tmp_path):
    """Drawn apart between placing and routing: nextpnr takes the places for good, and checks what it routed."""
    design = bw.generate(network, bw.size(network, hardwired=True, target="ecp5"), tmp_path / "d")
    steps = []
    report = bw.synth(design, place=True, clock_mhz=50, progress=lambda what, *_: steps.append(what))
    assert report.placed.fmax_mhz > 20 and report.estimate is None
    assert any(step.endswith(" conflicts left") for step in steps)
    assert {"nextpnr, placing", "nextpnr, routing", "nextpnr, timing"} <= set(steps)
