"""The graph of stages: edges carry what both ends say, and whoever reads the graph asks the stages."""

import ast
import gc
import re
from typing import get_args

import pytest
from amaranth.hdl import UnusedElaboratable, Value

from bitwright_core.buildable import STAGES
from bitwright_core.engine_rules import RULES, refusal
from bitwright_core.errors import PlanError
from bitwright_core.layer import conv_layer
from bitwright_core.plan import Engine, Plan, default_plan
from bitwright_core.plan import hardwired as hardwired_plan
from bitwright_hw.cells import Counts
from bitwright_hw.engines import ENGINES
from bitwright_hw.estimate import estimate, shell_counts
from bitwright_hw.families import XC7
from bitwright_hw.handlers import HANDLERS
from bitwright_hw.lower import lower
from bitwright_hw.row_pool import RowPool
from bitwright_hw.solve import solved
from bitwright_hw.stage_graph import StageGraph
from tests.hw.test_conv_accelerators import random_case as conv_case
from tests.hw.test_graph_accelerators import random_case as graph_case
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_network


@pytest.fixture(autouse=True)
def _looked_at_alone():
    """Components here are looked at and never elaborated, of which Amaranth warns when they are collected."""
    UnusedElaboratable._MustUse__silence = True
    yield
    gc.collect()
    UnusedElaboratable._MustUse__silence = False


READERS = ("accelerator", "estimate", "sizing", "sizer", "solve", "stage_graph", "generator")


def graphs(count=12):
    """Of networks with images and of dense ones, folded and hardwired."""
    found = [lower(*case(seed)) for seed in range(count) for case in (conv_case, graph_case)]
    for seed in range(4):
        network = random_network(seed, shape=(20,), hidden=(16, 12))
        found += [lower(network, default_plan(network)), lower(network, hardwired_plan(default_plan(network), network))]
    return found


