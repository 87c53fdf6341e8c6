"""The cocotb benches of a whole accelerator: they pass on good designs and find planted defects."""

import json
import re

import pytest

from bitwright_core.errors import DataError, ToolError
from bitwright_sim import run_bench, simulate, simulate_frames
from bitwright_sim.wave_groups import groups
from tests.sim.designs import COUNT_RESULTS, frames_for, generate, need_icarus, sabotage, small_network

TESTS = {
    "single_frame_latency",
    "back_to_back_interval",
    "random_stalls",
    "long_output_stall",
    "reset_in_a_frame",
    "soft_reset",
    "wrong_frames",
    "batches",
    "registers",
}


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_good_design_passes(design, simulator):
    if simulator == "icarus":
        need_icarus()
    report = simulate(design, simulator=simulator, seed=5)
    assert report.passed, (report.failures, report.log)
    assert {test.name for test in report.tests} == TESTS and all(test.passed for test in report.tests)
    assert report.frames > 100 and report.cycles > 5000 and report.seed == 5 and not report.edited
    assert report.simulator.lower().startswith(simulator)
    json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("what", "changes", "plan"),
    [
        ("scores", {}, {"scores": True, "data_bits": 16}),
        ("one beat", {"shape": (7,)}, {"data_bits": 64}),
        pytest.param(
            "bits", {"hidden": (13, 70), "classes": None, "bits": 1}, {"data_bits": 8}, marks=pytest.mark.slow
        ),
        pytest.param("host", {"levels": 3}, {"encoding": "host", "data_bits": 32}, marks=pytest.mark.slow),
    ],
)
def test_other_formats_pass_on_icarus(tmp_path, what, changes, plan):
    need_icarus()
    report = simulate(generate(small_network(**changes), tmp_path / "design", **plan), simulator="icarus", seed=1)
    assert report.passed, (what, report.failures, report.log)


def test_waves_and_progress(design, tmp_path):
    need_icarus()
    from tests.sim.designs import copy_design

    copy = copy_design(design, tmp_path / "copy")
    steps = []
    report = simulate(copy, simulator="icarus", waves=True, seed=1, progress=lambda *step: steps.append(step))
    assert report.waves == copy.folder / "waves-icarus.fst" and report.waves.stat().st_size > 1000
    assert steps[-1][1:] == (len(TESTS), len(TESTS))
    view = (copy.folder / "waves-icarus.gtkw").read_text()
    assert all(f"-{name}" in view for name in ("input stream", "layer layer0: results", "output stream"))
    assert all(f": {name}\n" in view for name in TESTS)  # a mark where each test starts
    times = [int(time) for time in re.search(r"^\*\S+ \S+ (.*)$", view, re.M)[1].split()]
    marks = times[: len(TESTS)]
    assert marks == sorted(marks) and len(set(marks)) == len(TESTS) and set(times[len(TESTS) :]) == {-1}


def test_the_view_names_signals_that_there_are(scores_design):
    """Names and widths are those of the declarations, as a flat list of the hierarchy has them."""
    text = scores_design.verilog[0].read_text()
    for name, signals in groups(scores_design).items():
        assert signals, name
        for path, bits in signals:
            signal = path.rpartition(".")[2]
            wide = rf"\[{bits - 1}:0\] " if bits > 1 else ""
            assert re.search(rf"\b(wire|reg) {wide}{re.escape(signal)}[ ,;\n]", text), path


def test_one_bench_runs_alone(design, tmp_path):
    need_icarus()
    report = simulate(design, simulator="icarus", bench="single_frame_latency", seed=1)
    assert [test.name for test in report.tests] == ["single_frame_latency"] and report.passed
    with pytest.raises(DataError, match=r"no bench 'registrs' \(did you mean registers\?\); there are single_frame"):
        simulate(design, bench="registrs")


