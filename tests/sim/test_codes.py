"""Activations of several levels are compared themselves, not only through the sums of the layers behind them."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.derived import integers_a_frame
from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.network import BINARY, Dense, Input, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_core.numbers import TERNARY, unsigned_type
from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw.generator import generate
from bitwright_sim.verification import verify
from tests.sim.designs import copy_design


def unread_network() -> Network:
    """Six neurons of four levels each, of which the layer behind reads five: the weights of number 2 are 0."""
    rng = np.random.default_rng(1)
    levels = np.sort(rng.integers(3, 10, (6, 3)), axis=1)
    first = Dense(name="first", weights=rng.integers(0, 2, (6, 12)), output=Thresholds(values=levels))
    assert first.edge.number == unsigned_type(2)
    weights = rng.integers(-1, 2, (3, 6))
    weights[:, 2] = 0
    scores = Scores(scale=np.ones(3, int), offset=np.zeros(3, int))
    last = Dense(name="last", weights=weights, output=scores, takes=unsigned_type(2), weight_type=TERNARY)
    return Network(
        name="unread",
        input=Input(shape=(12,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(first, last),
    )


@pytest.fixture(scope="module")
def design(tmp_path_factory) -> Design:
    plan = Plan(layers=(LayerPlan(name="first", pe=4, simd=5), LayerPlan(name="last", pe=2, simd=3)))
    return generate(unread_network(), plan, tmp_path_factory.mktemp("codes") / "design")


@pytest.mark.parametrize("engine", ["sliced", pytest.param("verilator", marks=pytest.mark.slow)])
def test_a_wrong_level_is_found_even_where_no_sum_tells(design, engine):
    network = design.network
    assert integers_a_frame(network) == {"first": 6, "first codes": 6, "last": 3, "scores": 3, "class": 1}
    frames = np.random.default_rng(2).integers(0, 2, (100, 12))
    report = verify(design, network, frames, jobs=1, engine=engine)
    assert report.passed and report.compared["first codes"] == 600
    first = network.layers[0]
    levels = first.output.values.copy()
    levels[2, 2] += 1  # the middle one tells by the margins' sign, the last one does not
    other = replace(network, layers=(replace(first, output=Thresholds(values=levels)), network.layers[1]))
    found = verify(design, other, frames, jobs=1, engine=engine).first_mismatch
    assert found is not None and (found.layer, found.neuron) == ("first codes", 2)


def test_a_manifest_without_the_codes_is_refused(design, tmp_path):
    copy = copy_design(design, tmp_path / "copy")
    copy.manifest.codes.clear()
    with pytest.raises(DesignError, match=r"list of probes of codes .* generate the design again"):
        copy.check_derived()


def test_designs_of_bits_have_no_such_list(tmp_path):
    network = unread_network()
    layers = (replace(network.layers[0], output=Thresholds(values=np.full((6, 1), 6))),)
    network = replace(network, layers=layers)
    assert network.layers[0].edge.number == BINARY
    made = generate(network, Plan(layers=(LayerPlan(name="first", pe=4, simd=5),)), tmp_path / "design")
    assert made.manifest.code_probes == [] and b"codes" not in (made.folder / "manifest.json").read_bytes()
