"""One layer as a network: what weights and thresholds may look like, and each message."""

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import DataError, NetworkError
from bitwright_core.layer import dense_layer, read_npy

WEIGHTS = np.array([[1, 0, 1], [0, 0, 1]])
THRESHOLDS = np.array([2, 3])


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.astype(bool), 2 * WEIGHTS - 1, 2.0 * WEIGHTS - 1, WEIGHTS * 1.0])
@pytest.mark.parametrize("thresholds", [THRESHOLDS, THRESHOLDS[:, None], THRESHOLDS.astype(np.uint8)])
def test_the_forms_of_weights_and_thresholds(weights, thresholds):
    network = dense_layer(3, 2, weights=weights, thresholds=thresholds)
    assert np.array_equal(network.layers[0].weights, WEIGHTS)
    assert network.layers[0].output.values.tolist() == [[2], [3]]
    assert network.name == "dense_3x2"
    frames = np.array([[1, 0, 1], [1, 1, 1]])
    assert golden.outputs(network, frames).tolist() == [[1, 0], [1, 0]]


def test_random_layers_follow_the_seed():
    assert dense_layer(50, 20, seed=3) == dense_layer(50, 20, seed=3)
    assert dense_layer(50, 20, seed=3) != dense_layer(50, 20, seed=4)


def test_random_layers_give_mixed_bits():
    bits = golden.outputs(dense_layer(100, 64), np.random.default_rng(0).integers(0, 2, (200, 100)))
    assert 0.35 < bits.mean() < 0.65


BIG = np.array([1 << 63, 1], np.uint64)
MISTAKES = {
    "no inputs": ({"inputs": 0}, "a layer needs at least 1 input and 1 output, not 0 and 2"),
    "one alone": ({"thresholds": None}, "weights and thresholds go together"),
    "shape": (
        {"weights": WEIGHTS.T},
        "weights have shape (3, 2); a layer of 2 outputs and 3 inputs takes (2, 3)",
    ),
    "strings": ({"weights": WEIGHTS.astype(str)}, "weights must be numbers (0/1, bool or -1/+1), not <U"),
    "zero among signs": ({"weights": WEIGHTS - np.eye(2, 3)}, "all 0 and 1, or all -1 and +1; found 0"),
    "two": ({"weights": WEIGHTS * 2}, "all 0 and 1, or all -1 and +1; found 2"),
    "NaN": ({"weights": WEIGHTS * np.nan}, "all 0 and 1, or all -1 and +1; found nan"),
    "thresholds' shape": (
        {"thresholds": np.array([1, 2, 3])},
        "thresholds have shape (3,); 2 outputs take (2,)",
    ),
    "float thresholds": ({"thresholds": THRESHOLDS * 1.5}, "thresholds must be integers, not float64"),
    "huge thresholds": ({"thresholds": BIG}, "thresholds must be at most the number of inputs plus 1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_told(name):
    changes, message = MISTAKES[name]
    given = {"inputs": 3, "outputs": 2, "weights": WEIGHTS, "thresholds": THRESHOLDS, **changes}
    with pytest.raises(DataError) as caught:
        dense_layer(given.pop("inputs"), given.pop("outputs"), **given)
    assert message in str(caught.value)


def test_a_threshold_out_of_range_is_the_networks_own_error():
    with pytest.raises(NetworkError, match=r"thresholds must lie in 0\.\.4"):
        dense_layer(3, 2, weights=WEIGHTS, thresholds=np.array([0, 5]))


def test_npy_files(tmp_path):
    file = tmp_path / "w.npy"
    np.save(file, WEIGHTS)
    assert np.array_equal(read_npy(file, "weights"), WEIGHTS)
    with pytest.raises(DataError, match="no such file of weights"):
        read_npy(tmp_path / "none.npy", "weights")
    whole = file.read_bytes()
    for length in (0, 5, 40, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"not a \.npy file of weights"):
            read_npy(file, "weights")


def test_pickles_are_refused(tmp_path):
    file = tmp_path / "w.npy"
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"not a \.npy file of weights .*allow_pickle"):
        read_npy(file, "weights")
