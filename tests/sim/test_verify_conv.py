"""Verification of designs with convolutions: native simulation, every integer, and planted defects."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.errors import DesignError
from bitwright_core.plan import default_plan
from bitwright_hw.generator import generate
from bitwright_sim import simulate
from bitwright_sim.by_verilator import chunks
from bitwright_sim.verification import verify
from tests.sim.designs import SEED, flip_weight, frames_for, need_icarus
from tests.sw.conv_networks import random_conv_network


@pytest.fixture(scope="module")
def network():
    return random_conv_network(SEED, shape=(8, 7, 3), integers=True, bits=8, channels=(5, 7), dense=(6,), classes=4)


@pytest.fixture(scope="module")
def design(network, tmp_path_factory):
    plan = default_plan(network, cycles=300)
    return generate(network, plan, tmp_path_factory.mktemp("conv") / "design")


def test_every_integer_agrees(design, network):
    report = verify(design, network, frames_for(network, 60))
    assert report.passed and report.frames == 60
    assert report.interval_cycles == report.ideal_interval_cycles == design.manifest.interval_cycles
    assert report.latency_cycles == design.manifest.latency_cycles
    json.dumps(report.to_dict(), default=str)


@pytest.mark.slow
def test_a_wrong_weight_is_found_in_its_layer(design, network, tmp_path):
    memory = 1
    broken = flip_weight(design, tmp_path / "broken", memory=memory, word=3, bit=1)
    report = verify(broken, network, frames_for(network, 20), reproducer=tmp_path / "reproducer")
    assert not report.passed
    assert report.first_mismatch.layer == f"conv{memory}"
    got = np.load(tmp_path / "reproducer" / "got.npz")
    layer = network.matrix_layers[memory]
    assert got[f"conv{memory}"].shape == (layer.pixels * layer.outputs,)


def test_a_network_of_other_images_is_refused(design):
    other = random_conv_network(SEED + 1, shape=(8, 7, 3), integers=True, bits=8)
    with pytest.raises(DesignError, match="has layers"):
        verify(design, other, frames_for(other, 2))


def test_chunks_keep_to_the_memory(design):
    """However large a frame's integers are, and however many jobs there are."""
    values = sum(layer.inputs + 6 * layer.outputs * layer.pixels for layer in design.manifest.layers)
    for jobs in (1, 4, 64):
        longest = max(part.stop - part.start for part in chunks(design, 100_000, jobs))
        assert longest == 1 or longest * jobs * values * 8 <= 1 << 30


def test_the_protocol_benches_pass(tmp_path):
    """Among them frames whose last rows no window takes, so that a result could be ready before its frame."""
    need_icarus()
    network = random_conv_network(9, shape=(5, 7, 2), convs=1, channels=(3,), pools=False, dense=(), classes=3)
    assert network.layers[0].windows.kernel == (2, 1) and network.layers[0].windows.row_outside[-1] == (0, 0)
    plan = replace(default_plan(network, cycles=8), data_bits=8)
    design = generate(network, plan, tmp_path / "design")
    assert design.manifest.interval_cycles == design.manifest.input.beats
    report = simulate(design, simulator="icarus", seed=1)
    assert report.passed, (report.failures, report.log)
