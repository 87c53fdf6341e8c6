"""Layers of lookup tables in training: gradients as their definition has them, whole runs, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch

from bitwright_core import golden
from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import Luts
from bitwright_train import TrainConfig, load_config, load_model, train
from bitwright_train.config import parse_config
from bitwright_train.lut_config import LutConfig
from bitwright_train.lut_export import check_luts, export_luts
from bitwright_train.lut_layers import LutLayer, differences
from bitwright_train.lut_model import LutNetwork, information

SMALL = TrainConfig(
    name="small",
    dataset="digits",
    input_bits=5,
    thresholds=(3, 8),
    luts=LutConfig(neurons=(120, 60), wiring="all", fan_in=4),
    epochs=3,
    batch_size=50,
    learning_rate=0.02,
    seed=3,
)


def layer_of(inputs=7, neurons=5, fan_in=3):
    generator = torch.Generator().manual_seed(2)
    layer = LutLayer(inputs, neurons, fan_in)
    layer.initialise(torch.arange(inputs), generator)
    return layer, generator


@pytest.mark.parametrize("fan_in", [1, 2, 6])
def test_slopes_are_the_weighted_differences_of_the_paper(fan_in):
    size = 1 << fan_in
    table = torch.randn(size, dtype=torch.float64)
    found = (table @ differences(fan_in).to(torch.float64)).reshape(fan_in, size)
    for k in range(fan_in):
        for a in range(size):
            wanted = 0.0
            for b in range(size):
                far = ((a ^ b) & ~(1 << k)).bit_count()
                weight = 0.5 * 0.75 ** (fan_in - 1) / 3**far
                wanted += float(table[b]) * (weight if b >> k & 1 else -weight)
            assert float(found[k, a]) == pytest.approx(wanted, abs=1e-6)


def test_a_layer_gives_what_the_operator_gives():
    layer, _ = layer_of()
    x = torch.randint(0, 2, (7, 40)).float()
    operator = Luts(
        name="luts", inputs=7, wires=layer.wires.numpy(), tables=(layer.tables >= 0).numpy().astype(np.uint8)
    )
    assert (layer(x).t().detach().numpy() == operator.compute(x.t().numpy().astype(np.uint8))).all()


def test_gradients_of_tables_wires_and_inputs():
    layer, generator = layer_of()
    lanes = torch.tensor([1, 2, 4, 6])
    layer.learn_wiring(lanes, None, generator)
    x = torch.randint(0, 2, (7, 9), generator=generator).float().requires_grad_()
    weight = torch.randn(5, 9, generator=generator)
    (layer(x) * weight).sum().backward()
    chosen = layer.chosen
    tables, scores, inputs = torch.zeros(5, 8), torch.zeros(15, 4), torch.zeros(7, 9)
    slopes = (layer.tables @ differences(3)).reshape(5, 3, 8).detach()
    for m in range(5):
        for n in range(9):
            bits = [int(x[chosen[m, k], n]) for k in range(3)]
            address = sum(bit << k for k, bit in enumerate(bits))
            tables[m, address] += weight[m, n]
            for k in range(3):
                slope = slopes[m, k, address] * weight[m, n]
                inputs[chosen[m, k], n] += slope
                scores[3 * m + k] += slope * (2 * x.detach()[lanes, n] - 1)
    torch.testing.assert_close(layer.tables.grad, tables)
    torch.testing.assert_close(layer.scores.grad, scores)
    torch.testing.assert_close(x.grad, inputs)
    layer.settle()
    assert layer.scores is None and (layer.wires == chosen).all()
    assert set(chosen.reshape(-1).tolist()) <= set(lanes.tolist())


def test_lanes_of_worth_are_drawn_more_often():
    layer, generator = layer_of(inputs=4, neurons=500)
    layer.learn_wiring(torch.arange(4), torch.tensor([4.0, 2.0, 1.0, 1.0]), generator)
    share = torch.bincount(layer.chosen.reshape(-1), minlength=4) / 1500
    torch.testing.assert_close(share, torch.tensor([0.5, 0.25, 0.125, 0.125]), atol=0.03, rtol=0)


def test_information_of_lanes_that_tell_all_half_and_nothing():
    labels = torch.tensor([0, 0, 1, 1]).repeat(100)
    encoded = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]).repeat(100, 1).float()
    found = information(encoded, labels, 2)
    half = 1 - 0.75 * (-(1 / 3) * np.log2(1 / 3) - (2 / 3) * np.log2(2 / 3))
    assert found.tolist() == pytest.approx([1.0, half, 0.0, 0.0], abs=1e-4)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("luts")
    return train(SMALL, out, threads=1), out


def test_a_run_learns_and_every_bit_is_proven(finished, tmp_path):
    report, _ = finished
    assert report.test_accuracy > 0.7
    assert report.check.frames == report.check.classes == 364
    assert report.check.bits == 364 * (128 + 120 + 60)
    assert [layer.kind for layer in report.network.layers] == ["luts", "luts", "group_sum"]


@pytest.mark.slow
def test_tables_learn_from_a_wide_network(finished, tmp_path):
    """Of floats, trained first; or another run's. Every bit is proven as without."""
    report = train(dataclasses.replace(SMALL, distill=0.5, teacher_epochs=2), tmp_path / "float", threads=1)
    assert report.test_accuracy > 0.7 and report.check.frames == 364
    assert (tmp_path / "float" / "teacher.safetensors").is_file()
    other = dataclasses.replace(SMALL, distill=0.5, teacher=str(finished[1]))
    learned = train(other, tmp_path / "tables", threads=1)
    assert learned.test_accuracy > 0.7 and learned.network.digest not in (
        report.network.digest,
        finished[0].network.digest,
    )


