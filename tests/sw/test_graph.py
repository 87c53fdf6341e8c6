"""Networks that branch: order, types, golden model, file and digest, with toy operators that are known here alone."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from bitwright.api import export_onnx
from bitwright.cli import main
from bitwright_core import golden, ops
from bitwright_core.checks import check_name
from bitwright_core.edge import Edge
from bitwright_core.errors import NetworkError, PlanError
from bitwright_core.network import (
    ENCODED,
    Dense,
    Input,
    MaxPool2d,
    Network,
    NumberType,
    Scores,
    ThresholdEncoding,
    Thresholds,
    load,
)
from bitwright_core.ops.operator import Facts, Weightless
from bitwright_core.plan import LayerPlan, Plan, default_plan

from .networks import random_frames

TWO_BITS = NumberType(kind="unsigned", bits=2)


class _DifferenceFacts(Facts, tag="difference"):
    def build(self, tensors):
        return Difference(name=self.name)


@dataclass(frozen=True, kw_only=True)
class Difference(Weightless):
    """a - b of unsigned integers of the same shape and width: signed, a bit wider."""

    kind = "difference"
    input_names = ("a", "b")
    facts_type = _DifferenceFacts

    name: str

    def __post_init__(self):
        check_name(self.name, "layer name")

    @property
    def size_text(self):
        return "diff"

    def infer(self, given):
        a, b = given
        if a.edge != b.edge:
            raise NetworkError(f"layer {self.name} takes two values alike, but {a.giver} and {b.giver} give others")
        return Edge(shape=a.edge.shape, number=NumberType(kind="signed", bits=a.edge.number.bits + 1))

    def compute(self, *given):
        return given[0].astype(np.int64) - given[1]

    def facts(self):
        return _DifferenceFacts(name=self.name)

    def digest_parts(self):
        yield b"difference"


def dense(name, seed, inputs, outputs, *, levels=1, takes=None):
    rng = np.random.default_rng(seed)
    options = {} if takes is None else {"takes": takes}
    least, most = (0, inputs) if takes is None else (-inputs, inputs)
    return Dense(
        name=name,
        weights=rng.integers(0, 2, (outputs, inputs), dtype=np.uint8),
        output=Thresholds(values=np.sort(rng.integers(least, most, (outputs, levels)), axis=1)),
        **options,
    )


LEFT = dense("left", 1, 8, 5, levels=3)
RIGHT = dense("right", 2, 8, 5, levels=3)
JOIN = Difference(name="join")
LAST = dense("last", 3, 5, 4, takes=NumberType(kind="signed", bits=3))
TAKES = ((ENCODED,), (ENCODED,), ("left", "right"), ("join",))


def branched(layers=(LEFT, RIGHT, JOIN, LAST), takes=TAKES, **changes):
    parts = {
        "name": "branched",
        "input": Input(shape=(4,), bits=4),
        "encoding": ThresholdEncoding(thresholds=np.array([5, 9])),
        "layers": layers,
        "takes": takes,
    }
    return Network(**{**parts, **changes})


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(ops, "OPERATORS", (*ops.OPERATORS, Difference))


def test_the_golden_model_walks_the_graph():
    network = branched()
    frames = random_frames(network, 50)
    lanes = golden.encode(network, frames)
    left, right = ((LEFT.accumulators(lanes)[:, :, None] >= LEFT.output.values).sum(axis=2), RIGHT.compute(lanes))
    dots = (left - right.astype(int)) @ (2 * LAST.weights.astype(int) - 1).T
    expected = (dots >= LAST.output.values[:, 0]).astype(int)
    assert np.array_equal(golden.outputs(network, frames), expected)
    assert 0 < expected.sum() < expected.size
    traced = golden.trace(network, frames)
    assert [layer.name for layer in traced.layers] == ["left", "right", "join", "last"]
    assert np.array_equal(traced.layers[2].values, left - right) and traced.layers[2].accumulators is None
    assert np.array_equal(traced.layers[3].accumulators, dots)


def test_types_are_inferred_along_the_graph():
    network = branched()
    assert [node.takes for node in network.nodes] == list(TAKES) and not network.is_chain
    join = network.nodes[2]
    assert join.edge == Edge(shape=(5,), number=NumberType(kind="signed", bits=3))
    assert (join.inputs, join.outputs, join.pixels) == (10, 5, 1)
    assert [value.edge.number for value in join.given] == [TWO_BITS, TWO_BITS]
    assert network.outputs == 4 and network.last is LAST and network.matrix_layers == (LEFT, RIGHT, LAST)
    assert repr(network).startswith("<Network branched: 8-5a2-5a2-diff-4 (a graph), digest ")


def test_layers_are_put_in_order():
    given = branched(layers=(LAST, JOIN, RIGHT, LEFT), takes=(("join",), ("left", "right"), (ENCODED,), (ENCODED,)))
    assert given.layers == (RIGHT, LEFT, JOIN, LAST)
    frames = random_frames(given, 9)
    assert np.array_equal(golden.outputs(given, frames), golden.outputs(branched(), frames))


def test_a_chain_needs_no_names():
    chain = Network(
        name="chain",
        input=Input(shape=(4,), bits=4),
        encoding=ThresholdEncoding(thresholds=np.array([5, 9])),
        layers=(dense("one", 1, 8, 5), dense("two", 2, 5, 3)),
    )
    named = replace(chain, layers=chain.layers[::-1], takes=(("one",), (ENCODED,)))
    assert named.takes == () and named.is_chain and named == chain and named.layers == chain.layers
    assert [node.takes for node in named.nodes] == [(ENCODED,), ("one",)]
    assert replace(chain, layers=(chain.layers[0],)).is_chain


def test_file_and_digest(tmp_path, known):
    network = branched()
    network.save(tmp_path / "n")
    again = load(tmp_path / "n")
    assert again == network and again.takes == TAKES and again.layers[2] == JOIN
    frames = random_frames(network, 9)
    assert np.array_equal(golden.outputs(again, frames), golden.outputs(network, frames))
    assert network.format_version == 3
    swapped = branched(takes=(*TAKES[:2], ("right", "left"), TAKES[3]))
    renamed = branched(
        layers=(replace(LEFT, name="port"), RIGHT, JOIN, LAST), takes=(*TAKES[:2], ("port", "right"), TAKES[3])
    )
    assert swapped.digest != network.digest and renamed.digest == network.digest
    raw = (tmp_path / "n").read_bytes()
    (tmp_path / "old").write_bytes(raw.replace(b'\\"version\\":3', b'\\"version\\":2'))
    with pytest.raises(NetworkError, match=r"what only format 3 has: .* or branches"):
        load(tmp_path / "old")


def test_info_says_who_takes_what(tmp_path, known, capsys):
    branched().save(tmp_path / "n")
    assert main(["info", str(tmp_path / "n")]) == 0
    shown = capsys.readouterr().out
    assert "takes" in shown and "left, right" in shown and "signed 3-bit" in shown
    assert main(["info", str(tmp_path / "n"), "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [layer["takes"] for layer in layers] == [list(names) for names in TAKES]
    assert [layer["kind"] for layer in layers] == ["dense", "dense", "difference", "dense"]


def test_a_kind_that_nobody_knows_is_refused(tmp_path):
    branched().save(tmp_path / "n")
    with pytest.raises(NetworkError, match=r"damaged header .*'difference'"):
        load(tmp_path / "n")


def _scores():
    return replace(LEFT, output=Scores(scale=np.ones(5, np.int64), offset=np.zeros(5, np.int64)))


MISTAKES = {
    "a name twice": (
        lambda: branched(layers=(LEFT, LEFT, JOIN, LAST)),
        "two layers are named 'left'; names must differ",
    ),
    "an entry for each layer": (lambda: branched(takes=TAKES[:3]), "takes has an entry for each layer, so 4, not 3"),
    "two inputs": (
        lambda: branched(takes=(*TAKES[:2], ("left",), TAKES[3])),
        "layer join takes 2 values (a, b), not 1",
    ),
    "nobody's value": (
        lambda: branched(takes=(*TAKES[:2], ("left", "up"), TAKES[3])),
        "layer join takes 'up', which no layer gives",
    ),
    "an unused value": (
        lambda: branched(takes=(*TAKES[:2], ("left", "left"), TAKES[3])),
        "no layer takes what layers right and last give; of all values only the result is left over, and a concat "
        "brings several outputs together",
    ),
    "no input": (
        lambda: branched(takes=(("last",), ("last",), *TAKES[2:])),
        "no layer takes the encoded input",
    ),
    "a circle": (
        lambda: branched(takes=(("last",), *TAKES[1:])),
        "layers take each other's values in a circle, among left, join, last",
    ),
    "shapes": (
        lambda: branched(layers=(dense("left", 1, 8, 6, levels=3), RIGHT, JOIN, LAST)),
        "layer join takes two values alike, but layer left and layer right give others",
    ),
    "types": (
        lambda: branched(layers=(LEFT, RIGHT, JOIN, dense("last", 3, 5, 4, takes=TWO_BITS))),
        "layer last takes unsigned 2-bit values but layer join gives signed 3-bit",
    ),
    "scores inside": (
        lambda: branched(layers=(_scores(), RIGHT, JOIN, LAST)),
        "layer left gives scores but is not the last layer",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_told(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(NetworkError) as caught:
        make()
    assert str(caught.value) == message


def _alone():
    """An operator of one input that no hardware is made for."""

    class Copy(Difference):
        kind = "copy"
        input_names = ("x",)

        def infer(self, given):
            return given[0].edge

    return branched(layers=(dense("one", 1, 8, 5), Copy(name="same")), takes=())


REFUSED = {
    "a kind": (_alone, "layer same is of kind copy, for which no hardware is made"),
}


def test_what_has_no_handler_is_not_exported(tmp_path):
    with pytest.raises(NetworkError, match=r"^layer same is of kind copy, which is not exported to ONNX$"):
        export_onnx(_alone(), tmp_path / "n.onnx")


@pytest.mark.parametrize("case", REFUSED)
def test_hardware_refuses_it_naming_the_layer(case):
    make, message = REFUSED[case]
    network = make()
    plan = Plan(layers=tuple(LayerPlan(name=layer.name, pe=1, simd=1) for layer in network.matrix_layers))
    for attempt in (lambda: plan.check(network), lambda: default_plan(network)):
        with pytest.raises(PlanError) as caught:
            attempt()
        assert str(caught.value) == message


def test_pools_may_branch_off():
    """An image that two pools take: the joints of images in a graph, too."""
    image = {"shape": (4, 4, 2), "stride": (2, 2)}
    pools = (
        MaxPool2d(name="small", kernel=(2, 2), **image),
        MaxPool2d(name="large", kernel=(3, 3), padding=(1, 0, 1, 0), **image),
    )
    last = replace(LAST, weights=np.ones((4, 8), np.uint8), takes=NumberType(kind="signed", bits=2))
    network = branched(
        input=Input(shape=(4, 4, 2), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(*pools, JOIN, last),
        takes=((ENCODED,), (ENCODED,), ("small", "large"), ("join",)),
    )
    frames = random_frames(network, 20)
    small, large = (pool.compute(golden.encode(network, frames)).astype(int) for pool in pools)
    joined = golden.trace(network, frames).layers[2].values
    assert np.array_equal(joined, small - large) and (joined < 0).any()
    assert [node.inputs for node in network.nodes] == [8, 18, 16, 8]
