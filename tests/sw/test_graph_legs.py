"""Random graphs of all operators: golden model, torch, onnxruntime and Verilog compute the same integers."""

import random

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_onnx.exporter import to_model

from .graph_networks import random_graph_network, with_class_map
from .networks import random_frames

torch_graphs = pytest.importorskip("tests.sw.torch_graphs")


KINDS = {
    *("add", "arg_max", "concat", "conv2d", "dense", "group_sum", "luts", "max_pool2d", "quantize", "sum_pool2d"),
    "upsample2d",
}
TABLES = {"group_sum", "luts"}  # that no ONNX graph has


def random_mix(seed, *, image=6, most=6, steps=7):
    """A random graph of all operators, images or flat, of bits or integers; of scores, bits, classes or several
    outputs."""
    dice = random.Random(seed)
    shape = (dice.randint(3, image), dice.randint(3, image), dice.randint(1, 3))
    network = random_graph_network(
        1000 + seed,
        shape=(dice.randint(3, 20),) if seed % 6 == 5 else shape,
        integers=seed % 4 == 3,
        steps=dice.randint(3, steps),
        most=most,
        classes=0 if seed % 5 == 4 else dice.randint(2, 4),
        sums=seed % 3 > 0,
        mixed=True,
        heads=seed % 7 == 6,
    )
    # dice of its own: without a class map, a seed gives the graph that it always gave
    return with_class_map(network, random.Random(f"classes {seed}"))


def legs_agree(network, count, dialect="standard"):
    """The golden model, torch, and onnxruntime or qonnx on so many frames; the kinds of operators."""
    from .onnx.graphs import reference

    frames = random_frames(network, count).astype(np.uint8)
    expected = golden.outputs(network, frames).reshape(count, -1)
    np.testing.assert_array_equal(torch_graphs.by_torch(network, frames), expected)
    kinds = {node.operator.kind for node in network.nodes}
    if kinds & TABLES:
        with pytest.raises(NetworkError, match=r"is of kind (luts|group_sum), which is not exported to ONNX"):
            to_model(network, dialect=dialect)
        return kinds
    model = to_model(network, dialect=dialect)
    got = reference(model, frames).reshape(count, -1)
    np.testing.assert_array_equal(got, 2.0 * expected - 1 if network.gives == "bits" else expected)
    return kinds


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_golden_model_torch_and_onnxruntime_agree(count):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, of the development group")
    kinds = set().union(*(legs_agree(random_mix(seed), 40) for seed in range(count)))
    assert kinds == KINDS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_verilog_agrees(seed, tmp_path):
    """Under random stalls, back to back and to the cycle, on Icarus; the interval is that of the slowest stage."""
    from tests.hw.test_accelerator import check
    from tests.hw.test_conv_accelerators import random_plan

    network = random_mix(seed)
    design = check(network, random_plan(network, seed), tmp_path / "design", frames=5)
    assert design.manifest.interval_cycles <= 1.01 * design.ideal_interval_cycles