@pytest.mark.slow
def test_a_run_that_was_stopped_gives_the_same_network(finished, tmp_path):
    report, _ = finished

    class StoppedError(Exception):
        pass

    def stop(what, done, total):
        if what == "train" and done >= 2 * total // 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(SMALL, tmp_path, threads=1, checkpoint_seconds=0.0, progress=stop)
    assert not (tmp_path / "network.safetensors").exists()
    assert train(SMALL, tmp_path, threads=1).network.digest == report.network.digest


def test_the_model_file_gives_the_same_network(finished):
    report, out = finished
    model = load_model(out)
    assert isinstance(model, LutNetwork) and all(layer.scores is None for layer in model.stages)
    assert export_luts(model, name="small", labels=report.network.labels).digest == report.network.digest


def test_a_table_that_differs_is_found(finished):
    report, out = finished
    model = load_model(out)
    frames = np.random.default_rng(1).integers(0, 17, (200, 8, 8)).astype(np.uint8)
    bits = {layer.name: layer.values for layer in golden.trace(report.network, frames).layers}["luts1"]
    first = report.network.layers[1]
    tables = first.tables.copy()
    neuron = int(np.flatnonzero(bits.any(axis=0))[0])
    tables[neuron] = 0
    layers = (report.network.layers[0], dataclasses.replace(first, tables=tables), report.network.layers[2])
    with pytest.raises(ExportError, match=rf"bit of frame \d+, layer luts1, neuron {neuron} is 0, the model has 1"):
        check_luts(model, dataclasses.replace(report.network, layers=layers), frames)


def test_tables_that_diverged_are_refused(finished):
    model = load_model(finished[1])
    with torch.no_grad():
        model.stages[1].tables[3, 2] = float("nan")
    with pytest.raises(ExportError, match="layer luts1: tables hold NaN"):
        export_luts(model, name="small")


BASE = {"name": "mine", "dataset": "digits", "luts": {"neurons": [20]}}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"hidden": [8]}, "train alone"),
        ({"encoding": "integers"}, "take bits"),
        ({"loss": "squared_hinge"}, "cross_entropy"),
        ({"dropout": 0.1}, "no dropout"),
        ({"activations": 2}, "several bits"),
        ({"luts": {"neurons": []}}, "at least one layer"),
        ({"luts": {"neurons": [20], "fan_in": 7}}, "<= 6"),
        ({"luts": {"neurons": [20], "fanin": 6}}, r"luts\.fanin \(did you mean fan_in\?\)"),
    ],
)
def test_mistakes_are_named(more, message):
    with pytest.raises(TrainingError, match=message):
        parse_config(BASE | more, "mine.toml")


def test_classes_share_the_last_layer_equally(tmp_path):
    config = dataclasses.replace(SMALL, luts=LutConfig(neurons=(48,)))
    with pytest.raises(TrainingError, match="48 neurons, which 10 classes cannot share equally; take 40 or 50"):
        train(config, tmp_path)


def test_a_file_with_luts_needs_no_hidden(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndataset = "digits"\n[luts]\nneurons = [40]\n')
    assert load_config(path).luts == LutConfig(neurons=(40,))


@pytest.mark.parametrize(
    ("name", "neurons"), [("mnist-luts-600", 600), ("mnist-luts-2000", 1000), ("mnist-luts-3500", 1800)]
)
def test_configurations_that_ship(name, neurons):
    config = load_config(name)
    assert config.luts == LutConfig(neurons=(neurons,))
    assert (config.dataset, config.encoding_thresholds) == ("mnist", (64, 128, 192))