@pytest.mark.parametrize("name", READERS)
def test_who_reads_the_graph_asks_the_stages(name, checkout):
    """No `isinstance`, and no operator or stage by its class, in what reads a graph."""
    tree = ast.parse((checkout / f"hw/bitwright_hw/{name}.py").read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"isinstance", "issubclass", "Dense", "Conv2d", "MaxPool2d"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


def width(port):
    return len(Value.cast(port.payload))


def test_words_are_as_wide_as_the_edges_say():
    """What a stage gives and what its taker takes, on every edge whose ends have a component."""
    checked = 0
    for graph in graphs():
        for edge in graph.edges:
            giver, taker = (graph.by_name[name].component(RowPool()) for name in (edge.giver, edge.taker))
            if edge.giver == "guard":
                continue  # an encoder takes the values of a beat alone, not the bits that fill it
            for unit, port in ((giver, "o"), (taker, "i")):
                given = getattr(unit, "activations", None) if port == "o" else None
                if given is not None:
                    assert len(given) == edge.stream.bits, edge
                elif hasattr(unit, port) and not (port == "o" and edge.giver.startswith("engine")):
                    assert width(getattr(unit, port)) == edge.stream.bits, edge
                    checked += 1
    assert checked > 100


def test_every_unit_is_made_and_taken():
    """Units of an edge add up to the frame."""
    for graph in graphs():
        for entry in graph.layers:
            for edge in graph.edges:
                if edge.giver == entry.engine.name:
                    assert (
                        edge.stream.size * (edge.stream.pixels or 1) == entry.layer.outputs * entry.engine.fold.pixels
                    )


def test_stages_in_a_circle_are_refused():
    graph = graphs(1)[0]
    first, last = graph.edges[0], graph.edges[-1]
    back = type(first)(giver=last.taker, taker=first.taker, stream=last.stream)
    fields = {name: getattr(graph, name) for name in StageGraph.__dataclass_fields__} | {"edges": (*graph.edges, back)}
    with pytest.raises(ValueError, match="wait for each other's words"):
        StageGraph(**fields)


def test_an_estimate_is_the_sum_of_the_stages():
    for seed in range(6):
        network, plan = conv_case(seed)
        graph = solved(network, plan).graph
        total = sum((stage.cost(XC7.costs) for stage in graph.stages), shell_counts(XC7.costs))
        assert estimate(network, plan, family=XC7).total == total
        assert total.luts > 0 and isinstance(total, Counts)


def test_room_is_solved_once():
    """A graph has no room before it is solved, and what it has then is in the components."""
    network, plan = conv_case(3)
    before, after = lower(network, plan), solved(network, plan).graph
    assert before.frames_in_flight <= after.frames_in_flight
    for stage in after.stages:
        unit = stage.component(RowPool())
        if hasattr(unit, "banks"):
            assert unit.banks == stage.banks >= 2
        elif hasattr(stage, "around"):
            assert unit.params.capacity == stage.params.capacity > before.by_name[stage.name].params.capacity == 1


def test_every_engine_that_a_plan_can_name_is_there():
    assert tuple(engine.name for engine in ENGINES) == get_args(Engine) == tuple(RULES)


def test_engines_say_what_they_do_not_take():
    (layer,) = conv_layer((4, 4, 2), 3).matrix_layers
    assert refusal("folded", layer, 2, 5) is None
    assert refusal("hardwired", layer, 3, 18) is None
    votes = random_conv_network(1, shape=(4, 4, 2), convs=0, dense=(), classes=3, votes=True).matrix_layers[-1]
    told = refusal("hardwired", votes, votes.outputs, votes.inputs)
    assert told is not None and told.startswith("only layers with thresholds, scores or sums")
    dense = random_network(1, shape=(20,), hidden=(8,)).matrix_layers[0]
    assert refusal("hardwired", dense, 8, 40) is None
    assert refusal("hardwired", dense, 7, 40).startswith("a hardwired layer has all rows and lanes at a time, so pe 8")


def test_sizing_chooses_among_folds_of_engines_that_know_their_cost():
    layer = random_network(1, shape=(20,), hidden=(8,)).matrix_layers[0]
    for engine in ENGINES:
        found = engine.choices(layer, Plan(layers=()), costs=XC7.costs, scored=False, done=lambda done, total: None)
        assert (found is None) == (engine.name == "hardwired")
        if found is not None:
            assert all(choice.fold.frame_cycles <= 40 for choice in found.within(40)) and found.within(40)


# files that make an engine, by what a toy engine would have to touch
ENGINE_FILES = {
    "sw/bitwright_core/plan/plan.py": "Engine",
    "sw/bitwright_core/engine_rules.py": "RULES",
    "hw/bitwright_hw/engines/__init__.py": "ENGINES",
    "hw/bitwright_hw/stages/engine.py": "EngineStage",
    "hw/bitwright_hw/engines/engine.py": "Engine",
    "sw/bitwright_core/manifest.py": "LayerEntry",
}


def test_the_how_to_names_what_is_there_and_all_that_knows(checkout):
    """The page has every place that names engines, and no other file knows an engine by its stage or component."""
    text = (checkout / "docs/howto/add-an-engine.md").read_text("utf-8")
    paths = set(re.findall(r"`((?:sw|hw|tests|docs)/[\w./-]+)`", text))
    assert [path for path in sorted(paths) if not (checkout / path).exists()] == []
    for path, word in ENGINE_FILES.items():
        assert path in paths and re.search(rf"\b{word}\b", (checkout / path).read_text("utf-8")), path
    knowing = set()
    for file in sorted((checkout / "hw/bitwright_hw").rglob("*.py")):
        names = {node.id for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Name)}
        if names & {"HardwiredStage", "MatrixStage", "HardwiredEngine"}:
            knowing.add(file.relative_to(checkout / "hw/bitwright_hw").as_posix())
    assert knowing == {"engines/folded.py", "engines/hardwired.py", "stages/hardwired.py"}


def test_a_hardwired_layer_has_no_estimate():
    network = random_network(1, shape=(20,), hidden=(8,))
    plan = hardwired_plan(default_plan(network), network)
    with pytest.raises(PlanError, match="is hardwired, and its LUTs depend on its weights"):
        estimate(network, plan, family=XC7)


def test_a_handler_for_each_kind_that_hardware_is_made_for():
    kinds = {
        node.operator.kind for seed in range(40) for node in (*conv_case(seed)[0].nodes, *graph_case(seed)[0].nodes)
    }
    assert kinds | STAGES == set(HANDLERS)  # layers of tables have networks of their own
