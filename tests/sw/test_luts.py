"""Layers of lookup tables and group sums, against plain Python; their file; what each mistake is told."""

import numpy as np
import pytest

import bitwright as bw
from bitwright_core import golden
from bitwright_core.errors import NetworkError
from bitwright_core.network import GroupSum, Luts, load
from bitwright_core.plan import default_plan
from tests.sw.lut_networks import random_lut_network


def plainly(layer, bits):
    """What a layer gives for a frame's bits, one neuron at a time."""
    if isinstance(layer, GroupSum):
        found, left = [], list(bits)
        for size in layer.groups:
            found.append(sum(left[:size]))
            left = left[size:]
        return found
    if not isinstance(layer, Luts):
        return [
            int(sum(bit == weight for bit, weight in zip(bits, row, strict=True)) >= threshold)
            for row, (threshold,) in zip(layer.weights.tolist(), layer.output.values.tolist(), strict=True)
        ]
    found = []
    for wires, table in zip(layer.wires.tolist(), layer.tables.tolist(), strict=True):
        address = "".join(str(bits[wire]) for wire in reversed(wires))
        found.append(table[int(address, 2)])
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_golden_model_is_what_the_tables_say(seed, tmp_path):
    network = random_lut_network(seed, dense=seed % 2 == 1)
    frames = np.random.default_rng(seed).integers(0, 1 << network.input.bits, (9, network.input.size))
    thresholds = network.encoding.thresholds.tolist()
    expected = []
    for frame in frames.tolist():
        bits = [int(value >= level) for value in frame for level in thresholds]
        for layer in network.layers:
            bits = plainly(layer, bits)
        expected.append(bits)
    np.testing.assert_array_equal(golden.outputs(network, frames), expected)
    network.save(tmp_path / "n.safetensors")
    assert load(tmp_path / "n.safetensors") == network


def luts(**changes):
    given = {"name": "luts", "inputs": 4, "wires": [[0, 1], [2, 3]], "tables": [[0, 0, 0, 1], [0, 1, 1, 1]]}
    return Luts(**{**given, **changes})


def test_all_that_decides_what_it_computes_is_in_the_digest():
    def digest(layer):
        return b"".join(layer.digest_parts())

    others = luts(inputs=5), luts(wires=[[1, 0], [2, 3]]), luts(tables=[[0, 0, 0, 1], [0, 1, 1, 0]])
    assert len({digest(layer) for layer in (luts(), *others)}) == 4
    assert digest(luts()) == digest(luts(name="another"))
    assert b"".join(GroupSum(name="a", groups=(1, 2)).digest_parts()) != b"".join(
        GroupSum(name="a", groups=(2, 1)).digest_parts()
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wires": [[0, 4], [2, 3]]}, "layer luts: wires must lie in 0..3, not 0..4"),
        ({"wires": [0, 1]}, r"wires must have shape \(outputs, fan-in\), a fan-in of 1 to 6, not \(2,\)"),
        ({"wires": np.zeros((2, 7), int)}, "a fan-in of 1 to 6"),
        ({"tables": [[0, 1], [1, 0]]}, r"tables must have shape \(2, 4\) for 2 neurons of 2 inputs, not \(2, 2\)"),
        ({"tables": [[0, 0, 0, 2], [0, 1, 1, 1]]}, "tables must hold 0 and 1, not 2"),
        ({"wires": [[0.5, 1], [2, 3]]}, "layer luts, wires: values must be integers, not float64"),
        ({"inputs": 0}, "layer luts: inputs must lie in 1.."),
        ({"name": "Luts"}, "must be a lower-case identifier"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(NetworkError, match=message):
        luts(**changes)


@pytest.mark.parametrize("groups", [(), (0, 2), (1.5,)])
def test_groups_are_whole_numbers(groups):
    with pytest.raises(NetworkError, match="layer sums: groups must be"):
        GroupSum(name="sums", groups=groups)


def test_a_network_of_tables_alone_has_a_plan_without_layers():
    network = random_lut_network(2)
    assert not network.matrix_layers
    assert default_plan(network).layers == () == bw.size(network, target="xc7").layers
