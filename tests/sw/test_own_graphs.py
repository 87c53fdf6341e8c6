"""Graphs of modules of one's own: branches, sums, concatenation, class maps, labels, several results."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import bitwright as bw
from bitwright.train import (
    BatchNorm,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    ClassMap,
    FewBits,
    InputEncoder,
    Sign,
    SignalEncoder,
    WindowSum,
    clip_latent,
)
from bitwright_core import golden
from bitwright_core.errors import ExportError
from bitwright_core.network import ChannelArgMax, Concat, Upsample2d
from bitwright_core.plan import default_plan

pytestmark = pytest.mark.usefixtures("one_thread")

FRAMES = np.random.default_rng(5).integers(0, 32, (60, 8, 8), dtype=np.uint8)
BRIGHT = (FRAMES > 15).astype(np.int64)  # of each pixel: a map of classes
DARK = (FRAMES.reshape(60, 4, 16).mean(2) > 15.5).astype(np.int64)  # of each quarter: labels


def conv(channels, outputs, activation=None, **more):
    return nn.Sequential(
        BinaryConv2d(channels, outputs, 3, padding=1, **more),
        BatchNorm(outputs),
        Sign() if activation is None else activation,
    )


class Graph(nn.Module):
    """A U with a shortcut, two branches, PReLU and hardtanh, and any last layers."""

    def __init__(self, heads):
        super().__init__()
        self.encoder = InputEncoder((8, 8), bits=5)
        self.first = conv(1, 6, FewBits(2))
        self.down = nn.Sequential(BinaryConv2d(6, 6, 3, padding=1), nn.PReLU(6), BatchNorm(6), nn.MaxPool2d(2), Sign())
        self.one = nn.Sequential(BinaryConv2d(6, 6, 1), BatchNorm(6), nn.PReLU(), FewBits("ternary"))
        self.other = nn.Sequential(BinaryConv2d(6, 6, 3, padding=1), BatchNorm(6), nn.Hardtanh(), Sign())
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.pool = nn.MaxPool2d(2)
        self.heads = nn.ModuleList(heads)

    def forward(self, frames):
        first = self.first(self.encoder(frames))
        down = self.down(first)
        x = self.one(down) + self.other(down) + self.pool(first)
        x = torch.cat([first, self.up(x)], dim=1)
        results = tuple(head(x) for head in self.heads)
        return results if len(results) > 1 else results[0]


def pixels():
    return nn.Sequential(BinaryConv2d(12, 2, 1), BatchNorm(2))


def labels():
    return nn.Sequential(WindowSum((2, 8)), nn.Flatten(), BinaryLinear(48, 4), BatchNorm(4), Sign())


def classes():
    return nn.Sequential(WindowSum("global"), nn.Flatten(), BinaryLinear(12, 3, weights="ternary"), BatchNorm(3))


def bce_of(bits, wanted):
    """Loss of labels by bits of -1 and +1, whose gradient is straight through."""
    return (bits - (wanted * 2 - 1)).square().mean()


def stepped(model, loss, steps=6):
    """`model` after a few steps of Adam, in evaluation mode."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(torch.from_numpy(FRAMES))).backward()
        optimizer.step()
        clip_latent(model)
    return model.eval()


def told(model):
    with torch.no_grad():
        return model(torch.from_numpy(FRAMES))


@pytest.fixture(scope="module")
def map_model():
    torch.manual_seed(1)
    return stepped(Graph([pixels()]), lambda x: functional.cross_entropy(x, torch.from_numpy(BRIGHT)), steps=12)


def several():
    torch.manual_seed(2)
    model = Graph([pixels(), labels(), classes()])

    def loss(results):
        maps, bits, logits = results
        wanted = torch.from_numpy(BRIGHT), torch.from_numpy(DARK), torch.arange(60) % 3
        return (
            functional.cross_entropy(maps, wanted[0])
            + bce_of(bits, wanted[1])
            + functional.cross_entropy(logits, wanted[2])
        )

    return stepped(model, loss)


def test_a_class_of_each_pixel(map_model):
    """The scores of each pixel, and behind a ClassMap its class."""
    model = map_model
    found = told(model).argmax(1).numpy()
    assert (found == BRIGHT).mean() > 0.6
    scores = bw.export(model, FRAMES)
    assert scores.gives == "integers" and scores.nodes[-1].edge.shape == (8, 8, 2)
    assert (bw.predict(scores, FRAMES).reshape(60, 8, 8, 2).argmax(-1) == found).all()
    whole = bw.export(nn.Sequential(model, ClassMap()), FRAMES)
    assert isinstance(whole.layers[-1], ChannelArgMax)
    assert (bw.predict(whole, FRAMES).reshape(60, 8, 8) == found).all()


