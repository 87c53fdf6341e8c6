"""Where networks of lookup tables begin: thresholds from the training frames, a decision tree as the first neurons."""

import dataclasses

import numpy as np
import pytest
import torch

from bitwright_core import golden
from bitwright_core.errors import TrainingError
from bitwright_core.network import GroupSum, Luts, ThresholdEncoding
from bitwright_data import load_dataset
from bitwright_train import TrainConfig, load_model, train
from bitwright_train.augment import Augmenter
from bitwright_train.config import parse_config
from bitwright_train.lut_config import LutConfig
from bitwright_train.lut_export import export_luts
from bitwright_train.lut_minimise import minimised
from bitwright_train.lut_prune import pruned
from bitwright_train.lut_trees import tree_neurons
from bitwright_train.model import BinaryNetwork
from bitwright_train.thresholds import placed
from bitwright_train.trees import Tree, comparison_luts

TREE = TrainConfig(
    name="tree",
    dataset="digits",
    input_bits=5,
    levels=6,
    luts=LutConfig(neurons=(60,), wiring="random", start="tree", placement="tree"),
    epochs=1,
    learning_rate=1e-6,
    validation_fraction=0.0,
)


def spread(frames=400, values=3, seed=5):
    """Frames of bytes, and classes that two of the values tell."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (frames, values)).astype(np.uint8)
    return x, (x[:, 0] >= 100).astype(np.int64) + 2 * ((x[:, 2] >= 37) & (x[:, 0] >= 100))


@pytest.mark.parametrize(("threshold", "luts"), [(128, 0), (64, 1), (192, 1), (4, 1), (2, 2), (37, 2), (255, 2)])
def test_a_comparison_reads_the_bits_from_its_lowest_one_on(threshold, luts):
    assert comparison_luts(threshold, 8) == luts


def test_a_tree_finds_what_tells_the_classes():
    x, y = spread()
    tree = Tree(x, y, classes=4, bits=8, thresholds=range(1, 256), depth=6)
    while tree.grow():
        pass
    assert len(tree.leaves) == 3 and sum(leaf.frames for leaf in tree.leaves) == len(x)
    for leaf in tree.leaves:
        inside = np.all([(x[:, value] >= t) == side for value, t, side in leaf.path], axis=0)
        assert (y[inside] == leaf.klass).all() and inside.sum() == leaf.frames


def test_a_path_reads_at_most_depth_comparisons():
    random = np.random.default_rng(2)
    x, y = random.integers(0, 256, (300, 4)), random.integers(0, 3, 300)
    tree = Tree(x, y, classes=3, bits=8, thresholds=range(1, 256), depth=3)
    while tree.grow():
        pass
    assert max(len({step[:2] for step in leaf.path}) for leaf in tree.leaves) == 3


def test_thresholds_of_a_tree_and_what_luts_cost():
    x, y = spread(frames=4000)
    arguments = {"classes": 4, "bits": 8, "levels": 2}
    free = placed("tree", x, y, **arguments, cost=0.0)
    cheap = placed("tree", x, y, **arguments, cost=0.02)
    assert free.tolist() == [37, 100]
    assert sum(comparison_luts(int(t), 8) for t in cheap) < sum(comparison_luts(int(t), 8) for t in free)
    with pytest.raises(TrainingError, match="gains nothing by more than 2 thresholds; set levels to that"):
        placed("tree", x, y, classes=4, bits=8, levels=9, cost=0.0)


def test_thresholds_by_information_alone():
    x, y = spread(frames=4000)
    first = placed("information", x, y, classes=4, bits=8, levels=1, cost=0.0)
    assert abs(int(first[0]) - 100) <= 1
    found = placed("information", x, y, classes=4, bits=8, levels=4, cost=0.0)
    assert (np.diff(found) > 0).all() and np.abs(found - 37).min() <= 1
    dear = placed("information", x, y, classes=4, bits=8, levels=4, cost=1.0)
    assert max(comparison_luts(int(t), 8) for t in dear) == 1 and 128 in dear


def test_quantiles_part_each_value_into_equal_shares():
    random = np.random.default_rng(3)
    x = np.stack([random.permutation(200) % 100, np.zeros(200, np.int64)], 1)
    found = placed("quantiles", x, np.zeros(200, np.int64), classes=1, bits=8, levels=3, cost=0.0)
    assert found.tolist() == [[26, 51, 76], [1, 1, 1]]  # a bit is 1 above the quantile, as DWN's


@pytest.mark.parametrize("group", [None, 4])
def test_neurons_of_a_tree_tell_what_the_tree_tells(group):
    x, y = spread(frames=300)
    y = y ^ (x[:, 1] >= 200)
    encoding = ThresholdEncoding(thresholds=np.array([40, 100, 160, 200]))
    found = tree_neurons(x, y, encoding, classes=4, bits=8, fan_in=3, neurons=16, group=group)
    assert len(found) == 16 and any(neuron is None for neuron in found)
    thresholds = [int(t) for t in encoding.thresholds]
    tree = Tree(x, y, classes=4, bits=8, thresholds=thresholds, depth=3)
    while tree.grow():
        pass
    bits = encoding.encode(x)
    fires = np.array(
        [
            np.zeros(len(x), int)
            if neuron is None
            else np.array(neuron.table)[sum(bits[:, lane].astype(int) << k for k, lane in enumerate(neuron.lanes))]
            for neuron in found
        ]
    )
    assert (fires.sum(0) == 1).all()  # a frame ends in one leaf
    if group is not None:
        told = fires.reshape(4, group, -1).sum(1).argmax(0)
        for leaf in tree.leaves:
            inside = np.all([(x[:, value] >= t) == side for value, t, side in leaf.path], axis=0)
            assert (told[inside] == leaf.klass).all()


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    out = tmp_path_factory.mktemp("grown")
    return train(TREE, out, threads=1), out


def test_a_tree_becomes_a_network(grown):
    report, out = grown
    luts, sums = report.network.layers
    assert isinstance(luts, Luts) and isinstance(sums, GroupSum)
    assert report.test_accuracy > 0.4 and report.check.frames == 364
    assert luts.tables.any(axis=1).all() and sums.groups == tuple(sums.groups) and sum(sums.groups) == luts.outputs
    assert luts.outputs < 60  # neurons that are never 1 are left out
    model = load_model(out)  # with the thresholds that the data gave
    assert export_luts(model, name="tree", labels=report.network.labels).digest == report.network.digest


@pytest.mark.slow
def test_wiring_that_is_learned_begins_at_the_tree(tmp_path):
    config = dataclasses.replace(TREE, luts=dataclasses.replace(TREE.luts, wiring="first", neurons=(60, 20)))
    report = train(config, tmp_path, threads=1)
    assert [layer.kind for layer in report.network.layers] == ["luts", "luts", "group_sum"]


def test_a_row_of_thresholds_for_each_value(tmp_path):
    luts = LutConfig(neurons=(100,), wiring="random", placement="quantiles")
    config = dataclasses.replace(TREE, levels=2, learning_rate=0.02, jitter=1, luts=luts)
    report = train(config, tmp_path, threads=1)
    assert report.network.encoding.thresholds.shape == (64, 2)
    again = export_luts(load_model(tmp_path), name="tree", labels=report.network.labels)
    assert again.digest == report.network.digest


def test_a_class_without_neurons_keeps_one(tmp_path):
    model = load_model_of_zeros()
    network = export_luts(model, name="zeros")
    assert network.layers[-1].groups == (1, 1) and network.layers[0].outputs == 2
    frames = np.zeros((3, 2), np.uint8)
    assert (golden.classify(network, frames) == 0).all()


def load_model_of_zeros():
    from bitwright_train.lut_model import LutNetwork

    model = LutNetwork(shape=(2,), input_bits=8, thresholds=(9,), luts=LutConfig(neurons=(6,)), classes=2)
    with torch.no_grad():
        model.stages[0].tables.fill_(-1.0)
    return model


def test_jitter_moves_values_and_stays_in_range():
    frames = torch.tensor([[0, 100, 31], [31, 5, 16]], dtype=torch.uint8).clamp_max(31)
    augmenter = Augmenter(frames, 0, jitter=(3, 31))
    generator = torch.Generator().manual_seed(1)
    seen = torch.stack([augmenter.batch(torch.tensor([0, 1]), generator) for _ in range(200)])
    assert seen.dtype == torch.uint8 and int(seen.max()) == 31 and int(seen.min()) == 0
    moved = seen[:, 1, 2].to(int) - 16
    assert sorted(set(moved.tolist())) == [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"thresholds": [3, 8], "luts": {"neurons": [20], "placement": "tree"}}, 'placement = "tree" finds thresholds'),
        ({"luts": {"neurons": [20], "threshold_cost": 0.1}}, "threshold_cost belongs to placement"),
    ],
)
def test_mistakes_are_named(more, message):
    with pytest.raises(TrainingError, match=message):
        parse_config({"name": "mine", "dataset": "digits", "input_bits": 5} | more, "mine.toml")


def test_models_say_what_training_clips():
    model = BinaryNetwork(shape=(4,), input_bits=8, thresholds=(9,), hidden=(3,), classes=2)
    assert [tuple(weight.shape) for weight in model.clipped] == [(3, 4), (2, 3)] and model.penalty() is None
    tables = load_model_of_zeros()
    assert [tuple(weight.shape) for weight in tables.clipped] == [(6, 64)] and tables.penalty() is None
    spectral = dataclasses.replace(tables.luts, spectral=0.5)
    tables.luts = spectral
    assert float(tables.penalty().detach()) == pytest.approx(0.5 * 8.0)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_minimised_tables_keep_what_is_seen(share):
    generator = torch.Generator().manual_seed(4)
    tables = torch.rand((40, 16), generator=generator) < 0.5
    seen = torch.rand((40, 16), generator=generator) < share
    found = minimised(tables, seen)
    assert (found[seen] == tables[seen]).all()

    def inputs(of):
        address = torch.arange(16)
        return sum(int((of != of[:, address ^ (1 << k)]).any(1).sum()) for k in range(4))

    assert inputs(found) <= inputs(tables)
    if share == 0.0:
        assert inputs(found) == 0
    if share == 1.0:
        assert (found == tables).all()


def test_a_table_gives_up_the_inputs_that_it_can():
    table = torch.tensor([[0, 1, 1, 0]], dtype=torch.bool)  # of two inputs, exclusive or
    seen = torch.tensor([[1, 1, 0, 0]], dtype=torch.bool)  # the second one is always 0
    assert minimised(table, seen).tolist() == [[False, True, False, True]]


@pytest.mark.slow
def test_a_minimised_network_gives_the_same_for_training_frames(tmp_path):
    luts = LutConfig(neurons=(30, 20), fan_in=4, wiring="random")
    config = dataclasses.replace(TREE, luts=luts, levels=2, epochs=2, learning_rate=0.02)
    plain = train(config, tmp_path / "plain", threads=1)
    small = train(
        dataclasses.replace(config, luts=dataclasses.replace(luts, minimise=True)), tmp_path / "small", threads=1
    )
    frames = load_dataset("digits").train_frames
    assert plain.network.digest != small.network.digest
    assert (golden.outputs(plain.network, frames) == golden.outputs(small.network, frames)).all()


def test_pruned_neurons_read_what_they_follow():
    generator = torch.Generator().manual_seed(6)
    lanes = torch.randint(0, 2, (12, 500), generator=generator).float()
    outputs = torch.stack([lanes[3], 1 - lanes[7], ((lanes[1] + lanes[2] + lanes[9]) >= 2).float()])
    first, second, third = pruned(lanes, outputs, 3)
    assert 3 in first.lanes and 7 in second.lanes and third.lanes == (1, 2, 9)
    assert third.table == (0, 0, 0, 1, 0, 1, 1, 1)
    for neuron, wanted in ((first, outputs[0]), (second, outputs[1])):
        address = sum(lanes[lane].long() << k for k, lane in enumerate(neuron.lanes))
        assert (torch.tensor(neuron.table)[address] == wanted).all()


@pytest.mark.slow
def test_tables_begin_with_a_dense_layer(tmp_path):
    dense = TrainConfig(
        name="dense", dataset="digits", input_bits=5, levels=2, hidden=(60,), epochs=2, validation_fraction=0.0
    )
    train(dense, tmp_path / "dense", threads=1)
    luts = LutConfig(neurons=(60,), wiring="random")
    config = dataclasses.replace(TREE, levels=2, luts=luts, start=str(tmp_path / "dense"))
    begun = train(config, tmp_path / "luts", threads=1).network
    source, frames = load_model(tmp_path / "dense"), torch.from_numpy(load_dataset("digits").train_frames.copy())
    with torch.no_grad():
        wanted = (source.stages[0](source.encode(frames)) >= 0).numpy()
    bits = {layer.name: layer.values for layer in golden.trace(begun, frames.numpy()).layers}["luts0"]
    assert bits.shape == wanted.shape and (bits == wanted).mean() > 0.7
    with pytest.raises(TrainingError, match="first layer has 60 neurons, this one's 50; make them alike"):
        train(dataclasses.replace(config, luts=LutConfig(neurons=(50,))), tmp_path / "other", threads=1)
