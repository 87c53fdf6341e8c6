"""Plans: folds that are optimal, a file that comes back, and each message."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitwright_core.errors import PlanError
from bitwright_core.plan import Fold, LayerPlan, Plan, ceil_div, default_plan, folds, smallest_fold, with_folds

from .networks import random_network

NETWORK = random_network(1)  # 12 inputs, then 7, 5, 3 outputs


@settings(max_examples=150)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 1700))
def test_smallest_fold_has_the_fewest_lanes_of_all(inputs, outputs, cycles):
    chosen = smallest_fold(inputs, outputs, cycles)
    assert chosen.cycles <= cycles
    every = itertools.product(range(1, outputs + 1), range(1, inputs + 1))
    best = min(pe * simd for pe, simd in every if ceil_div(outputs, pe) * ceil_div(inputs, simd) <= cycles)
    assert chosen.lanes == best


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000))
def test_a_fold_covers_its_layer_and_no_fold_is_idle(inputs, outputs, pe, simd):
    pe, simd = min(pe, outputs), min(simd, inputs)
    fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    assert fold.neuron_folds * pe >= outputs > (fold.neuron_folds - 1) * pe
    assert fold.synapse_folds * simd >= inputs > (fold.synapse_folds - 1) * simd
    assert fold.cycles == fold.neuron_folds * fold.synapse_folds
    assert fold.lanes == pe * simd


@given(st.integers(1, 200))
def test_default_plan_keeps_to_its_cycles(cycles):
    plan = default_plan(NETWORK, cycles=cycles)
    assert all(fold.cycles <= cycles for fold in folds(NETWORK, plan))


def test_one_cycle_is_fully_parallel():
    assert [(f.pe, f.simd) for f in folds(NETWORK, default_plan(NETWORK, cycles=1))] == [
        (7, 12),
        (5, 7),
        (3, 5),
    ]


def test_the_default_keeps_the_largest_layer_near_1024_lanes():
    large = random_network(1, shape=(784,), levels=1, hidden=(256, 256), classes=10)
    lanes = [fold.lanes for fold in folds(large, default_plan(large))]
    assert max(lanes) <= 1100 and max(lanes) >= 900


@given(
    pairs=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), min_size=3, max_size=3),
    clock=st.floats(1, 2000),
    target=st.sampled_from(["generic", "xc7", "ecp5"]),
    encoding=st.sampled_from(["hardware", "host"]),
    scores=st.booleans(),
    data_bits=st.sampled_from([8, 16, 32, 64, 128, 256, 512, 1024]),
)
@settings(max_examples=40)
def test_the_file_comes_back(tmp_path_factory, *, pairs, clock, target, encoding, scores, data_bits):
    plan = Plan(
        layers=tuple(LayerPlan(name=f"layer{i}", pe=pe, simd=simd) for i, (pe, simd) in enumerate(pairs)),
        clock_mhz=clock,
        target=target,
        encoding=encoding,
        scores=scores,
        data_bits=data_bits,
    )
    file = tmp_path_factory.mktemp("plan") / "plan.toml"
    plan.save(file)
    assert Plan.load(file) == plan


def test_one_value_is_cut_to_small_layers():
    plan = with_folds(default_plan(NETWORK), NETWORK, pe=[6], simd=[8])
    assert [(layer.pe, layer.simd) for layer in plan.layers] == [(6, 8), (5, 7), (3, 5)]


def test_one_value_each():
    plan = with_folds(default_plan(NETWORK), NETWORK, pe=[7, 2, 1])
    assert [layer.pe for layer in plan.layers] == [7, 2, 1]
    assert [layer.simd for layer in plan.layers] == [layer.simd for layer in default_plan(NETWORK).layers]


PLAN = default_plan(NETWORK)


def layer(**changes):
    return LayerPlan(**{"name": "layer0", "pe": 1, "simd": 1, **changes})


MISTAKES = {
    "pe of none": (lambda: layer(pe=0), "layer layer0: pe and simd must be at least 1, not 0 and 1"),
    "simd of none": (lambda: layer(simd=-2), "layer layer0: pe and simd must be at least 1, not 1 and -2"),
    "data bits": (lambda: Plan(layers=(), data_bits=24), "data_bits must be one of 8, 16, 32"),
    "slow clock": (lambda: Plan(layers=(), clock_mhz=0.5), "clock_mhz must lie in 1..2000, not 0.5"),
    "NaN clock": (lambda: Plan(layers=(), clock_mhz=float("nan")), "clock_mhz must lie in 1..2000, not nan"),
    "no cycles": (lambda: default_plan(NETWORK, cycles=0), "a frame takes at least 1 cycle, not 0"),
    "other layers": (
        lambda: folds(NETWORK, Plan(layers=(layer(),))),
        "the plan is for layers layer0 but network random has layer0, layer1, layer2",
    ),
    "pe beyond one": (
        lambda: with_folds(PLAN, NETWORK, pe=[7, 6, 3]),
        "layer layer1: pe 6 is more than its 5 outputs",
    ),
    "simd beyond one": (
        lambda: with_folds(PLAN, NETWORK, simd=[12, 8, 5]),
        "layer layer1: simd 8 is more than its 7 inputs",
    ),
    "pe beyond all": (
        lambda: with_folds(PLAN, NETWORK, pe=[8]),
        "pe 8 is more than any layer has (7 at the most)",
    ),
    "count": (
        lambda: with_folds(PLAN, NETWORK, simd=[1, 2]),
        "2 values of simd for 3 layers; give one, or one each",
    ),
    "pe of 0 for all": (lambda: with_folds(PLAN, NETWORK, pe=[0]), "pe and simd must be at least 1, not 0"),
    "scores of bits": (
        lambda: Plan(layers=tuple(layer(name=f"layer{i}") for i in range(2)), scores=True).check(
            random_network(1, classes=None)
        ),
        "network random gives bits, so a plan for it cannot ask for scores",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(PlanError) as caught:
        make()
    assert message in str(caught.value)


FILES = {
    "not TOML": ("layers = [", "plan.toml: "),
    "no layers": ("clock_mhz = 100\n", "layers"),
    "wrong type": ('layers = []\nclock_mhz = "fast"\n', "clock_mhz"),
    "choice": ('layers = []\ntarget = "asic"\n', "target"),
    "unknown key": (
        "layers = []\nclok_mhz = 3\n",
        "unknown key clok_mhz (did you mean clock_mhz?); the keys are layers, clock_mhz",
    ),
    "unknown memory": (
        '[[layers]]\nname = "layer0"\npe = 1\nsimd = 1\nmemory = "bram"\n',
        "layers[0].memory must be one of auto, block, distributed, ultra, not 'bram'",
    ),
    "unknown encoding": (
        'layers = []\nencoding = "hardwar"\n',
        "encoding must be one of hardware, host, not 'hardwar' (did you mean hardware?)",
    ),
    "unknown layer key": (
        '[[layers]]\nname = "layer0"\npe = 1\nsimd = 1\nlanes = 4\n',
        "unknown key layers[0].lanes (did you mean planes?); the keys there are name, pe, simd, memory",
    ),
    "rule": (
        '[[layers]]\nname = "layer0"\npe = 0\nsimd = 1\n',
        "layer layer0: pe and simd must be at least 1",
    ),
    "layers is a number": ("layers = 3\n", "layers"),
    "bytes": ("\xff\xfe", "plan.toml: "),
}


@pytest.mark.parametrize("name", FILES)
def test_each_wrong_file_is_told(tmp_path, name):
    text, message = FILES[name]
    file = tmp_path / "plan.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(PlanError) as caught:
        Plan.load(file)
    assert str(file) in str(caught.value) and message in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(PlanError, match="no such plan"):
        Plan.load(tmp_path / "plan.toml")