def test_the_graph_is_the_modules(map_model):
    network = bw.export(map_model, FRAMES)
    taken = {node.name: node.takes for node in network.nodes}
    assert taken["max5"] == ("conv0",) and taken["add6"] == ("add4", "max5") and taken["conv2"] == taken["conv3"]
    (join,) = (node for node in network.nodes if isinstance(node.operator, Concat))
    (upsample,) = (layer for layer in network.layers if isinstance(layer, Upsample2d))
    assert join.takes == ("conv0", upsample.name) and join.operator.takes != ()


def test_several_results():
    model = several()
    network = bw.export(model, FRAMES, name="heads")
    maps, bits, logits = (result.numpy() for result in told(model))
    heads = network.heads
    assert [head.edge.shape for head in heads] == [(8, 8, 2), (4,), (3,)]
    results = golden.outputs(network, FRAMES)
    assert (heads[0].of(results).argmax(-1) == maps.argmax(1)).all()
    assert (heads[1].of(results) == bits).all() and len(np.unique(bits)) == 2
    assert (heads[2].of(results).argmax(-1) == logits.argmax(1)).all()


def test_labels_alone_are_bits():
    torch.manual_seed(3)
    model = stepped(Graph([labels()]), lambda bits: bce_of(bits, torch.from_numpy(DARK)))
    network = bw.export(model, FRAMES, labels=("a", "b", "c", "d"))
    assert network.gives == "bits"
    assert (bw.predict(network, FRAMES) * 2 - 1 == told(model).numpy()).all()


