"""Weights of a few bits, thresholds of several levels, and first layers on integers, loaded at run time."""

import random
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.errors import DesignError
from bitwright_core.loading import SCALE_BITS, score_widths, structure
from bitwright_core.network import (
    BINARY,
    Dense,
    Input,
    IntegerEncoding,
    MatrixLayer,
    Network,
    NumberType,
    Scores,
    Sums,
    ThresholdEncoding,
    Thresholds,
    Votes,
)
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type
from bitwright_core.plan import LayerPlan, Plan, fold_of, with_loadable, with_planes
from bitwright_hw.engine_loads import EngineLoads
from bitwright_hw.engine_numbers import accumulator_bits, preload_count, starts_loaded
from bitwright_hw.families import ECP5, GENERIC, XC7
from bitwright_hw.generator import generate
from bitwright_hw.load_image import load_of
from bitwright_hw.lower import lower
from bitwright_hw.row_pool import RowPool
from tests.corpus.newer import branches, class_map
from tests.hw.benches import require_icarus
from tests.hw.test_loads import run
from tests.sw.conv_networks import random_conv_network
from tests.sw.few_networks import random_few_thresholds, random_weights
from tests.sw.networks import random_frames

W2, W4, A2, A3, A4 = signed_type(2), signed_type(4), unsigned_type(2), signed_type(3), unsigned_type(4)


def few(seed: int, weights: NumberType, gives: NumberType, *, integers: bool = False, sizes=(6, 5)) -> Network:
    """Dense layers of `weights` whose activations are `gives`, then scores, on bits or integers of 8 bits."""
    rng = np.random.default_rng(seed)
    source = Input(shape=(7,), bits=8 if integers else 1)
    encoding = ThresholdEncoding(thresholds=np.array([1]))
    if integers:
        encoding = IntegerEncoding(table=np.arange(-128, 128))
    edge, layers = encoding.edge(source), []
    for number, outputs in enumerate(sizes):
        drawn = random_weights(rng, (outputs, edge.size), weights)
        output = random_few_thresholds(rng, edge.number, drawn, weights, gives)
        layer = Dense(name=f"layer{number}", weights=drawn, output=output, takes=edge.number, weight_type=weights)
        layers.append(layer)
        edge = layer.edge
    scores = Scores(scale=rng.integers(1, 99, 4), offset=rng.integers(-99, 99, 4))
    drawn = random_weights(rng, (4, edge.size), weights)
    layers.append(Dense(name="last", weights=drawn, output=scores, takes=edge.number, weight_type=weights))
    return Network(name=f"few{seed}", input=source, encoding=encoding, layers=tuple(layers))


def redrawn(network: Network, seed: int) -> Network:
    """A network of the same structure, whose weights, thresholds and scores are drawn anew."""
    rng = np.random.default_rng(seed)
    return replace(network, layers=tuple(_redrawn(rng, layer) for layer in network.layers))


