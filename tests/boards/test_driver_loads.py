"""Weights loaded by the PYNQ driver, on the simulated board under the real pynq."""

import json

import numpy as np
import pytest

import bitwright as bw
from bitwright_boards.deployment import deployment, describe, make_vectors
from bitwright_boards.simulated.bitstream import write_overlay
from bitwright_core import golden
from tests.boards.loadable import design, networks
from tests.boards.test_driver import board
from tests.sw.networks import random_frames

__all__ = ["board", "design", "networks"]


def test_design_json_tells_of_loads_only_where_there_are_any(design, board_design):
    told = describe(design)["load"]
    assert told["structure"] == design.manifest.loads.structure and told["bytes"] == len(
        bw.weights(design, design.network).data
    )
    assert "load" not in describe(board_design)


@pytest.mark.slow
def test_the_driver_loads_and_swaps(board, design, networks, tmp_path):
    frames = random_frames(networks[0], 24)
    bit = write_overlay(design, tmp_path / "overlay")
    folder = tmp_path / "deployed"
    folder.mkdir()
    for name, content in deployment(design, bit, make_vectors(design, frames)).items():
        (folder / name).write_bytes(content)
    loads = [bw.weights(design, network) for network in networks]
    for number, load in enumerate(loads):
        load.save(folder / f"{number}.load")
    content = (folder / "1.load").read_bytes()
    (folder / "damaged.load").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    header, _, data = content.partition(b"\n")
    foreign = {**json.loads(header), "structure": "0" * 64}
    (folder / "foreign.load").write_bytes(json.dumps(foreign).encode() + b"\n" + data)

    told = board(folder, "loads")["loads"]
    assert told["structure"] == design.manifest.loads.structure
    assert told["crcs"] == [loads[k].crc for k in (0, 1, 2, 1)]
    scores = [golden.outputs(network, frames).tolist() for network in networks]
    assert told["classes"] == [True, scores[1], True, scores[2], True, scores[1], scores[2]]
    errors = {what: error[0] for what, error in told["errors"].items()}
    assert errors == {
        "nothing": "SwapRefused",
        "missing": "LoadFailed",
        "damaged": "LoadFailed",
        "foreign": "WrongStructure",
        "cut": "LoadFailed",
        "after a cut": "SwapRefused",
        "half a frame": "SwapRefused",
    }
    assert "did not come whole" in told["errors"]["cut"][1] and "half inside" in told["errors"]["half a frame"][1]
    assert len({str(each) for each in scores}) == 3 and np.array(scores).shape == (3, 24, 5)
