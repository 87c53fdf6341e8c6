"""Modules for a training loop of one's own, their export by tracing, and the page that tells of them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bitwright as bw
from bitwright.train import (
    BatchNorm,
    BinaryConv2d,
    BinaryLinear,
    FewBits,
    InputEncoder,
    Sign,
    clip_latent,
    latent_weights,
)
from bitwright_core import golden
from bitwright_core.errors import DataError, ExportError
from bitwright_core.numbers import TERNARY

pytestmark = pytest.mark.usefixtures("one_thread")

PAGE = Path(__file__).parents[2] / "docs" / "own-training-loop.md"
FRAMES = np.random.default_rng(1).integers(0, 256, (200, 10, 10, 2), dtype=np.uint8)


def settled(model, frames=FRAMES):
    """`model` with random batch norms, in evaluation mode."""
    torch.manual_seed(2)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.uniform_(-1, 1)
                module.bias.uniform_(-0.5, 0.5)
        model.train()
        for _ in range(30):
            model(torch.from_numpy(frames))
    return model.eval()


def page_code():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return code


def test_the_page_trains_and_exports():
    code = page_code()
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    torch.manual_seed(1)
    names = {}
    exec(compile(code[: code.index("design = ")], str(PAGE), "exec"), names)  # the page's own code
    data, network = names["data"], names["network"]
    assert (bw.predict(network, data.test_frames) == data.test_labels).mean() > 0.9


@pytest.mark.slow
def test_the_page_goes_from_data_to_verified_verilog(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    exec(compile(page_code(), str(PAGE), "exec"), {})
    assert "364" in capsys.readouterr().out


def test_convolutions_pools_and_few_bits_are_traced_through_a_module(tmp_path):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = InputEncoder((10, 10, 2))
            self.body = nn.Sequential(
                BinaryConv2d(2, 6, 3, padding=1),
                nn.MaxPool2d(2),
                BatchNorm(6),
                Sign("polynomial"),
                nn.Sequential(BinaryConv2d(6, 5, 3, weights="ternary"), BatchNorm(5), FewBits(2)),
                nn.Dropout(0.1),
            )
            self.head = BinaryLinear(45, 12, weights=3)
            self.norms = nn.ModuleList([BatchNorm(12), BatchNorm(4)])
            self.sign, self.last = Sign(), BinaryLinear(12, 4)

        def forward(self, frames):
            x = torch.flatten(self.body(self.encoder(frames)), 1)
            return self.norms[1](self.last(self.sign(self.norms[0](self.head(x)))))

    model = settled(Mine())
    network = bw.export(model, FRAMES, name="mine", labels=("a", "b", "c", "d"))
    told = model(torch.from_numpy(FRAMES)).argmax(1).numpy()
    assert (bw.predict(network, FRAMES) == told).all()
    assert network.matrix_layers[1].weight_type == TERNARY and network.labels == ("a", "b", "c", "d")
    assert len(np.unique(told)) > 1
    assert golden.trace(network, FRAMES[:3]).layers[2].values.max() == 3
    network.save(tmp_path / "n.safetensors")
    assert bw.load(tmp_path / "n.safetensors") == network


def test_an_image_flattened_at_once_and_torchs_batch_norms():
    model = nn.Sequential(
        InputEncoder((10, 10, 2), thresholds=(90, 170)), nn.Flatten(), BinaryLinear(400, 7), nn.BatchNorm1d(7), Sign(),
        BinaryLinear(7, 3),
    )  # fmt: skip
    network = bw.export(settled(model), FRAMES)
    assert (bw.predict(network, FRAMES) == model(torch.from_numpy(FRAMES)).argmax(1).numpy()).all()


def test_latent_weights_are_clipped():
    model = nn.Sequential(BinaryLinear(4, 3), Sign(), BinaryConv2d(1, 2, 3))
    assert [weight.abs().sum().item() > 0 for weight in latent_weights(model)] == [True, True]
    with torch.no_grad():
        model[0].weight.fill_(3)
    clip_latent(model, 0.5)
    assert model[0].weight.max() == 0.5


def linear(*parts):
    return nn.Sequential(InputEncoder((6,)), *parts)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.linear = InputEncoder((6,)), BinaryLinear(6, 6)

    def forward(self, x):
        x = self.encoder(x)
        return self.linear(x) + x


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.one, self.other = InputEncoder((6,)), BinaryLinear(6, 6), BinaryLinear(6, 6)

    def forward(self, x):
        x = self.encoder(x)
        self.one(x)
        return self.other(x)


class Depends(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(BinaryLinear(6, 2)), "0: a model begins with an InputEncoder, not with BinaryLinear"),
        (linear(nn.Linear(6, 2)), "1: Linear has no counterpart in a Network"),
        (linear(BinaryLinear(6, 4), nn.ReLU(), BinaryLinear(4, 2)), "2: ReLU has no counterpart"),
        (linear(BinaryLinear(6, 4), BinaryLinear(4, 2)), "2: there must be a Sign or FewBits between it and 1"),
        (linear(BinaryLinear(6, 4), Sign(), Sign()), "3: a second activation behind 1"),
        (linear(BinaryLinear(6, 1)), "1: a last layer of one output tells no class; put a Sign behind it"),
        (linear(BinaryLinear(6, 4), Sign(), BinaryLinear(5, 2)), "3: takes 5 values, and what comes before gives 4"),
        (linear(Sign()), "1: Sign has no layer with weights before it"),
        (linear(BinaryLinear(6, 2), BatchNorm(2), BatchNorm(2)), "3: one ExactBatchNorm for each layer"),
        (linear(BinaryLinear(6, 2), nn.BatchNorm1d(2, affine=False)), "2: BatchNorm1d must be affine"),
        (linear(BinaryLinear(6, 2), Sign(), BinaryConv2d(1, 2, 3), Sign()), "3: convolutions stand before linear"),
        (Branches(), "add: there must be a Sign or FewBits between it and linear"),
        (Twice(), "one: nothing takes what it gives"),
        (Depends(), "Depends cannot be traced"),
        (linear(), "has no BinaryLinear or BinaryConv2d"),
    ],
)
def test_what_a_network_cannot_be_is_refused_by_name(model, message):
    with pytest.raises(ExportError, match=message):
        bw.export(model, np.zeros((2, 6), np.uint8))


def test_a_module_that_tells_other_classes_than_its_network_is_refused():
    """A hook changes what a batch norm gives, which no trace sees."""
    torch.manual_seed(1)
    model = linear(BinaryLinear(6, 9), BatchNorm(9), Sign(), BinaryLinear(9, 5))
    model[2].register_forward_hook(lambda module, given, result: -result)
    frames = np.random.default_rng(3).integers(0, 256, (50, 6), dtype=np.uint8)
    with pytest.raises(ExportError, match="the module tells another class"):
        bw.export(model.eval(), frames)


def test_which_classes_are_taken_for_which():
    network = bw.export(settled(linear(BinaryLinear(6, 3)), FRAMES.reshape(200, -1)[:, :6]), np.zeros((2, 6), np.uint8))
    frames = FRAMES.reshape(200, -1)[:, :6]
    told = bw.predict(network, frames)
    true = np.arange(200) % 3
    table = bw.confusion(network, frames, true)
    assert table.sum() == 200 and table.diagonal().sum() == (told == true).sum()
    assert table[1, 2] == ((true == 1) & (told == 2)).sum()
    with pytest.raises(DataError, match=r"classes must lie in 0\.\.2, not 0\.\.3"):
        bw.confusion(network, frames[:4], np.arange(4))
