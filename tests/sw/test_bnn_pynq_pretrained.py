"""BNN-PYNQ's own parameters on the whole test sets: the counts of right answers that the project's networks have."""

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden

SETS = {
    "lfc": ("mnist-lfcW1A1", "mnist", 9840),
    "lfc-w1a2": ("mnist-lfcW1A2", "mnist", 9849),
    "cnv": ("cifar10-cnvW1A1", "cifar10", 7922),
}


@pytest.mark.data
@pytest.mark.parametrize("topology", SETS)
def test_the_whole_test_set(data_dir, topology):
    name, data, right = SETS[topology]
    folder = data_dir / "bnn-pynq" / name
    if not folder.is_dir():
        pytest.skip(f"BITWRIGHT_DATA holds no bnn-pynq/{name}")
    network = bw.import_bnn_pynq(folder, topology=topology).network
    frames = bw.load_frames(network, data, data_dir=data_dir)
    assert frames.labels is not None and len(frames.labels) == 10_000
    assert int(np.sum(golden.classify(network, frames.frames) == frames.labels)) == right
