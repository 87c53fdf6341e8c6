"""What a verification must have seen: derived from network and plan, whatever the manifest says."""

import dataclasses

import msgspec
import numpy as np
import pytest

from bitwright_boards.deployment import make_vectors
from bitwright_core.derived import integers_a_frame
from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.framing import pack_frames
from bitwright_sim import simulate, simulate_frames, verify
from bitwright_sim.bench import BenchReport, BenchTest
from bitwright_sim.compare import compare
from bitwright_sim.native.model import NativeModel
from bitwright_sim.simulation import _report, bench_tests
from tests.sim.designs import frames_for


def changed(design: Design, **changes) -> Design:
    return Design(design.folder, msgspec.structs.replace(design.manifest, **changes))


def lesser(design: Design) -> dict[str, Design]:
    """The design with manifests by which less would be compared, by what is changed."""
    m = design.manifest
    first, *others = m.layers
    output = dataclasses.replace
    return {
        "list of probes": changed(design, probes=[]),
        "list of probes (layer": changed(design, probes=m.probes[:-1]),
        "probe of scores": changed(design, score_probe=None),
        "output": changed(design, output=msgspec.structs.replace(m.output, classifier=False)),
        "output is": changed(design, output=msgspec.structs.replace(m.output, outputs=1)),
        "input": changed(design, input=output(m.input, values=m.input.values - 1)),
        "layer layer0": changed(design, layers=[msgspec.structs.replace(first, outputs=1), *others]),
        "layer layer0 is": changed(design, layers=[msgspec.structs.replace(first, pixels=2), *others]),
        "list of layers": changed(design, layers=others, probes=m.probes[1:]),
        "target": changed(design, target="xc7"),
        "clock_mhz": changed(design, clock_mhz=1.0),
    }


@pytest.mark.parametrize(
    "what",
    [
        "list of probes",
        "list of probes (layer",
        "probe of scores",
        "output",
        "output is",
        "input",
        "layer layer0",
        "layer layer0 is",
        "list of layers",
        "target",
        "clock_mhz",
    ],
)
def test_a_manifest_by_which_less_is_compared_is_refused(design, network, what):
    design.check_derived()
    less, frames = lesser(design)[what], frames_for(network, 2)
    message = rf"the manifest's {what.replace('(', '[(]')}.* but network and plan give .*; generate the design again"
    for command in (
        lambda: verify(less, network, frames),
        lambda: simulate(less),
        lambda: simulate_frames(less, frames),
        lambda: make_vectors(less, frames),
    ):
        with pytest.raises(DesignError, match=message):
            command()


def test_every_form_of_design_is_as_derived(scores_design, network):
    scores_design.check_derived()
    assert integers_a_frame(network) == {"layer0": 13, "layer1": 9, "layer2": 5, "scores": 5, "class": 1}


def test_nothing_unseen_is_taken_for_compared(design, network):
    frames = frames_for(network, 3)
    with NativeModel(design) as model:
        result = model.run(pack_frames(network, design.plan, frames))
        found = compare(design, network, frames, result, model.probes)
        assert found.compared == {name: 3 * count for name, count in integers_a_frame(network).items()}
        fewer = dataclasses.replace(result, probes=result.probes[1:], probe_words=result.probe_words[1:])
        with pytest.raises(DesignError, match="nothing shows the integers of layer0, so they cannot be compared"):
            compare(design, network, frames, fewer, model.probes[1:])


def test_a_bench_that_ran_less_has_failed(design):
    names = bench_tests("accelerator_bench")
    assert "random_stalls" in names and "registers" in names and bench_tests("stream_bench") == ("given_frames",)
    tests = [BenchTest(name=f"m.{name}", passed=True, message="", seconds=0.0, sim_ns=0.0) for name in names]

    def report(tests, **facts):
        bench = BenchReport(simulator="s", seed=1, seconds=1.0, tests=tuple(tests), log="", waves=None, facts=facts)
        return _report(design, bench, names)

    assert report(tests, frames=9).passed
    assert [test.message for test in report(tests[1:], frames=9).failures] == ["did not run"]
    assert [test.message for test in report(tests).failures] == ["no result was compared"]


def test_a_board_that_sends_less_is_wrong(design, scores_design, network):
    frames = frames_for(network, 4)
    vectors = make_vectors(design, frames)
    assert vectors.scores is None and vectors.integers == {"classes": 4}
    assert not vectors.differing(classes=vectors.classes, scores=None).any()
    assert vectors.differing(classes=None, scores=np.zeros((4, 5), int)).all()
    both = make_vectors(scores_design, frames)
    assert both.integers == {"classes": 4, "scores": 20}
    assert both.differing(classes=both.classes, scores=None).all()
    assert both.differing(classes=both.classes, scores=both.scores[:, :4]).all()
    other = both.scores.copy()
    other[2, 1] += 1
    assert np.flatnonzero(both.differing(classes=both.classes, scores=other)).tolist() == [2]