class Signals(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = SignalEncoder((64,), bits=5)
        self.first = nn.Sequential(BinaryConv1d(1, 4, 5, stride=2), BatchNorm(4), Sign())
        self.second = nn.Sequential(nn.MaxPool1d(2), BinaryConv1d(4, 4, 3, padding=1), BatchNorm(4), Sign())
        self.up = nn.Upsample(scale_factor=2)
        self.last = nn.Sequential(WindowSum(6), nn.Flatten(), BinaryLinear(40, 3))

    def forward(self, frames):
        first = self.first(self.encoder(frames))
        return self.last(torch.concat([first, self.up(self.second(first))], 1))


def test_signals_branch_and_join():
    torch.manual_seed(4)
    model = Signals()
    frames = FRAMES.reshape(60, 64)
    model.train()
    model(torch.from_numpy(frames))
    network = bw.export(model.eval(), frames)
    assert (bw.predict(network, frames) == model(torch.from_numpy(frames)).argmax(1).numpy()).all()
    assert [layer.factors for layer in network.layers if isinstance(layer, Upsample2d)] == [(1, 2)]


def test_linear_layers_branch_too():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = InputEncoder((64,), bits=5, thresholds=[10, 20])
            self.parts = nn.ModuleList(nn.Sequential(BinaryLinear(128, 8), BatchNorm(8), FewBits(2)) for _ in range(3))
            self.last = BinaryLinear(16, 3)

        def forward(self, frames):
            x = self.encoder(frames)
            one, two, three = (part(x) for part in self.parts)
            one += two
            return self.last(torch.cat((one, three), 1))

    torch.manual_seed(5)
    model = Flat()
    frames = FRAMES.reshape(60, 64)
    model.train()
    model(torch.from_numpy(frames))
    network = bw.export(model.eval(), frames)
    assert (bw.predict(network, frames) == model(torch.from_numpy(frames)).argmax(1).numpy()).all()


def test_a_pool_before_a_batch_norm_joins_where_nothing_is_inverted():
    class Pools(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = InputEncoder((8, 8), bits=5)
            self.one = nn.Sequential(BinaryConv2d(1, 4, 3), nn.MaxPool2d(2), BatchNorm(4), Sign())
            self.other = nn.Sequential(BinaryConv2d(1, 4, 3), BatchNorm(4), nn.MaxPool2d(2), Sign())
            self.norms = [self.one[2], self.other[1]]
            self.last = nn.Sequential(nn.Flatten(), BinaryLinear(36, 3))

        def forward(self, frames):
            x = self.encoder(frames)
            return self.last(self.one(x) + self.other(x))

    torch.manual_seed(6)
    model = Pools().eval()
    with torch.no_grad():
        model.norms[1].weight.fill_(-1)
    bw.export(model, FRAMES)
    with torch.no_grad():
        model.norms[0].weight[2] = -1
    with pytest.raises(ExportError, match="layer add2: cannot follow a pool before its batch norm"):
        bw.export(model, FRAMES)


class Calls(nn.Module):
    """`forward` is `call` of what an encoder and a convolution with a Sign give."""

    def __init__(self, call, **parts):
        super().__init__()
        self.encoder, self.conv, self.call = InputEncoder((8, 8), bits=5), conv(1, 4), call
        self.raw = BinaryConv2d(4, 2, 1)
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, frames):
        return self.call(self, self.conv(self.encoder(frames)))


def raw_and_sign(model, sums):
    return sums, model.sign(sums)


REFUSED = {
    "a constant": (Calls(lambda m, x: m.raw(x + 1)), "add: joins values of the model alone, not constants"),
    "rows": (Calls(lambda m, x: m.raw(torch.cat([x, x], 2))), "cat: only a concatenation along axis 1"),
    "another function": (Calls(lambda m, x: m.raw(torch.relu(x))), "relu: relu has no counterpart in a Network"),
    "sums of two takers": (
        Calls(lambda m, x: raw_and_sign(m, m.raw(x)), sign=Sign()),
        "raw: several take what it gives; put a Sign or FewBits behind raw first",
    ),
    "a dictionary": (Calls(lambda m, x: {"map": m.raw(x)}), "Calls: a model returns what a layer gives, or a tuple"),
    "one value twice": (Calls(lambda m, x: (x, x)), "Calls: a model returns each value once"),
    "bilinear": (
        Calls(lambda m, x: m.raw(m.up(x)), up=nn.Upsample(scale_factor=2, mode="bilinear")),
        'up: an nn.Upsample has a whole scale_factor and mode="nearest"',
    ),
    "half a pixel": (
        Calls(lambda m, x: m.raw(m.up(x)), up=nn.Upsample(scale_factor=1.5)),
        "up: an nn.Upsample has a whole scale_factor",
    ),
    "no flattening": (
        Calls(lambda m, x: m.last(x), last=BinaryLinear(8, 3)),
        "last: a BinaryLinear takes flat values; put an nn.Flatten between it and conv.2",
    ),
    "a signal's layer": (Calls(lambda m, x: m.last(x), last=BinaryConv1d(4, 3, 3)), "last: BinaryConv1d takes signals"),
    "images of two sizes": (
        Calls(lambda m, x: m.raw(x + m.pool(x)), pool=nn.MaxPool2d(2)),
        r"add: layer add2 adds values of shape \[8, 8, 4\], but max1 gives \[4, 4, 4\]",
    ),
    "a flattened sum": (
        Calls(lambda m, x: m.last(x.flatten(1) + x.flatten(1)), last=BinaryLinear(256, 3)),
        "add: a flattened image goes into a BinaryLinear",
    ),
    "a class map of frames": (
        Calls(lambda m, x: m.map(m.last(x.flatten(1))), last=BinaryLinear(256, 3), map=ClassMap()),
        "map: a ClassMap stands behind a last convolution or its batch norm",
    ),
    "a pooled result": (
        Calls(lambda m, x: m.pool(m.raw(x)), pool=nn.MaxPool2d(2)),
        "raw: nothing but a batch norm stands behind the last layer, or an activation",
    ),
    "a score's PReLU": (
        Calls(lambda m, x: m.act(m.raw(x)), act=nn.PReLU()),
        "raw: nothing but a batch norm stands behind the last layer, or an activation",
    ),
    "two functions": (
        Calls(lambda m, x: m.one(m.other(m.raw(x))), one=nn.PReLU(), other=nn.Hardtanh()),
        "one: one PReLU, RPReLU or Hardtanh for each layer",
    ),
    "slopes": (
        Calls(lambda m, x: m.sign(m.act(m.raw(x))), act=nn.PReLU(3), sign=Sign()),
        "raw: its PReLU has one slope, or one for each of its 2 outputs",
    ),
    "a batch norm of others": (
        Calls(lambda m, x: m.norm(m.raw(x)), norm=BatchNorm(3)),
        "raw: gives 2 values, and its batch norm takes 3",
    ),
    "channels": (
        Calls(lambda m, x: m.last(x), last=BinaryConv2d(5, 2, 1)),
        "last: takes images of 5 channels, and what comes before gives 8 x 8 x 4",
    ),
    "a kernel": (Calls(lambda m, x: m.last(x), last=BinaryConv2d(4, 2, 9)), "last: an image of 8 x 8 x 4 is too small"),
    "a class map, then more": (
        Calls(lambda m, x: m.sign(m.map(m.raw(x))), map=ClassMap(), sign=Sign()),
        "sign: nothing stands behind a ClassMap",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_network_cannot_be_is_refused_by_name(case):
    model, message = REFUSED[case]
    with pytest.raises(ExportError, match=message):
        bw.export(model.eval(), FRAMES)


def test_a_module_that_gives_other_values_than_its_network_is_refused():
    """A hook changes what a Sign gives, which no trace sees."""
    model = Calls(lambda m, x: x).eval()
    bw.export(model, FRAMES)
    model.conv[2].register_forward_hook(lambda module, given, result: -result)
    with pytest.raises(ExportError, match="frame 0: the module tells another value than its exact batch norms do"):
        bw.export(model, FRAMES)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["map", "several"])
def test_graphs_in_verilog(tmp_path, map_model, which):
    from tests.hw.test_accelerator import check

    model = nn.Sequential(map_model, ClassMap()) if which == "map" else several()
    network = bw.export(model, FRAMES)
    check(network, default_plan(network, cycles=2_000), tmp_path / "design", frames=4)
