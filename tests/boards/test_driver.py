"""The driver: what it may import, how it packs, and what it does on the simulated board under the real pynq."""

import ast
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from bitwright_boards import block_design, driver
from bitwright_boards.deployment import DESIGN, DRIVER, JOB, deployment, describe, driver_source
from bitwright_boards.processing import ZYNQ_7020
from bitwright_boards.simulated.account import make_account
from bitwright_core.design import Design
from bitwright_core.framing import input_format, output_format, pack_frames
from bitwright_core.plan import default_plan
from tests.boards.conftest import run_scenarios
from tests.sw.networks import random_frames, random_network
from tests.sw.test_imports import imports

ON_THE_BOARD = ("driver.py", "board_job.py", "simulated/pynq_device.py")
ALSO = {"driver.py": set(), "board_job.py": {"bitwright_driver"}, "simulated/pynq_device.py": {"pynqmetadata"}}


@pytest.fixture(scope="module")
def board(pynq_python, tmp_path_factory):
    """Runs scenarios in a process of pynq's Python, in the environment of a board's login shell."""
    home = make_account(tmp_path_factory.mktemp("home"), pynq_python, fast=False)

    def run(folder, *names: str) -> dict:
        return run_scenarios(home, folder, names)

    return run


@pytest.fixture(scope="module")
def told(board, board_design, overlay, vectors, tmp_path_factory) -> dict:
    """Scenarios that leave the folder as it is, all in one process."""
    folder = tmp_path_factory.mktemp("deployed")
    for name, content in deployment(board_design, overlay, vectors).items():
        (folder / name).write_bytes(content)
    return board(folder, "run", "register_map", "faults", "wrong_frames", "pace", "stale")


@pytest.mark.parametrize("name", ON_THE_BOARD)
def test_what_runs_on_the_board_imports_numpy_pynq_and_the_standard_library(checkout, name):
    file = checkout / "boards" / "bitwright_boards" / name
    foreign = imports(file, "bitwright_boards") - set(sys.stdlib_module_names) - {"numpy", "pynq"} - ALSO[name]
    assert not foreign
    ast.parse(file.read_text(), feature_version=(3, 10))


def test_the_check_of_imports_sees_another(tmp_path):
    file = tmp_path / "driver.py"
    file.write_text("import numpy\ndef f():\n    import scipy\n    from . import x\n")
    assert imports(file, "bitwright_boards") - set(sys.stdlib_module_names) - {"numpy"} == {"scipy", "bitwright_boards"}


def test_the_driver_is_deployed_byte_for_byte(board_design, vectors, checkout, tmp_path):
    (tmp_path / "x.bit").write_bytes(b"")
    (tmp_path / "x.hwh").write_bytes(b"")
    files = deployment(board_design, tmp_path / "x.bit", vectors)
    source = checkout / "boards" / "bitwright_boards" / "driver.py"
    assert files[DRIVER] == driver_source() == source.read_bytes()
    assert files[JOB] == source.with_name("board_job.py").read_bytes()


def test_the_driver_and_the_block_design_name_the_same_blocks():
    assert (driver.DMA, driver.ACCELERATOR) == (block_design.DMA, block_design.ACCELERATOR)


@pytest.mark.parametrize(
    ("bits", "shape", "encoding", "data_bits", "classes", "scores"),
    [
        (8, (5, 7), "hardware", 64, 4, True),
        (1, (21,), "hardware", 16, 4, False),
        (12, (3, 4), "hardware", 32, 3, True),
        (5, (9,), "host", 8, 3, True),
        (8, (11,), "hardware", 128, None, False),
    ],
)
def test_packing_is_that_of_framing(tmp_path, bits, shape, encoding, data_bits, classes, scores):
    network = random_network(
        5, shape=shape, bits=bits, levels=1 if bits == 1 else 2 if bits < 8 else 1, classes=classes
    )
    plan = replace(default_plan(network), data_bits=data_bits, encoding=encoding, scores=scores)
    inputs, outputs = input_format(network, plan), output_format(network, plan)
    values = {
        "name": "x",
        "network_digest": network.digest,
        "shape": list(shape),
        "bits": bits,
        "encoding_thresholds": network.encoding.thresholds.tolist(),
        "registers": {},
        "input": {"encoded": inputs.encoded, "value_bits": inputs.value_bits, "stride": inputs.stride},
        "output": {
            "outputs": outputs.outputs,
            "classifier": outputs.classifier,
            "scores": scores,
            "beats": outputs.beats,
        },
    }
    (tmp_path / DESIGN).write_text(json.dumps(values))
    design = driver.Description(tmp_path)
    frames = random_frames(network, 9)
    packed = np.zeros((9, design.stride), np.uint8)
    design.pack(design.check(frames), packed)
    assert np.array_equal(packed, pack_frames(network, plan, frames))
    words = np.random.default_rng(1).integers(-50, 50, (9, design.beats))
    for ours, theirs in zip(design.unpack(words), outputs.unpack(words), strict=True):
        assert (ours is None and theirs is None) or np.array_equal(ours, theirs)


def test_design_json_tells_what_the_driver_reads(board_design, tmp_path):
    (tmp_path / DESIGN).write_text(json.dumps(describe(board_design)))
    design = driver.Description(tmp_path)
    assert (design.name, design.digest) == (board_design.manifest.name, board_design.manifest.network_digest)
    assert design.stride == board_design.manifest.input.stride
    (tmp_path / DESIGN).write_text("{")
    with pytest.raises(driver.WrongOverlay, match=r"design\.json cannot be read"):
        driver.Description(tmp_path)


