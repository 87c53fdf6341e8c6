"""Networks trained in Brevitas and exported to QONNX agree with Brevitas' own evaluation."""

import re

import numpy as np
import pytest

from bitwright.api import import_onnx
from bitwright_core import golden

pytest.importorskip("brevitas", reason="needs brevitas, of the development group")
nets = pytest.importorskip("tests.sw.onnx.brevitas_nets")

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter and Brevitas warn of their own future

FRAMES = 10_000
QUICK = ("dense_channel_bias", "conv", "sfc_2w2a")


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


@pytest.mark.slow
def test_the_route_of_the_docs(tmp_path, monkeypatch, capsys, checkout):
    """The program in docs/onnx.md, as it stands: train, export, import, generate, verify."""
    monkeypatch.chdir(tmp_path)
    text = (checkout / "docs" / "onnx.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(program, "docs/onnx.md", "exec"), {"__name__": "docs"})
    said = capsys.readouterr().out.splitlines()[-1]
    mismatches, frames, accuracy = re.fullmatch(r"(\d+) mismatches in (\d+) frames, accuracy ([\d.]+)%", said).groups()
    assert (int(mismatches), int(frames)) == (0, 364) and float(accuracy) > 80
