"""Training with weights and activations of a few bits: quantizers, configurations, the exact export of all types."""

import dataclasses

import numpy as np
import pytest
import torch

from bitwright_core import golden
from bitwright_core.errors import ExportError, TrainingError
from bitwright_core.network import load
from bitwright_core.numbers import BINARY, TERNARY, signed_type, unsigned_type
from bitwright_train.config import ConvConfig, config_names, load_config, parse_config
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.model import BinaryNetwork, trace_model
from bitwright_train.model_file import build_model, load_model
from bitwright_train.quantizers import ACTIVATIONS, activation_of, quantized, weight_type
from bitwright_train.run import train

pytestmark = pytest.mark.usefixtures("one_thread")

BITS = (1, 2, 3, 4, "ternary")
CONVS = (ConvConfig(outputs=5, padding=1, pool=2), ConvConfig(outputs=4, kernel=2))


def random_model(seed, *, convs=(), hidden=(9, 7), integers=False, final_norm=True, multi_label=False):
    """A model of random bits in every layer, random latent weights and batch norms, of negative scales too."""
    rng = np.random.default_rng(seed)
    count = len(convs) + len(hidden)
    model = BinaryNetwork(
        shape=(6, 5, 1) if convs else (3, 4),
        input_bits=4,
        thresholds=() if integers else (3, 9),
        table=tuple(range(-8, 8)) if integers else (),
        convs=convs,
        hidden=hidden,
        classes=4,
        final_norm=final_norm,
        multi_label=multi_label,
        weights=tuple(weight_type(BITS[k]) for k in rng.integers(len(BITS), size=count + 1)),
        activations=tuple(activation_of(ACTIVATIONS[k]) for k in rng.integers(len(ACTIVATIONS), size=count)),
    )
    generator = torch.Generator().manual_seed(seed)
    model.initialise(generator)
    with torch.no_grad():
        for stage in model.stages:
            if stage.norm is None:
                continue
            size = (stage.linear.outputs,)
            spread = 3 * stage.linear.inputs**0.5
            stage.norm.weight.copy_(torch.randn(size, generator=generator) + 0.4)
            stage.norm.bias.copy_(torch.randn(size, generator=generator))
            stage.norm.running_mean.copy_(spread / 3 * torch.randn(size, generator=generator))
            stage.norm.running_var.copy_((spread * torch.rand(size, generator=generator)) ** 2)
    return model.eval()


@pytest.mark.parametrize("seed", range(10))
def test_whole_models_of_random_bits_agree_in_every_layer(seed):
    convs = CONVS if seed % 2 else ()
    options = {"integers": seed % 3 == 0, "final_norm": seed % 4 > 0, "multi_label": seed == 8}
    model = random_model(seed, convs=convs, **options)
    network = export_model(model, name="mine")
    frames = np.random.default_rng(seed).integers(0, 16, (150, *model.shape)).astype(np.uint8)
    check = check_export(model, network, frames)
    assert check.frames == 150 and check.bits > 150 * 16
    types = [layer.weight_type for layer in network.matrix_layers]
    assert types == list(model.weight_types)
    assert [layer.edge.number for layer in network.matrix_layers[:-1]] == [of.number for of in model.activations]
    if not options["multi_label"]:
        assert check.near_ties or np.array_equal(golden.classify(network, frames), trace_model(model, frames).classes)


def test_the_random_models_negate_rows():
    """Rows that fall as their sum grows, of weights of several bits."""
    model = random_model(1, convs=CONVS)
    network = export_model(model, name="mine")
    few = [k for k, number in enumerate(model.weight_types) if not number.xnor]
    turned = 0
    for k in few:
        own = quantized(model.stages[k].linear.weight, model.weight_types[k]).detach().numpy()
        own = own.transpose(0, 2, 3, 1) if own.ndim == 4 else own
        turned += int((network.matrix_layers[k].weights != own).reshape(len(own), -1).any(axis=1).sum())
    assert turned > 0


def test_a_changed_network_is_found_out():
    model = random_model(3, convs=CONVS)
    network = export_model(model, name="mine")
    first = next(k for k, layer in enumerate(network.layers) if layer.matrix is not None and layer.output.levels > 1)
    layer = network.layers[first]
    values = np.sort(np.clip(layer.output.values - 1, *layer.accumulator_range), axis=1)
    output = dataclasses.replace(layer.output, values=values)
    layers = (*network.layers[:first], dataclasses.replace(layer, output=output), *network.layers[first + 1 :])
    frames = np.random.default_rng(0).integers(0, 16, (200, *model.shape)).astype(np.uint8)
    with pytest.raises(ExportError, match="the exported network differs from the model: bit of frame"):
        check_export(model, dataclasses.replace(network, layers=layers), frames)


@pytest.mark.parametrize("bits", BITS)
def test_what_weights_become(bits):
    number = weight_type(bits)
    latent = torch.linspace(-1, 1, 41)
    values = quantized(latent, number)
    expected = {1: BINARY, "ternary": TERNARY}.get(bits) or signed_type(bits)
    assert number == expected and values.max() == number.largest and values.min() == -number.largest
    assert torch.all(values[1:] >= values[:-1]) and torch.equal(values, values.round())
    latent.requires_grad_()
    quantized(latent, number).sum().backward()
    assert latent.grad.tolist() == [1] * 41
    assert quantized(torch.zeros(3), TERNARY).tolist() == [0, 0, 0]


