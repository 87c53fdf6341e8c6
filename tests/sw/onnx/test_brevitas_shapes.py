"""Networks of the shapes of Brevitas' public models, and ones that branch, agree with Brevitas, and in Verilog."""

import numpy as np
import pytest

import bitwright as bw
from bitwright.api import import_onnx
from bitwright_core import golden
from bitwright_core.plan import default_plan

pytest.importorskip("brevitas", reason="needs brevitas, of the development group")
nets = pytest.importorskip("tests.sw.onnx.brevitas_nets")
shapes = pytest.importorskip("tests.sw.onnx.brevitas_graphs")

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter and Brevitas warn of their own future


def raw_frames(shape, count, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape.shape), dtype=np.uint8)


def imported(shape, path):
    """The network of Brevitas, and the imported one."""
    net = shapes.build_shape(shape, nets.to_input(raw_frames(shape, 64, seed=2)))
    nets.export(net, shape, path)
    return net, import_onnx(path, input_range=(-1, 1), score_bits=0)


def channels_last(raw):
    return np.moveaxis(raw, 1, -1)


def agree(shape, path, count):
    """Every class of every frame in its place, of all classes."""
    net, found = imported(shape, path)
    raw = raw_frames(shape, count)
    logits = nets.evaluate(net, raw)
    scores = golden.outputs(found.network, channels_last(raw))
    np.testing.assert_array_equal(
        np.argsort(-scores, axis=1, kind="stable"), np.argsort(-logits, axis=1, kind="stable")
    )
    assert len(np.unique(logits.argmax(axis=1))) > 1
    return found.network, channels_last(raw)


@pytest.mark.slow
@pytest.mark.parametrize("shape", shapes.SMALL, ids=lambda shape: shape.name)
def test_small_ones_agree(tmp_path, shape):
    agree(shape, tmp_path / "net.onnx", 500)


@pytest.mark.slow
@pytest.mark.parametrize("shape", shapes.FULL, ids=lambda shape: shape.name)
def test_every_frame_agrees(tmp_path, shape):
    agree(shape, tmp_path / "net.onnx", 10_000)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*shapes.SMALL, *shapes.FULL], ids=lambda shape: shape.name)
def test_verilog_is_bit_exact(tmp_path, shape):
    """Every integer of every layer, in the sliced engine and for some frames in Verilator, at default folds."""
    _, found = imported(shape, tmp_path / "net.onnx")
    plan = default_plan(found.network, cycles=60_000 if shape in shapes.FULL else 3_000)
    design = bw.generate(found.network, plan, tmp_path / "design")
    report = bw.verify(design, channels_last(raw_frames(shape, 64)), engine="sliced")
    assert report.mismatches == 0 and report.frames == 64 and report.cross_check is not None
