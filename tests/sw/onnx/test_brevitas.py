"""Networks trained in Brevitas and exported to QONNX agree with Brevitas' own evaluation."""

import numpy as np
import pytest

from bitwright import golden
from bitwright.api import generate, import_onnx, size, verify

pytest.importorskip("brevitas", reason="needs brevitas, of the development group")
nets = pytest.importorskip("tests.sw.onnx.brevitas_nets")

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter and Brevitas warn of their own future

FRAMES = 10_000
QUICK = ("dense_channel_bias", "conv")


def frames_of(found, raw):
    return raw.transpose(0, 2, 3, 1) if found.layout == "nchw" else raw


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=() if c.name in QUICK else pytest.mark.slow, id=c.name) for c in nets.CASES],
)
def test_every_frame_agrees(tmp_path, case):
    net = nets.build(case)
    nets.export(net, case, tmp_path / "net.onnx")
    found = import_onnx(tmp_path / "net.onnx", input_range=(-1, 1))
    raw = nets.raw_frames(case, FRAMES)
    logits = nets.evaluate(net, raw)
    scores = golden.outputs(found.network, frames_of(found, raw))
    np.testing.assert_array_equal(scores.argmax(axis=1), logits.argmax(axis=1))
    # not the class alone: all classes stand in the same order, the first first among equals
    np.testing.assert_array_equal(
        np.argsort(-scores, axis=1, kind="stable"), np.argsort(-logits, axis=1, kind="stable")
    )
    assert len(np.unique(logits.argmax(axis=1))) > 1


def train(net, data, epochs):
    """A few epochs of Adam on (frames, labels)."""
    import torch

    frames, labels = nets.to_input(data.train_frames[:, None]), torch.from_numpy(data.train_labels.astype(np.int64))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(epoch))
        for part in order.split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(frames[part]), labels[part]).backward()
            optimizer.step()
    net.eval()


@pytest.mark.slow
def test_train_export_import_generate_verify(tmp_path):
    """The route of docs/onnx.md, on the digits that scikit-learn embeds."""
    from bitwright.data import load_dataset

    data = load_dataset("digits", tmp_path)
    top = int(data.train_frames.max())
    scaled = type("Data", (), {})()
    scaled.train_frames = (data.train_frames.astype(np.int64) * 255 // top).astype(np.uint8)
    scaled.train_labels = data.train_labels
    test = (data.test_frames.astype(np.int64) * 255 // top).astype(np.uint8)
    case = nets.Case("digits", (1, 8, 8), (), (64, 64))
    net = nets.build(case)
    train(net, scaled, 12)
    nets.export(net, case, tmp_path / "digits.onnx")
    found = import_onnx(tmp_path / "digits.onnx", input_range=(-1, 1))
    logits = nets.evaluate(net, test[:, None])
    design = generate(found.network, size(found.network, cycles=64, scores=True), tmp_path / "design")
    report = verify(design, test[..., None], data.test_labels)
    assert report.frames == len(test) and report.mismatches == 0
    assert report.accuracy == pytest.approx((logits.argmax(axis=1) == data.test_labels).mean())
    assert report.accuracy > 0.6
