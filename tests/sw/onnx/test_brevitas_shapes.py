"""Networks of the shapes of Brevitas' public models, and ones that branch, agree with Brevitas, and in Verilog."""

from dataclasses import replace

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


def ordered(shape):
    """Whether integers of bounded width keep the order of all pairs of scores: not of 10 classes on 1,024 values."""
    return not shape.name.startswith("lfc")


def imported(shape, path):
    """The network of Brevitas, and the imported one."""
    net = shapes.build_shape(shape, nets.to_input(raw_frames(shape, 64, seed=2)))
    nets.export(net, shape, path)
    return net, import_onnx(path, input_range=(-1, 1), **({"score_bits": 0} if ordered(shape) else {}))


def channels_last(raw):
    return np.moveaxis(raw, 1, -1)


def agree(shape, path, count):
    """Every class of every frame in its place, of all classes; the class alone where not all pairs can be ordered."""
    net, found = imported(shape, path)
    raw = raw_frames(shape, count)
    logits = nets.evaluate(net, raw)
    scores = golden.outputs(found.network, channels_last(raw))
    np.testing.assert_array_equal(scores.argmax(axis=1), logits.argmax(axis=1))
    if ordered(shape):
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


def prime_up_to(most):
    """The largest prime that is at most `most`; 1 for 1."""
    return next((n for n in range(most, 1, -1) if all(n % k for k in range(2, int(n**0.5) + 1))), 1)


def prime_plan(network, cycles):
    """Folds of about so many cycles a frame whose PE and SIMD are primes; a depthwise layer's SIMD is its window's."""
    plan = default_plan(network, cycles=cycles)
    layers = tuple(
        replace(choice, pe=prime_up_to(max(3, choice.pe)), simd=prime_up_to(max(3, choice.simd)))
        if layer.groups == 1 and min(layer.outputs, layer.inputs) > 1
        else choice
        for choice, layer in zip(plan.layers, network.matrix_layers, strict=True)
    )
    return replace(plan, layers=layers)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*shapes.SMALL, *shapes.FULL], ids=lambda shape: shape.name)
def test_verilog_is_bit_exact_at_prime_folds(tmp_path, shape):
    """Every integer of every layer in the sliced engine; of small designs some frames in Verilator, too."""
    _, found = imported(shape, tmp_path / "net.onnx")
    small = shape in shapes.SMALL
    plan = prime_plan(found.network, cycles=3_000 if small else 60_000)
    primes = [n for choice in plan.layers for n in (choice.pe, choice.simd) if n > 2 and prime_up_to(n) == n]
    assert len(primes) >= len(plan.layers) // 2
    design = bw.generate(found.network, plan, tmp_path / "design")
    frames = channels_last(raw_frames(shape, 64 if small else 16))
    report = bw.verify(design, frames, engine="sliced", proof=small)
    assert report.mismatches == 0 and report.frames == len(frames)
    assert report.interval_cycles == report.ideal_interval_cycles and (report.cross_check is not None) == small
