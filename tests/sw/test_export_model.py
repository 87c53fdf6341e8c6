"""The exact export: every batch norm, every accumulator value, every layer."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core import golden
from bitwright_core.errors import ExportError
from bitwright_core.network import Dense, Scores, Thresholds
from bitwright_train.export import export_model
from bitwright_train.export_check import check_export
from bitwright_train.folding import fold_thresholds, norm_table, popcount_dots
from bitwright_train.layers import ExactBatchNorm, sign
from bitwright_train.model import BinaryNetwork, trace_model

EXTREMES = [0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-30, 1e-8, 1.0, -1.0, 1e8, -1e30, 3e33]


def norm_of(weight, bias, mean, variance):
    norm = ExactBatchNorm(len(weight))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(weight))
        norm.bias.copy_(torch.tensor(bias))
        norm.running_mean.copy_(torch.tensor(mean))
        norm.running_var.copy_(torch.tensor(variance))
    return norm.eval()


def model_of(hidden=(9, 6), classes=4, *, shape=(3, 4), thresholds=(3, 9), seed=0, final_norm=True):
    """A model with random latent weights and random batch norms, a third of them with negative scales."""
    model = BinaryNetwork(
        shape=shape, input_bits=4, thresholds=thresholds, hidden=hidden, classes=classes, final_norm=final_norm
    )
    generator = torch.Generator().manual_seed(seed)
    model.initialise(generator)
    with torch.no_grad():
        for layer in model.stages:
            if layer.norm is None:
                continue
            size = (layer.linear.outputs,)
            layer.norm.weight.copy_(torch.randn(size, generator=generator) + 0.4)
            layer.norm.bias.copy_(torch.randn(size, generator=generator))
            layer.norm.running_mean.copy_(3 * torch.randn(size, generator=generator))
            layer.norm.running_var.copy_(torch.rand(size, generator=generator) * layer.linear.inputs)
    return model.eval()


def frames_of(count, shape=(3, 4), seed=1):
    return np.random.default_rng(seed).integers(0, 16, (count, *shape)).astype(np.uint8)


def test_sign_of_zero_is_plus_one_and_the_gradient_stops_beyond_one():
    x = torch.tensor([-2.0, -1.0, -0.0, 0.0, 0.5, 3.0], requires_grad=True)
    y = sign(x)
    assert y.tolist() == [-1, -1, 1, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]


def test_evaluation_is_close_to_torchs_own_batch_norm():
    norm = norm_of([1.5, -0.3], [0.2, 0.1], [3.0, -2.0], [4.0, 0.5])
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(2)) * 5
    torch.testing.assert_close(norm(x), torch.nn.BatchNorm1d.forward(norm, x))


@settings(max_examples=150)
@given(
    data=st.data(),
    inputs=st.integers(1, 33),
    outputs=st.integers(1, 5),
)
def test_folded_bits_equal_torchs_at_every_popcount(data, inputs, outputs):
    """Ordinary and extreme scales, biases and means; also biases that put a value exactly on zero."""

    def draw(values):
        return data.draw(st.lists(values, min_size=outputs, max_size=outputs))

    moderate = st.floats(-40, 40, width=32) | st.integers(-33, 33).map(float)
    weight = draw(st.sampled_from(EXTREMES) | st.floats(-4, 4, width=32))
    norm = norm_of(weight, draw(moderate | st.sampled_from(EXTREMES)), draw(moderate), draw(st.floats(0, 50, width=32)))
    latent = np.random.default_rng(data.draw(st.integers(0, 999))).integers(0, 2, (outputs, inputs)).astype(np.uint8)
    weights, values = fold_thresholds(latent, norm_table(norm, popcount_dots(inputs), "layer x"), "layer x")
    assert values.min() >= 0
    assert values.max() <= inputs + 1
    # a bit vector for every popcount of every row: agree with the first p lanes of the model's row
    for row in range(outputs):
        for p in range(inputs + 1):
            lanes = np.where(np.arange(inputs) < p, latent[row], 1 - latent[row])
            accumulator = torch.tensor([[float(2 * p - inputs)]]).expand(1, outputs)
            with torch.no_grad():
                wanted = bool(norm(accumulator)[0, row] >= 0)
            assert (int((lanes == weights[row]).sum()) >= values[row, 0]) == wanted


@pytest.mark.parametrize(
    ("weight", "bias", "threshold", "turned"),
    [
        (0.0, 0.5, 0, False),  # always fires
        (0.0, 0.0, 0, False),  # 0 * x + 0 is +-0, which counts as +1
        (-0.0, -0.5, 5, False),  # never fires
        (1.0, 0.0, 2, False),  # fires from accumulator 0 on
        (-1.0, 0.0, 2, True),
        (1e-45, 0.0, 2, False),  # 1e-45 / sqrt(1 + eps) is still the least denormal
        (1e-45, -1e-3, 5, False),
        (1e30, -1e-3, 3, False),
    ],
)
def test_known_thresholds(weight, bias, threshold, turned):
    latent = np.array([[1, 0, 0, 1]], np.uint8)
    table = norm_table(norm_of([weight], [bias], [0.0], [1.0]), popcount_dots(4), "layer x")
    weights, values = fold_thresholds(latent, table, "layer x")
    assert values.tolist() == [[threshold]]
    assert np.array_equal(weights, 1 - latent if turned else latent)


def test_a_bit_that_changes_twice_is_refused():
    with pytest.raises(ExportError, match="layer x: the activation of output 1 is not monotonic"):
        fold_thresholds(np.ones((2, 2), np.uint8), np.float32([[1, 1], [1, -1], [1, 1]]), "layer x")


@pytest.mark.parametrize("final_norm", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_whole_models_agree_in_every_layer(seed, final_norm):
    model = model_of(seed=seed, final_norm=final_norm)
    network = export_model(model, name="mine", labels=("a", "b", "c", "d"))
    frames = frames_of(400)
    check = check_export(model, network, frames)
    assert (check.frames, check.accumulators, check.bits) == (400, 400 * (9 + 6 + 4), 400 * (24 + 9 + 6))
    assert np.array_equal(golden.classify(network, frames), trace_model(model, frames).classes)


def test_without_a_last_batch_norm_scores_are_popcounts():
    output = export_model(model_of(final_norm=False), name="mine").layers[-1].output
    assert isinstance(output, Scores)
    assert (output.scale.tolist(), output.offset.tolist()) == ([1] * 4, [0] * 4)


def test_no_hidden_layer_and_one_hidden_layer():
    for hidden in ((), (5,)):
        model = model_of(hidden=hidden)
        check_export(model, export_model(model, name="mine"), frames_of(50))


def test_more_than_256_classes():
    model = model_of(hidden=(20,), classes=300)
    network = export_model(model, name="wide")
    assert network.outputs == 300
    classes = golden.classify(network, frames_of(500))
    assert classes.max() > 255
    check_export(model, network, frames_of(500))


def test_wide_inputs_of_sixteen_bits():
    model = BinaryNetwork(shape=(7,), input_bits=16, thresholds=(300, 40000), hidden=(4,), classes=2)
    model.initialise(torch.Generator().manual_seed(1))
    frames = np.random.default_rng(0).integers(0, 1 << 16, (100, 7)).astype(np.uint16)
    check_export(model, export_model(model, name="wide"), frames)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("layer", [0, 2])
def test_weights_that_are_not_finite_name_their_layer(value, layer):
    model = model_of()
    with torch.no_grad():
        model.stages[layer].linear.weight[1, 2] = value
    with pytest.raises(ExportError, match=f"layer dense{layer}: weights hold NaN or infinities"):
        export_model(model, name="mine")


@pytest.mark.parametrize("which", ["weight", "bias", "running_mean", "running_var"])
def test_batch_norms_that_are_not_finite_name_layer_and_tensor(which):
    model = model_of()
    with torch.no_grad():
        getattr(model.stages[1].norm, which)[3] = float("nan")
    with pytest.raises(ExportError, match=f"layer dense1: batch norm {which} holds NaN or infinities"):
        export_model(model, name="mine")


def test_a_negative_variance_and_a_scale_beyond_float32():
    for which, value in (("running_var", -1.0), ("weight", 3e38)):
        model = model_of()
        with torch.no_grad():
            model.stages[0].norm.running_var.zero_()
            model.stages[0].norm.running_mean.zero_()
            getattr(model.stages[0].norm, which)[3] = value
        with pytest.raises(ExportError, match="layer dense0: the batch norm of output 3 gives NaN"):
            export_model(model, name="mine")


def changed(network, index, **changes):
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return dataclasses.replace(network, layers=tuple(layers))


def test_the_check_finds_every_kind_of_difference():
    model = model_of()
    network = export_model(model, name="mine")
    frames = frames_of(300)
    first: Dense = network.layers[0]
    weights = first.weights.copy()
    weights[4, 7] ^= 1
    with pytest.raises(ExportError, match=r"dense0: weight row 4 is neither the model's nor its complement"):
        check_export(model, changed(network, 0, weights=weights), frames)
    weights = first.weights.copy()
    weights[4] ^= 1
    with pytest.raises(ExportError, match=r"bit of frame \d+, layer dense0, neuron 4 is"):
        check_export(model, changed(network, 0, weights=weights), frames)
    values = network.layers[1].output.values.copy()
    values[2] = 0 if values[2] > 4 else 10
    with pytest.raises(ExportError, match=r"bit of frame \d+, layer dense1, neuron 2 is"):
        check_export(model, changed(network, 1, output=Thresholds(values=values)), frames)
    last = network.layers[2].output
    offset = last.offset.copy()
    loser = int(np.bincount(golden.classify(network, frames), minlength=4).argmin())
    offset[loser] += 1 << 30
    with pytest.raises(ExportError, match=r"class of frame \d+, layer dense2"):
        check_export(model, changed(network, 2, output=Scores(scale=last.scale, offset=offset)), frames)
    encoding = dataclasses.replace(network.encoding, thresholds=np.array([3, 10]))
    with pytest.raises(ExportError, match=r"encoded bit of frame \d+, layer encoder"):
        check_export(model, dataclasses.replace(network, encoding=encoding), frames)
    with pytest.raises(ExportError, match="the network has 3 layers, the model 2"):
        check_export(model_of(hidden=(9,)), network, frames)


def test_near_ties_that_rounded_scores_turn_are_counted():
    """400 classes whose slopes hardly differ: scores of 8 bits round some apart, and the check counts those frames."""
    model = model_of(hidden=(16,), classes=400, seed=3)
    norm = model.stages[-1].norm
    with torch.no_grad():
        norm.weight.copy_(1 + 1e-3 * torch.rand(400, generator=torch.Generator().manual_seed(1)))
        norm.bias.zero_()
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
    network, frames = export_model(model, name="ties", score_bits=8), frames_of(400)
    differing = int((golden.classify(network, frames) != trace_model(model, frames).classes).sum())
    check = check_export(model, network, frames, score_bits=8)
    assert check.near_ties == differing > 0
    with pytest.raises(ExportError, match="class of frame"):  # 24 bits have no room for such a difference
        check_export(model, network, frames, score_bits=24)
