"""Registers by the clock: the rule, and the block RAMs' own registers."""

import copy
import json

import pytest

import bitwright as bw
from bitwright_hw.families import FAMILIES
from bitwright_hw.families.ecp5.block_ram_registers import absorb_registers
from bitwright_hw.popcount import row_levels
from bitwright_hw.solve import solved
from bitwright_hw.timing import MOST_STAGES, pipeline_for
from bitwright_hw.yosys import Yosys
from tests.sw.networks import random_network

SIMDS = (1, 8, 16, 49, 64, 784)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("simd", SIMDS)
def test_registers_grow_with_the_clock_and_fit_its_period(family, simd):
    before = 0
    for mhz in (20, 50, 100, 125, 150, 200, 400):
        chosen = pipeline_for(simd, mhz, family, block_ram=False)
        assert chosen.read_latency == 1
        assert before <= chosen.stages <= MOST_STAGES
        room = (1000 / mhz - family.delays.register) / family.delays.level
        reachable = min(row_levels(simd, family, stages) for stages in range(1, MOST_STAGES + 1))
        depth = row_levels(simd, family, chosen.stages)
        assert depth <= room or depth == reachable
        if chosen.stages > 1 and depth <= room:
            assert row_levels(simd, family, chosen.stages - 1) > room
            before = chosen.stages


def test_more_stages_leave_fewer_levels():
    for family in FAMILIES:
        assert row_levels(64, family, 0) > row_levels(64, family, 1) > row_levels(64, family, 3)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_only_block_rams_on_fast_clocks_get_a_register(family):
    assert pipeline_for(16, 40, family, block_ram=True).read_latency == 1
    assert pipeline_for(16, 250, family, block_ram=True).read_latency == 2
    assert pipeline_for(16, 250, family, block_ram=False).read_latency == 1


def test_the_clock_changes_the_latency_alone():
    network = random_network(1, shape=(96,), hidden=(64, 32))
    slow, fast = (
        solved(network, bw.size(network, pe=4, simd=16, target="ecp5", clock_mhz=mhz)) for mhz in (40.0, 150.0)
    )
    assert slow.interval_cycles == fast.interval_cycles
    registers = [
        sum(engine.pipeline.read_latency + engine.pipeline.stages for engine in one.graph.engines)
        for one in (slow, fast)
    ]
    assert fast.latency_cycles - slow.latency_cycles == registers[1] - registers[0] > 0


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    """Two block RAMs in ECP5 cells: one whose word passes a register, one whose word is read at once as well."""
    folder = tmp_path_factory.mktemp("netlist")
    (folder / "two.v").write_text(
        """
        module two(input clk, input en, input [8:0] a, output reg [35:0] p, output reg [17:0] q, output z);
          (* ram_style = "block" *) reg [35:0] m [0:511];
          (* ram_style = "block" *) reg [17:0] n [0:511];
          integer i;
          initial for (i = 0; i < 512; i = i + 1) begin m[i] = 36'h9_8765_4321 * i; n[i] = 18'h1_2345 * i; end
          reg [35:0] u; reg [17:0] v;
          always @(posedge clk) begin
            if (en) u <= m[a];
            if (en) v <= n[a];
            p <= u; q <= v;
          end
          assign z = v[3];
        endmodule
        """
    )
    Yosys().run(["read_verilog two.v", "synth_ecp5 -top two -json two.json"], folder)
    return json.loads((folder / "two.json").read_text())


def blocks(netlist):
    cells = netlist["modules"]["two"]["cells"].values()
    return sorted((cell for cell in cells if cell["type"] == "DP16KD"), key=lambda cell: len(cell["parameters"]))


def registers(netlist):
    return [cell for cell in netlist["modules"]["two"]["cells"].values() if cell["type"] == "TRELLIS_FF"]


def test_a_block_ram_takes_the_register_behind_it(netlist):
    changed = copy.deepcopy(netlist)
    # p's word has 36 bits that only a register reads; a bit of v has another reader, so q's stay where they are
    assert len(registers(netlist)) == 54
    assert absorb_registers(changed, "two") == 36
    assert len(registers(changed)) == 18
    modes = sorted((block["parameters"]["REGMODE_A"], block["parameters"]["REGMODE_B"]) for block in blocks(changed))
    assert modes == [("NOREG", "NOREG"), ("OUTREG", "OUTREG")]
    taken = next(block for block in blocks(changed) if block["parameters"]["REGMODE_B"] == "OUTREG")
    outputs = {taken["connections"][f"DO{side}{k}"][0] for side in "AB" for k in range(18)}
    assert outputs == set(changed["modules"]["two"]["ports"]["p"]["bits"])
    assert taken["connections"]["OCEB"] == ["1"]


@pytest.mark.parametrize(
    ("port", "value"), [("CLK", 99_999), ("CE", 99_999), ("LSR", 99_999)], ids=["clock", "enable", "reset"]
)
def test_a_register_that_does_more_stays(netlist, port, value):
    changed = copy.deepcopy(netlist)
    word = set(changed["modules"]["two"]["ports"]["p"]["bits"])
    one = next(cell for cell in registers(changed) if cell["connections"]["Q"][0] in word)
    one["connections"][port] = [value]
    if port == "CE":
        one["parameters"]["CEMUX"] = "CE"
    assert absorb_registers(changed, "two") == 0


def test_a_register_that_starts_from_one_stays(netlist):
    changed = copy.deepcopy(netlist)
    for cell in registers(changed):
        cell["parameters"]["REGSET"] = "SET"
    assert absorb_registers(changed, "two") == 0