def test_batches_on_the_simulated_board_are_bit_exact(told, board_design, vectors):
    told = told["run"]
    count = len(vectors.frames)
    assert told["whole"] and told["singles"] and told["flat"]
    assert told["batches"] == -(-count // 64)
    assert told["progress"] == [[min(64 * k, count), count] for k in range(1, told["batches"] + 1)]
    assert told["self_test"] == [] and told["status"] == [] and all(told["rates"])
    assert told["frames_in"] == count + 3 + 70
    assert (told["identity"], told["digest"]) == (driver.IDENTITY, board_design.manifest.network_digest)
    assert told["clock_mhz"] == block_design.block_design(board_design.manifest, ZYNQ_7020).clock_mhz
    # the accelerator's own count of cycles: a frame an interval, but for the way in and out of each batch
    manifest = board_design.manifest
    most = count * manifest.interval_cycles + told["batches"] * (manifest.latency_cycles + 200)
    assert count * manifest.interval_cycles <= told["cycles_busy"] + manifest.interval_cycles * told["batches"] <= most


def test_pynq_shows_the_registers_and_binds_its_dma(told, board_design):
    told = told["register_map"]
    assert set(told["names"]) == set(board_design.manifest.registers)
    assert (told["identity"], told["batch"]) == (driver.IDENTITY, 0)
    assert (told["dma"], told["channels"]) == ("DMA", [True, True])
    assert told["fclk0"] == 100.0


EXPECTED_FAULTS = {
    "send decode error": ("DmaError", "send channel stopped (decode error"),
    "receive slave error": ("DmaError", "receive channel stopped (slave error"),
    "truncate": ("FrameError", "short: a packet ended inside a frame"),
    "stall send": ("Timeout", "frames do not arrive"),
    "stall receive": ("Timeout", "results are not taken"),
    "hard reset": ("AcceleratorReset", "reset in the middle of a batch"),
    "soft reset": ("AcceleratorReset", "reset in the middle of a batch"),
    "lose last": ("Timeout", "the DMA waits for the end of the results' packet"),
}


def test_each_fault_has_its_error_and_the_next_batch_is_right(told):
    told = told["faults"]
    assert set(told) == set(EXPECTED_FAULTS)
    for fault, (error, text) in EXPECTED_FAULTS.items():
        assert told[fault]["error"] == error, (fault, told[fault])
        assert text in told[fault]["message"], fault
        assert told[fault]["after"], fault
        assert told[fault]["seconds"] < 5, fault


def test_wrong_frames_are_told_before_anything_is_sent(told):
    told = told["wrong_frames"]
    assert "the network takes (n, 6, 6)" in told["shape"]
    assert "n at least 1" in told["none"]
    assert "unsigned integers of 8 bits, not float32" in told["float"]
    assert "must lie in 0..255, not -1000.." in told["negative"]
    assert "vectors" in told and told["one"] and told["after"]
    assert told["mismatches"] == [3, 7]


def test_another_network_is_refused(board, deployed):
    other = random_network(4, shape=(6, 6), bits=8, levels=1, hidden=(24, 17), classes=5)
    file = deployed / DESIGN
    values = json.loads(file.read_text())
    file.write_text(json.dumps({**values, "network_digest": other.digest}))
    told = board(deployed, "open")["open"]
    assert told["error"] == "DigestMismatch"
    assert other.digest[:12] in told["message"] and values["network_digest"][:12] in told["message"]
    file.write_text(json.dumps({**values, "output": {**values["output"], "beats": 4}}))
    assert "OUTPUT_BEATS reads 6, but design.json says 4" in board(deployed, "open")["open"]["message"]


def test_a_foreign_overlay_is_refused(board, deployed, board_design):
    hwh = deployed / f"{board_design.manifest.name}.hwh"
    text = hwh.read_text()
    hwh.write_text(text.replace(block_design.ACCELERATOR, "blinker_0"))
    told = board(deployed, "open")["open"]
    assert (
        told["error"] == "WrongOverlay" and "has no block accelerator_0; it has axi_dma_0, blinker_0" in told["message"]
    )
    hwh.write_text(text.replace('NAME="c_include_sg" VALUE="0"', 'NAME="c_include_sg" VALUE="1"'))
    assert "scatter-gather" in board(deployed, "open")["open"]["message"]
    hwh.unlink()
    assert f"{hwh.name} is missing" in board(deployed, "open")["open"]["message"]


def test_the_fast_mode_saves_accesses_and_changes_nothing(told):
    told = told["pace"]
    (exact, accesses), (fast_exact, fast_accesses) = told["accurate"], told["fast"]
    assert exact and fast_exact
    assert 10 * fast_accesses < accesses


def test_the_simulated_cache_shows_a_missing_flush(told):
    assert told["stale"] == {"stale_equal": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "plan"),
    [
        (8, {"data_bits": 128, "scores": False}),
        (8, {"data_bits": 32, "encoding": "host", "scores": True}),
        (12, {"data_bits": 16, "scores": True}),
    ],
)
def test_other_streams(board, tmp_path, bits, plan):
    import bitwright as bw
    from bitwright_boards.deployment import make_vectors
    from bitwright_boards.simulated.bitstream import write_overlay

    network = random_network(8, shape=(37,), bits=bits, levels=2, hidden=(14,), classes=4)
    design: Design = bw.generate(network, replace(default_plan(network), **plan), tmp_path / "design")
    vectors = make_vectors(design, random_frames(network, 200))
    bit = write_overlay(design, tmp_path / "overlay")
    folder = tmp_path / "board"
    folder.mkdir()
    for name, content in deployment(design, bit, vectors).items():
        (folder / name).write_bytes(content)
    told = board(folder, "tested")["tested"]
    assert told == {"mismatches": [], "frames": 200}
