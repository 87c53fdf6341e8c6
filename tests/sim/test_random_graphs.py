"""Random graphs of all operators on Icarus and Verilator, and that their testbench finds what is wrong."""

import pytest

from bitwright_sim.native.build import probes
from tests.sim.plain_bench import complaints, run_icarus, write_benches

graphs = pytest.importorskip("tests.sim.random_graphs", reason="needs torch and onnxruntime, of the development group")


def test_a_graph_on_icarus_and_a_testbench_that_can_fail(tmp_path):
    network = graphs.small_mix(4)
    assert not network.is_chain
    case = graphs.made(4, network, tmp_path / "design")
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


@pytest.mark.slow
def test_graphs_in_both_simulators(tmp_path):
    lines = graphs.batch(list(range(1000, 1016)), tmp_path, tmp_path / "cache")
    assert [line["failure"] for line in lines] == [""] * 16
    assert all(line["interval"] <= 1.01 * line["ideal"] for line in lines)
    assert "16 graphs" in graphs.summary(lines)
