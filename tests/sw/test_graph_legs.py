"""Random graphs of all operators: golden model, torch, onnxruntime and Verilog compute the same integers."""

import random

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_onnx.exporter import to_model

from .graph_networks import random_graph_network
from .networks import random_frames

torch_graphs = pytest.importorskip("tests.sw.torch_graphs")


def random_mix(seed, *, image=6):
    """A random graph of all operators, images or flat, of bits or integers, with scores or bits as its result."""
    dice = random.Random(seed)
    shape = (dice.randint(3, image), dice.randint(3, image), dice.randint(1, 3))
    return random_graph_network(
        1000 + seed,
        shape=(dice.randint(3, 20),) if seed % 6 == 5 else shape,
        integers=seed % 4 == 3,
        steps=dice.randint(3, 7),
        classes=0 if seed % 5 == 4 else dice.randint(2, 4),
        sums=seed % 3 > 0,
        mixed=True,
    )


def legs_agree(network, count):
    """The golden model, torch and onnxruntime on so many frames."""
    from .onnx.graphs import reference

    frames = random_frames(network, count).astype(np.uint8)
    expected = golden.outputs(network, frames).reshape(count, -1)
    np.testing.assert_array_equal(torch_graphs.by_torch(network, frames), expected)
    got = reference(to_model(network), frames).reshape(count, -1)
    np.testing.assert_array_equal(got, expected if network.gives_scores else 2.0 * expected - 1)
    return {node.operator.kind for node in network.nodes}


@pytest.mark.parametrize("count", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_golden_model_torch_and_onnxruntime_agree(count):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    kinds = set().union(*(legs_agree(random_mix(seed), 40) for seed in range(count)))
    assert kinds >= {"add", "concat", "conv2d", "dense", "max_pool2d", "quantize", "sum_pool2d"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_verilog_agrees(seed, tmp_path):
    """Under random stalls, back to back and to the cycle, on Icarus; the interval is that of the slowest stage."""
    from tests.hw.test_accelerator import check
    from tests.hw.test_conv_accelerators import random_plan

    network = random_mix(seed)
    design = check(network, random_plan(network, seed), tmp_path / "design", frames=5)
    assert design.manifest.interval_cycles <= 1.01 * design.ideal_interval_cycles
