"""Designs without AXI4-Lite registers: their streams, and what is refused of them."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright import api
from bitwright.cli import main
from bitwright_core.errors import BoardError, DataError
from bitwright_core.plan import Plan, default_plan
from bitwright_core.ports import accelerator_ports
from bitwright_core.verilog_ports import module_text, verilog_ports
from bitwright_hw.estimate import estimate
from bitwright_hw.families import XC7
from bitwright_hw.generator import generate
from bitwright_sim.native.build import wrapper
from bitwright_sim.simulation import simulate
from bitwright_sim.verification import verify
from bitwright_sim.wave_groups import groups
from tests.hw.benches import require_icarus
from tests.sw.lut_networks import random_lut_network

OF_REGISTERS = {"soft_reset", "batches", "registers"}


@pytest.fixture(scope="module")
def network():
    return random_lut_network(4)


@pytest.fixture(scope="module")
def design(network, tmp_path_factory):
    plan = replace(default_plan(network), registers=False, data_bits=16)
    return generate(network, plan, tmp_path_factory.mktemp("bare") / "design")


def test_the_top_has_the_streams_alone(design):
    text = design.verilog[0].read_text()
    ports = [port.name for port in verilog_ports(module_text(text, design.manifest.top))]
    assert sorted(ports) == sorted({"aclk", "aresetn", *accelerator_ports(16, registers=False)})
    assert design.manifest.registers == {} and "s_axi_" not in text and "s_axi_" not in wrapper(design.manifest)
    assert "registers" not in groups(design)


def test_every_bench_but_those_of_registers_passes(design):
    require_icarus()
    report = simulate(design, simulator="icarus", seed=3)
    assert report.passed, report.failures
    ran = {test.name for test in report.tests}
    assert not ran & OF_REGISTERS and {"wrong_frames", "random_stalls", "reset_in_a_frame"} <= ran
    with pytest.raises(DataError, match="no bench 'batches'"):
        simulate(design, simulator="icarus", bench="batches")


@pytest.mark.slow
def test_a_test_set_is_verified(design, network):
    frames = np.random.default_rng(1).integers(0, 1 << network.input.bits, (300, network.input.size))
    assert verify(design, network, frames.astype(np.uint8)).passed


def test_timing_is_that_of_the_design_with_registers(design, network, tmp_path):
    other = generate(network, replace(design.plan, registers=True), tmp_path / "design").manifest
    assert (other.interval_cycles, other.latency_cycles) == (
        design.manifest.interval_cycles,
        design.manifest.latency_cycles,
    )


def test_the_estimate_leaves_them_out(design, network):
    plan = replace(design.plan, target="xc7")
    saved = (
        estimate(network, replace(plan, registers=True), family=XC7).total - estimate(network, plan, family=XC7).total
    )
    assert saved.luts == XC7.costs.control and saved.ffs == 181


def test_plans_with_registers_are_written_as_before(network, tmp_path):
    plan = default_plan(network)
    assert "registers" not in plan.text
    bare = replace(plan, registers=False)
    bare.save(tmp_path / "plan.toml")
    assert Plan.load(tmp_path / "plan.toml") == bare


def test_no_board_takes_them(design, tmp_path):
    for use in (
        lambda: api.build(design, "ulx3s-12f", tmp_path / "board"),
        lambda: api.package_ip(design, tmp_path / "ip"),
        lambda: api.program(design, "random", host="192.0.2.1"),
    ):
        with pytest.raises(BoardError, match="has no registers, which every build is driven by"):
            use()


def test_the_command(network, tmp_path, capsys):
    network.save(tmp_path / "network.safetensors")
    out = tmp_path / "design"
    assert main(["generate", str(tmp_path / "network.safetensors"), "--out", str(out), "--no-registers"]) == 0
    assert Plan.load(out / "plan.toml").registers is False
