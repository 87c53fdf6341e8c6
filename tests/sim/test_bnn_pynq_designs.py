"""BNN-PYNQ's own networks at their original folding: Verilog against the golden model, interval, LUTs, block RAM."""

from dataclasses import replace

import pytest

import bitwright as bw

# data set, frames, cycles a frame of the slowest layer, LUTs and RAMB36 at the most
CASES = {
    "lfc": ("mnist-lfcW1A1", "mnist", 10_000, 512, None, None),
    "cnv": ("cifar10-cnvW1A1", "cifar10", 500, 32_768, 13_000, 124),
}


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("topology", CASES)
def test_at_the_original_folding(topology, data_dir, tmp_path):
    name, data, frames, ideal, luts, blocks = CASES[topology]
    folder = data_dir / "bnn-pynq" / name
    if not folder.is_dir():
        pytest.skip(f"BITWRIGHT_DATA holds no bnn-pynq/{name}")
    imported = bw.import_bnn_pynq(folder, topology=topology)
    plan = replace(imported.plan, target="xc7", scores=True)
    design = bw.generate(imported.network, plan, tmp_path / "design")
    assert design.ideal_interval_cycles == ideal
    report = bw.verify(design, data, frames=frames, data_dir=data_dir)
    assert report.passed and report.frames == frames
    assert report.interval_cycles <= 1.03 * ideal
    assert report.latency_cycles == design.manifest.latency_cycles
    if luts is not None:
        total = bw.synth(design).total
        assert total.luts <= luts and total.block_rams <= blocks
