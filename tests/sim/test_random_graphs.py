"""Random graphs of all operators on Icarus and Verilator, and that their testbench finds what is wrong."""

from collections import Counter

import pytest

from bitwright_sim.native.build import probes
from tests.sim.plain_bench import complaints, run_icarus, write_benches

graphs = pytest.importorskip("tests.sim.random_graphs", reason="needs torch and onnxruntime, of the development group")


def test_a_graph_on_icarus_and_a_testbench_that_can_fail(tmp_path):
    network = graphs.small_mix(94)
    assert not network.is_chain and "arg_max" in {node.operator.kind for node in network.nodes}
    case = graphs.made(94, network, tmp_path / "design")
    assert all(graphs.engines(network, case.design.plan).values()), "serial layers and hardwired convolutions"
    assert case.design.manifest.interval_cycles <= 1.01 * case.design.ideal_interval_cycles
    sources = write_benches([case], tmp_path)
    assert complaints(0, case, run_icarus(sources, tmp_path)) == []
    second = probes(case.design.manifest)[1].layer
    for name, what in (("0.out.hex", "result beats, 1 wrong"), ("0.p1.hex", f"layer {second} showed")):
        kept = (tmp_path / name).read_text()
        first, *others = kept.splitlines()
        (tmp_path / name).write_text("\n".join([f"{int(first, 16) ^ 1:x}", *others]))
        found = complaints(0, case, run_icarus(sources, tmp_path))
        assert len(found) == 3 and all(what in line and line.endswith("1 wrong") for line in found)
        (tmp_path / name).write_text(kept)


def test_what_is_drawn():
    """Class maps, plane-serial layers and hardwired convolutions, each in some of 60 graphs."""
    drawn = [(graphs.small_mix(seed), seed) for seed in range(60)]
    kinds = Counter(kind for network, _ in drawn for kind in {node.operator.kind for node in network.nodes})
    engines = [graphs.engines(network, graphs.drawn_plan(network, seed)) for network, seed in drawn]
    counts = {key: sum(bool(each[key]) for each in engines) for key in engines[0]}
    assert 6 <= kinds["arg_max"] <= 24
    assert min(counts.values()) >= 5 and counts["hardwired_convolutions"] < counts["hardwired"] < 40


@pytest.mark.slow
def test_graphs_in_both_simulators(tmp_path):
    lines = graphs.batch(list(range(1000, 1016)), tmp_path, tmp_path / "cache")
    assert [line["failure"] for line in lines] == [""] * 16
    assert all(line["interval"] <= 1.01 * line["ideal"] for line in lines)
    assert "16 graphs" in graphs.summary(lines)
