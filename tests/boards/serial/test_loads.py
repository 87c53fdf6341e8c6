# amaranth: UnusedElaboratable=no
"""Weights loaded over a serial line, to a board that is simulated to its pins."""

import json
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright.open_board import open_board
from bitwright_boards import load_board
from bitwright_boards.deployment import describe
from bitwright_boards.driver import LoadFailed, SwapRefused, WrongStructure
from bitwright_boards.serial_driver import Accelerator
from bitwright_core.golden import outputs
from bitwright_core.plan import with_loadable
from bitwright_hw.serial.build import write_sources
from bitwright_sim.serial import SimulatedLine
from tests.boards.serial.test_board import QUIET, Faults
from tests.sw.networks import random_frames, random_network


def network_of(seed):
    return random_network(seed, shape=(4, 4), bits=8, levels=1, hidden=(6,), classes=4)


@pytest.mark.slow
def test_the_serial_driver_loads_and_swaps(tmp_path):
    network = network_of(1)
    other = replace(network, layers=network_of(2).layers)
    plan = with_loadable(bw.size(network, cycles=25, scores=True), network, "all")
    design = bw.generate(network, plan, tmp_path / "design")
    write_sources(design, open_board(load_board("ulx3s-85f")), tmp_path / "board", clock_mhz=50)
    (tmp_path / "board" / "design.json").write_text(json.dumps(describe(design)))
    file = tmp_path / "other.load"
    bw.weights(design, other).save(file)
    header, _, data = file.read_bytes().partition(b"\n")
    foreign = tmp_path / "foreign.load"
    foreign.write_bytes(json.dumps({**json.loads(header), "structure": "1" * 64}).encode() + b"\n" + data)
    frames = random_frames(network, 12)
    expected = [outputs(each, frames) for each in (network, other)]
    assert not np.array_equal(*expected)
    with SimulatedLine(tmp_path / "board", timeout=0.001) as line:
        line.wait(1e-5)
        faults = Faults(line, 3)
        with Accelerator(
            tmp_path / "board", line=faults, quiet_seconds=QUIET, clock=lambda: line.seconds
        ) as accelerator:
            assert accelerator.structure == design.manifest.loads.structure
            with pytest.raises(SwapRefused, match="no whole load"):
                accelerator.swap()
            with pytest.raises(WrongStructure, match="is for structure 111111111111"):
                accelerator.load(foreign)
            foreign.write_bytes(header + b"\n" + data[:-4])
            with pytest.raises(LoadFailed, match="is damaged"):
                accelerator.load(foreign)
            accelerator.load(file)
            assert np.array_equal(accelerator.run(frames).scores, expected[0])
            accelerator.swap()
            assert np.array_equal(accelerator.run(frames).scores, expected[1])
            assert accelerator.weights_crc == json.loads(header)["crc"]
            accelerator.reset()  # a break keeps the weights
            assert np.array_equal(accelerator.run(frames).scores, expected[1])
            bw.weights(design, network).save(file)
            faults.sent = 0.1
            accelerator.load(file)
            accelerator.swap()
            faults.sent = 0.0
            assert accelerator.counts.repeated
            assert np.array_equal(accelerator.run(frames).scores, expected[0])