DEFECTS = {
    "a result is lost": (
        COUNT_RESULTS + "  wire lose = n == 2;",
        {"m_axis_tvalid": "inner_m_axis_tvalid && !lose", "m_axis_tready": "m_axis_tready || lose"},
        "back_to_back_interval",
    ),
    "an X in unused bits of the result": (
        "",
        {"m_axis_tdata": "{1'bx, inner_m_axis_tdata[62:0]}"},
        "single_frame_latency",
    ),
    "X on valid": ("", {"m_axis_tvalid": "n == 0 ? inner_m_axis_tvalid : 1'bx"}, "single_frame_latency"),
    "a wrong class": ("", {"m_axis_tdata": "inner_m_axis_tdata ^ 1"}, "batches"),
    "an offered beat changes": (
        "  reg flip = 0; always @(posedge aclk) flip <= m_axis_tvalid && !m_axis_tready;",
        {"m_axis_tdata": "inner_m_axis_tdata ^ {flip, 63'b0}"},
        "long_output_stall",
    ),
    "a beat is taken back": (
        "  reg off = 0; always @(posedge aclk) off <= m_axis_tvalid && !m_axis_tready;",
        {"m_axis_tvalid": "inner_m_axis_tvalid && !off", "m_axis_tready": "m_axis_tready && !off"},
        "random_stalls",
    ),
    "TLAST on every result of a batch": ("", {"m_axis_tlast": "1'b1"}, "batches"),
    "TKEEP is not looked at": ("", {"s_axis_tkeep": "s_axis_tlast ? 8'h0f : 8'hff"}, "wrong_frames"),
    "the reset is not connected": (
        "  reg [3:0] up = 0; always @(posedge aclk) if (!(&up)) up <= up + 1;",
        {"aresetn": "&up"},
        "reset_in_a_frame",
    ),
    "no soft reset": (
        "",
        {"s_axi_control_wdata": "{s_axi_control_wdata[31:1], 1'b0}"},
        "soft_reset",
    ),
    "a wrong digest": (
        "  reg bad = 0; always @(posedge aclk) if (s_axi_control_arvalid) bad <= s_axi_control_araddr == 8'd76;",
        {"s_axi_control_rdata": "inner_s_axi_control_rdata ^ bad"},
        "registers",
    ),
    "strobes are not looked at": ("", {"s_axi_control_wstrb": "4'hf"}, "registers"),
    "a slower input": (
        "  reg [1:0] slow = 0; always @(posedge aclk) slow <= slow + 1;",
        {"s_axis_tready": "inner_s_axis_tready && slow == 0", "s_axis_tvalid": "s_axis_tvalid && slow == 0"},
        "single_frame_latency",
    ),
}


@pytest.mark.parametrize(
    "defect", [pytest.param(name, marks=[pytest.mark.slow] if index % 2 else []) for index, name in enumerate(DEFECTS)]
)
def test_planted_defect_is_found(design, tmp_path, defect):
    need_icarus()
    body, ports, test = DEFECTS[defect]
    if "n == 0" in str(ports):
        body = COUNT_RESULTS + body
    broken = sabotage(design, tmp_path / "broken", body=body, **ports)
    report = run_bench(
        broken.simulation_sources,
        broken.manifest.top,
        "bitwright_sim.accelerator_bench",
        simulator="icarus",
        parameters={"design": str(broken.folder)},
        seed=3,
        test_filter=rf"\.{test}$",
    )
    assert [one.name.rsplit(".", 1)[-1] for one in report.failures] == [test], report.log
    with pytest.raises(AssertionError, match="seed 3"):
        report.check()


def test_given_frames(design, network):
    report = simulate_frames(design, frames_for(network, 20))
    assert report.passed and report.frames == 20 and report.frames_per_second > 0


def test_bench_of_ones_own(tmp_path):
    need_icarus()
    (tmp_path / "dut.v").write_text(
        "module dut #(parameter W = 2) (input [W-1:0] a, output [W:0] y); assign y = {1'b0, a} + 1; endmodule\n"
    )
    (tmp_path / "own_bench.py").write_text(
        "import cocotb\nfrom cocotb.triggers import Timer\nfrom bitwright_sim.bench import bench_parameters, record\n"
        "@cocotb.test()\nasync def adds(dut):\n    dut.a.value = bench_parameters()['a']\n    await Timer(1, 'ns')\n"
        "    record(seen=int(dut.y.value))\n    assert int(dut.y.value) == bench_parameters()['y'], 'wrong sum'\n"
    )

    def run(**parameters):
        return run_bench(
            [tmp_path / "dut.v"],
            "dut",
            tmp_path / "own_bench.py",
            simulator="icarus",
            parameters=parameters,
            hdl_parameters={"W": 6},
            seed=1,
        )

    good, bad = run(a=63, y=64), run(a=63, y=0)
    assert good.check().passed and good.facts == {"seen": 64}
    assert not bad.passed and "wrong sum" in bad.failures[0].message


def test_refusals(tmp_path):
    with pytest.raises(ToolError, match="no simulator 'questa'; choose one of verilator, icarus"):
        run_bench([], "dut", "x", simulator="questa")
    need_icarus()
    (tmp_path / "dut.v").write_text("module dut(; endmodule")
    with pytest.raises(ToolError, match=r"building dut for Icarus Verilog .* failed(.|\n)*syntax error"):
        run_bench([tmp_path / "dut.v"], "dut", "x", simulator="icarus")
    (tmp_path / "dut.v").write_text("module dut(input a); endmodule")
    with pytest.raises(ToolError, match=r"left no results|no_such_bench"):
        run_bench([tmp_path / "dut.v"], "dut", "no_such_bench", simulator="icarus").check()
    (tmp_path / "hang_bench.py").write_text(
        "import cocotb, time\n@cocotb.test()\nasync def hangs(dut):\n    time.sleep(600)\n"
    )
    with pytest.raises(ToolError, match=r"did not end within 3 s and was stopped"):
        run_bench([tmp_path / "dut.v"], "dut", tmp_path / "hang_bench.py", simulator="icarus", timeout=3)