def test_what_activations_become():
    x = torch.tensor([-0.7, -0.5, -0.4, 0.5, 3.0], requires_grad=True)
    ternary = activation_of("ternary")
    assert ternary.apply(x).tolist() == [-1, 0, 0, 1, 1]
    ternary.apply(x).sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1, 0]
    two = activation_of(2)
    assert two.levels == (0.25, 0.75, 1.25) and two.number == unsigned_type(2)
    assert two.apply(torch.tensor([-1.0, 0.24, 0.25, 0.75, 1.25, 9.0])).tolist() == [0, 0, 1, 2, 3, 3]
    assert [activation_of(bits).number.largest for bits in (3, 4)] == [7, 15]
    signed = activation_of("signed2")
    assert signed.levels == (-1.5, -0.5, 0.5) and signed.number == signed_type(2)
    assert signed.apply(torch.tensor([-9.0, -1.5, -0.6, -0.5, 0.4, 0.5, 9.0])).tolist() == [-2, -1, -1, 0, 0, 1, 1]
    assert [activation_of(bits).base for bits in ("signed3", "signed4")] == [-4, -8]
    with pytest.raises(TrainingError, match=r"activations have 1 to 4 bits, or are ternary, signed2, .* not 'signed5'"):
        activation_of("signed5")
    with pytest.raises(TrainingError, match="weights have 1 to 4 bits, or are ternary, not 5"):
        weight_type(5)


@pytest.mark.parametrize(("weights", "activations"), list(zip((*BITS, 2, 4, "ternary"), ACTIVATIONS, strict=True)))
def test_every_type_trains_a_few_steps_and_exports(weights, activations):
    convs = [{"outputs": 4, "padding": 1, "pool": 2}]
    values = {"name": "x", "dataset": "digits", "hidden": [5], "convs": convs, "input_bits": 4, "encoding": "integers"}
    model = build_model(parse_config({**values, "weights": weights, "activations": activations}, "c"), (6, 6), 3)
    model.initialise(torch.Generator().manual_seed(1))
    rng = np.random.default_rng(1)
    frames, labels = rng.integers(0, 16, (24, 6, 6), dtype=np.uint8), torch.arange(24) % 3
    before = [weight.clone() for weight in model.clipped]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(model.encode(torch.from_numpy(frames))), labels).backward()
        optimizer.step()
    assert all((old != new).any() for old, new in zip(before, model.clipped, strict=True))
    model.eval()
    network = export_model(model, name="x")
    assert check_export(model, network, frames).frames == 24
    assert {layer.weight_type for layer in network.matrix_layers} == {weight_type(weights)}
    assert {layer.edge.number for layer in network.matrix_layers[:-1]} == {activation_of(activations).number}


SMALL = {"name": "x", "dataset": "digits", "hidden": [4, 4]}
WRONG = {
    "too many bits": ({"weights": 5}, "weights"),
    "no such type": (
        {"activations": "quaternary"},
        "activations must be one of signed2, signed3, signed4, ternary, not 'quaternary'",
    ),
    "too few entries": ({"weights": [1, 2]}, "weights has 2 entries, but 3 layers have weights; give one for each"),
    "an entry for the last": ({"activations": [2, 2, 2]}, "activations has 3 entries, but 2 layers have activations"),
    "a pool first": (
        {"convs": [{"outputs": 3, "pool": 2, "pool_first": True}], "activations": 2},
        "a pool before the batch norm needs activations of 1 bit",
    ),
    "padding": (
        {"convs": [{"outputs": 3}, {"outputs": 3, "padding": 1, "padding_value": "plus_one"}], "activations": 2},
        "activations of several bits are padded with zero alone, not plus_one",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_configurations_that_are_wrong(case):
    extra, message = WRONG[case]
    with pytest.raises(TrainingError) as caught:
        parse_config({**SMALL, **extra}, "c")
    assert message in str(caught.value)


def test_bits_a_layer():
    config = parse_config({**SMALL, "weights": [1, "ternary", 4], "activations": 2}, "c")
    assert config.weight_bits == (1, "ternary", 4) and config.activation_bits == (2, 2)
    assert parse_config(SMALL, "c").weight_bits == (1, 1, 1)


@pytest.mark.parametrize("name", ["sfc-w1a2", "lfc-w1a2"])
def test_the_configurations_that_ship(name):
    assert name in config_names()
    config, twin = load_config(name), load_config(name.removesuffix("-w1a2"))
    assert (config.weights, config.activations) == (1, 2)
    assert (config.hidden, config.thresholds, config.dataset) == (twin.hidden, twin.thresholds, twin.dataset)


def test_a_run_from_data_to_proof(tmp_path):
    """Two passes over the embedded digits; the float model that is kept gives the same network."""
    values = {
        "name": "few",
        "dataset": "digits",
        "hidden": [24],
        "input_bits": 5,
        "thresholds": [4, 11],
        "weights": ["ternary", 3],
        "activations": 2,
        "epochs": 2,
        "batch_size": 50,
        "learning_rate": 0.01,
    }
    report = train(parse_config(values, "c"), tmp_path / "whole")
    network = load(report.files.network)
    assert network == report.network and report.test_accuracy > 0.5
    assert [layer.weight_type for layer in network.layers] == [TERNARY, signed_type(3)]
    model = load_model(tmp_path / "whole")
    assert model.weight_types == (TERNARY, signed_type(3))
    assert export_model(model, name="few", labels=network.labels).digest == network.digest