def _redrawn(rng: np.random.Generator, layer: MatrixLayer) -> MatrixLayer:
    if layer.matrix is None:
        return layer
    weights, output = random_weights(rng, layer.weights.shape, layer.weight_type), layer.output
    if isinstance(output, Thresholds):
        bare = replace(layer, weights=weights, output=replace(output, values=np.zeros_like(output.values)))
        least, largest = bare.accumulator_range
        middle, spread = (least + largest) / 2, max(1.0, (largest - least) ** 0.5)
        values = np.rint(rng.normal(middle, spread, output.values.shape)).astype(np.int64)
        values = np.where(rng.random(values.shape) < 0.1, rng.choice([least, largest + 1], values.shape), values)
        output = replace(output, values=np.sort(np.clip(values, least, largest + 1), axis=1))
    elif isinstance(output, Votes):
        bare = replace(layer, weights=weights, output=replace(output, thresholds=output.thresholds * 0))
        least, largest = bare.accumulator_range
        votes = rng.integers(0, 1 << SCALE_BITS, layer.outputs)
        output = Votes(thresholds=rng.integers(least // 2, largest // 2 + 1, layer.outputs), votes=votes)
    elif isinstance(output, Sums):  # which give the same number type: rows of the same weights in another order
        weights = rng.permuted(layer.weights.reshape(layer.outputs, -1), axis=1).reshape(layer.weights.shape)
    else:
        most = (1 << SCALE_BITS) - 1
        output = Scores(scale=rng.integers(0, most + 1, layer.outputs), offset=rng.integers(-999, 999, layer.outputs))
    return replace(layer, weights=weights, output=output)


def planned(network: Network, seed: int, *, serial: bool = False, **options) -> Plan:
    """Any fold of every layer, all loadable."""
    dice = random.Random(seed)
    layers = tuple(
        LayerPlan(name=layer.name, pe=dice.randint(1, layer.outputs), simd=dice.randint(1, layer.inputs))
        for layer in network.matrix_layers
    )
    plan = Plan(layers=layers, scores=network.gives_scores, **options)
    return with_loadable(with_planes(plan, network, "serial") if serial else plan, network, "all")


TYPES = {
    "w1a2": (BINARY, A2, False),
    "w2a2": (W2, A2, False),
    "ternary": (TERNARY, TERNARY, False),
    "w4a4": (W4, A4, False),
    "wta1": (TERNARY, BINARY, False),
    "w1a3-on-integers": (BINARY, A3, True),
    "w4a2-on-integers": (W4, A2, True),
}


@pytest.mark.slow
@pytest.mark.parametrize("serial", [False, True], ids=["parallel", "serial"])
@pytest.mark.parametrize("name", TYPES)
def test_typed_networks_are_loaded(name, serial, tmp_path):
    """Every integer of the design's own network and of two others, with stalls."""
    seed = 2 * list(TYPES).index(name) + serial
    network = few(seed, *TYPES[name][:2], integers=TYPES[name][2])
    plan = planned(network, seed, serial=serial, target=("generic", "xc7", "ecp5")[seed % 3])
    design = generate(network, plan, tmp_path / "design")
    networks = [redrawn(network, seed + 1), network, redrawn(network, seed + 2)]
    reports = bw.verify_loads(design, networks, random_frames(network, 40), stalls=seed)
    assert [report.mismatches for report in reports] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_few_bit_convolutions_are_loaded(seed, tmp_path):
    """Padded with zeros and not, in groups and not, on bits and integers."""
    network = random_conv_network(
        seed,
        shape=(5, 4, 2),
        bits=4,
        integers=seed == 3,
        convs=2,
        channels=(2, 4),
        pools=False,
        dense=(5,),
        weight_types=((BINARY,), (TERNARY,), (W2,), (W4,))[seed],
        act_types=(A2, TERNARY),
        grouped=True,
    )
    plan = planned(network, seed, serial=seed == 2, target=("xc7", "generic", "ecp5")[seed % 3])
    plan = replace(
        plan,
        layers=tuple(
            replace(choice, pe=layer.outputs) if layer.groups > 1 else choice
            for choice, layer in zip(plan.layers, network.matrix_layers, strict=True)
        ),
    )
    design = generate(network, plan, tmp_path / "design")
    networks = [redrawn(network, seed + 10), redrawn(network, seed + 20)]
    reports = bw.verify_loads(design, networks, random_frames(network, 20), stalls=seed)
    assert [report.mismatches for report in reports] == [0, 0]


SUMS = {
    "votes": lambda: random_conv_network(
        3, shape=(5, 4, 1), bits=4, convs=1, channels=(4,), dense=(5,), classes=3, votes=True
    ),
    "few-bit-votes": lambda: random_conv_network(
        4, shape=(7, 1, 1), convs=0, dense=(5,), classes=3, votes=True, weight_types=(W2,), act_types=(A2,)
    ),
    "shortcut": lambda: branches(1),
    "class-map": lambda: class_map(1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SUMS)
def test_votes_and_sums_are_loaded(name, tmp_path):
    """Every integer of layers that vote, of sums that are added (zeros around them), and of the class of each pixel."""
    network = SUMS[name]()
    seed = list(SUMS).index(name)
    plan = planned(network, seed, target=("xc7", "generic", "ecp5")[seed % 3])
    design = generate(network, plan, tmp_path / "design")
    networks = [redrawn(network, seed + 10), redrawn(network, seed + 20)]
    reports = bw.verify_loads(design, networks, random_frames(network, 20), stalls=seed)
    assert [report.mismatches for report in reports] == [0, 0]


def test_sums_of_another_type_do_not_fit():
    """Their scales and number type are the structure's."""
    network = class_map(1)
    plan, end = planned(network, 1), network.layers[1]
    assert structure(network, plan) == structure(redrawn(network, 2), plan)

    def ended(layer):
        last = replace(network.layers[2], takes=layer.edge.number)
        return replace(network, layers=(network.layers[0], layer, last))

    scaled = replace(end, output=Sums(scale=end.output.scale + 1, offset=end.output.offset))
    assert structure(ended(scaled), plan) != structure(network, plan)
    none = replace(end, weights=np.zeros_like(end.weights))
    theirs, mine = none.edge.number, end.edge.number
    with pytest.raises(DesignError, match=rf"it gives {theirs} sums, but DIR was generated for {mine} ones"):
        load_of(ended(none), network, plan, "DIR")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["w1a3-on-integers", "w2a2", "ternary"])
def test_a_hundred_swaps_of_few_bits_under_traffic(name, tmp_path):
    network = few(3, *TYPES[name][:2], integers=TYPES[name][2], sizes=(5,))
    plan = planned(network, 5, serial=name == "ternary", target="xc7", data_bits=8)
    design = generate(network, plan, tmp_path / "design")
    report = run(design, [network, redrawn(network, 4), redrawn(network, 5)], tmp_path, only="swaps_under_traffic")
    assert report.facts["swaps"] == 100 and report.facts["told"] > 100


def test_few_bits_are_swapped_in_icarus(tmp_path):
    require_icarus()
    network = few(7, TERNARY, A2, sizes=(4,))
    design = generate(network, planned(network, 7, data_bits=8), tmp_path / "design")
    networks = [network, redrawn(network, 8)]
    report = run(design, networks, tmp_path, simulator="icarus", swaps=2, only="swaps_under_traffic")
    assert report.facts["swaps"] == 2 and report.facts["told"] > 2


def few_layers() -> list[MatrixLayer]:
    """Layers of every pair of types, with levels, bits and scores."""
    rng, found = np.random.default_rng(1), []
    for takes in (BINARY, TERNARY, A2, signed_type(8)):
        for weights in (BINARY, TERNARY, W2, W4):
            drawn = random_weights(rng, (5, 7), weights)
            outputs = [random_few_thresholds(rng, takes, drawn, weights, gives) for gives in (BINARY, A2, TERNARY)]
            outputs.append(Scores(scale=np.ones(5, np.int64), offset=np.zeros(5, np.int64)))
            found += [
                Dense(name="one", weights=drawn, output=output, takes=takes, weight_type=weights) for output in outputs
            ]
    return found


@pytest.mark.parametrize("planes", ["parallel", "serial"])
def test_sizes_do_not_depend_on_what_is_loaded(planes):
    """Widths and words are the same for the least and the largest weights and thresholds, and hold all of them."""
    for layer in few_layers():
        if planes == "serial" and layer.takes.bits * layer.weight_type.bits == 1:
            continue
        fold = fold_of(layer, 3, 2, planes, loadable=True)
        for family in (GENERIC, XC7, ECP5):
            loads = EngineLoads(layer=layer, fold=fold, family=family)
            row = RowPool().get(layer, fold, family, 1)[1]
            row._MustUse__used = True  # asked, not built
            assert loads.inverted == (row.inverted_weights, row.inverted_preload)
            for other in extremes(layer):
                assert [(each.width, each.depth) for each in loads.contents(other)] == [
                    (memory.width, memory.depth) for memory in loads.memories
                ]
                assert accumulator_bits(other, fold) == accumulator_bits(layer, fold)
                if not starts_loaded(layer, fold):  # then they are a constant, and the same for all
                    assert preload_count(other, fold, accumulator_bits(layer, fold)) == 1


def extremes(layer: MatrixLayer) -> list[MatrixLayer]:
    """`layer` with all weights the least, the largest and 0, and all thresholds the least or beyond the largest."""
    found = []
    for weight in {*layer.weight_type.stored, 0}:
        weights = np.full_like(layer.weights, weight)
        if isinstance(layer.output, Scores):
            found.append(replace(layer, weights=weights))
            continue
        bare = replace(layer, weights=weights, output=replace(layer.output, values=layer.output.values * 0))
        least, largest = bare.accumulator_range
        for level in (least, largest + 1):
            output = replace(layer.output, values=np.full_like(layer.output.values, level))
            found.append(replace(bare, output=output))
    return found


def test_structure_has_types_and_levels():
    network = few(1, W2, A2)
    plan = planned(network, 1)
    assert structure(network, plan) == structure(redrawn(network, 2), plan)
    assert structure(network, plan) != structure(few(1, W2, unsigned_type(3)), plan)
    for other in (few(1, TERNARY, A2), few(1, W2, TERNARY)):
        with pytest.raises(DesignError, match=r"has another structure than DIR \(in layer layer0\)"):
            load_of(other, network, plan, "DIR")


def test_scores_of_few_bits_hold_any_of_their_weights():
    """Five lanes of 4 bits with weights of -8 reach 600, times the largest scale; no score has over 62 bits."""
    layer = few(1, W4, A4).matrix_layers[-1]
    assert score_widths(layer).largest_offset == ((1 << SCALE_BITS) - 1) * 5 * 15 * 8
    wide = replace(
        layer,
        weights=np.full((4, 7), -128, np.int8),
        weight_type=signed_type(8),
        takes=signed_type(32),
        output=Scores(scale=np.full(4, 1 << 16), offset=np.zeros(4, np.int64)),
    )
    assert score_widths(wide).score_bits == 60
    assert (
        score_widths(replace(wide, output=Scores(scale=np.full(4, 1 << 19), offset=wide.output.offset))).score_bits
        == 62
    )


def test_what_a_loadable_layer_gives_is_not_a_constant_of_the_next():
    """A threshold of 0 makes a bit 1 for any frame, until another network is loaded."""
    rng = np.random.default_rng(1)
    first = Dense(
        name="first", weights=rng.integers(0, 2, (4, 7)), output=Thresholds(values=np.zeros((4, 1), np.int64))
    )
    scores = Scores(scale=np.ones(3, np.int64), offset=np.zeros(3, np.int64))
    last = Dense(name="last", weights=rng.integers(0, 2, (3, 4)), output=scores)
    source, encoding = Input(shape=(7,), bits=1), ThresholdEncoding(thresholds=np.array([1]))
    network = Network(name="constant", input=source, encoding=encoding, layers=(first, last))
    layers = (LayerPlan(name="first", pe=2, simd=3), LayerPlan(name="last", pe=3, simd=4, engine="hardwired"))
    fixed = Plan(layers=layers)
    loadable = replace(fixed, layers=(replace(layers[0], loadable=True), layers[1]))
    assert lower(network, fixed).layers[1].engine.known == (1,) * 4
    assert lower(network, loadable).layers[1].engine.known == (None,) * 4
