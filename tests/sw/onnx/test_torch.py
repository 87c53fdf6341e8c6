"""Plain torch models, exported with torch.onnx: standard operators, and weights in a file beside the graph."""

import warnings

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_onnx import Options, import_onnx

torch = pytest.importorskip("torch", reason="needs torch, of the extra train")
pytest.importorskip("onnxscript", reason="needs onnxscript, of the development group")
pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own future

FRAMES = 10_000


def model(quantizer, seed=0):
    """Two binary layers with batch norm, weights binarised as the network runs."""
    torch.manual_seed(seed)

    class Binary(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, torch.where(self.weight >= 0, 1.0, -1.0))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = Binary(3 * 4 * 5, 31, bias=False), torch.nn.BatchNorm1d(31)
            self.second, self.last = Binary(31, 7, bias=False), torch.nn.BatchNorm1d(7)

        def forward(self, x):
            x = torch.flatten(quantizer(x - 0.5), 1)
            return self.last(self.second(quantizer(self.norm(self.first(x)))))

    net = Net().train()
    for _ in range(4):
        net(torch.rand(64, 3, 4, 5))
    for norm in (net.norm, net.last):
        norm.weight.data.normal_()
        norm.bias.data.normal_(0, 0.2)
    return net.eval()


def export(net, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, 3, 4, 5),), str(path), verbose=False, **options)


@pytest.mark.parametrize("external", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_torch_model_agrees_on_every_frame(tmp_path, external):
    net = model(lambda x: torch.where(x >= 0, 1.0, -1.0))
    export(net, tmp_path / "net.onnx", dynamo=True, external_data=external)
    assert (tmp_path / "net.onnx.data").exists() == external
    found = import_onnx(tmp_path / "net.onnx", Options(layout="nchw"))
    assert found.input_range == (0, 1)
    raw = np.random.default_rng(0).integers(0, 256, (FRAMES, 3, 4, 5)).astype(np.uint8)
    with torch.no_grad():
        logits = net(torch.from_numpy(raw).to(torch.float32) / 255).numpy()
    scores = golden.outputs(found.network, raw.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(np.argsort(-scores, kind="stable"), np.argsort(-logits, kind="stable"))
    assert len(np.unique(logits.argmax(axis=1))) > 1


def test_sign_of_sums_that_can_be_0_is_ternary(tmp_path):
    net = model(torch.sign)
    net.norm = torch.nn.Identity()
    export(net, tmp_path / "net.onnx", dynamo=True, external_data=False)
    network = import_onnx(tmp_path / "net.onnx", Options(layout="nchw", input_range=(0, 1))).network
    assert [str(node.edge.number) for node in network.nodes[:-1]] == ["ternary"]
    raw = np.random.default_rng(1).integers(0, 256, (2000, 3, 4, 5)).astype(np.uint8)
    with torch.no_grad():
        logits = net(torch.from_numpy(raw).to(torch.float32) / 255).numpy()
    np.testing.assert_array_equal(golden.classify(network, raw.transpose(0, 2, 3, 1)), logits.argmax(axis=1))
