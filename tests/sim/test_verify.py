"""Native verification: whole designs, and designs with planted defects."""

import dataclasses
import json

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.errors import DataError, DesignError
from bitwright_core.framing import pack_frames
from bitwright_sim import verify
from bitwright_sim.compare import compare
from bitwright_sim.native.model import MISSING, NativeModel
from bitwright_sim.native.stalls import Pattern
from tests.sim.designs import COUNT_RESULTS, flip_weight, frames_for, generate, sabotage, small_network


def test_every_integer_is_the_golden_models(design, network):
    frames = frames_for(network, 700)
    labels = golden.classify(network, frames)
    labels[:70] += 1
    done = []
    report = verify(design, network, frames, labels, jobs=2, progress=lambda *step: done.append(step))
    assert report.passed and report.first_mismatch is None and report.reproducer is None
    assert (report.frames, report.mismatches, report.accuracy, report.golden_accuracy) == (700, 0, 0.9, 0.9)
    assert report.compared == {"layer0": 9100, "layer1": 6300, "layer2": 3500, "scores": 3500, "class": 700}
    assert report.integers == 23100
    assert report.interval_cycles == design.manifest.interval_cycles == report.ideal_interval_cycles
    assert report.latency_cycles == design.manifest.latency_cycles
    assert report.simulator.startswith("Verilator 5.") and not report.edited and report.frames_per_second > 0
    assert done[-1] == ("simulating", 700, 700)
    json.dumps(report.to_dict())


def test_scores_on_the_output(scores_design, network):
    report = verify(scores_design, network, frames_for(network, 5))
    assert report.passed and report.accuracy is None
    assert report.interval_cycles == scores_design.manifest.interval_cycles  # from the frames, repeated
    assert report.latency_cycles == scores_design.manifest.latency_cycles


def test_network_that_gives_bits(tmp_path):
    network = small_network(hidden=(13, 70), classes=None, bits=1, shape=(19,))
    design = generate(network, tmp_path / "bits", data_bits=8)
    report = verify(design, network, frames_for(network, 90), np.zeros(90, int))
    assert report.passed and report.accuracy is None


def test_stalls_change_nothing_but_time(design, network):
    frames = frames_for(network, 60)
    packed = pack_frames(network, design.plan, frames)
    with NativeModel(design) as model:
        for seed, (stall_in, stall_out) in enumerate([(0.95, 0), (0, 0.98), (0.3, 0.3)]):
            result = model.run(packed, Pattern(seed=seed, stall_in=stall_in, stall_out=stall_out))
            comparison = compare(design, network, frames, result, model.probes)
            assert not comparison.bad.any(), comparison.first
            if seed < 2:
                assert comparison.interval > design.manifest.interval_cycles


def test_long_stalls_are_verified(design, network, tmp_path):
    """Each part of the frames has its own pauses; figures are those without."""
    frames = frames_for(network, 480)
    report = verify(design, network, frames, stalls=5, jobs=1)
    plain = verify(design, network, frames, jobs=1)
    assert report.passed and report.stalls == 5 and plain.stalls is None
    assert report.interval_cycles == plain.interval_cycles == design.manifest.interval_cycles
    assert report.latency_cycles == plain.latency_cycles
    assert report.cycles > 1.3 * plain.cycles
    again = verify(design, network, frames, stalls=5, jobs=1)
    assert again.cycles == report.cycles
    with pytest.raises(DataError, match="a seed of stalls must be 0 or more, not -1"):
        verify(design, network, frames_for(network, 3), stalls=-1)


@pytest.mark.slow
def test_a_result_that_long_stalls_lose_is_found(design, network, tmp_path):
    """A result that waits for 300 cycles is not the frame's any more; only --stalls sees it, and the rerun too."""
    broken = sabotage(
        design,
        tmp_path / "design",
        m_axis_tdata="inner_m_axis_tdata ^ (waited > 300)",
        body="""
  reg [31:0] waited = 0;
  always @(posedge aclk) waited <= inner_m_axis_tvalid && !m_axis_tready ? waited + 1 : 0;
""",
    )
    frames = frames_for(network, 240)
    assert verify(broken, network, frames, jobs=1).passed
    report = verify(broken, network, frames, stalls=1, jobs=1)
    assert not report.passed and report.first_mismatch.layer == "class"
    note = json.loads((report.reproducer / "repro.json").read_text())
    assert note["stalls"]["longest_out"] > 300 and note["rerun"]["frame"] == report.first_mismatch.frame
    assert np.load(report.reproducer / "got.npz")["class"] != np.load(report.reproducer / "expected.npz")["class"]


# layer 1 has 13 inputs in folds of 3 lanes, 5 words a pass; word 5 + 1 is pass 1, lanes 3..5; bit 2 * 3 + 1 is row 2
@pytest.mark.parametrize(("layer", "word", "bit", "neuron"), [(1, 6, 7, 4 + 2)])
def test_one_weight_bit_is_found(design, network, tmp_path, layer, word, bit, neuron):
    edited = flip_weight(design, tmp_path / "edited", memory=layer, word=word, bit=bit)
    frames = frames_for(network, 300)
    report = verify(edited, network, frames, jobs=2, reproducer=tmp_path / "repro")
    assert report.edited
    assert report.mismatches == 300  # that neuron's popcount is wrong by one in every frame
    first = report.first_mismatch
    assert (first.frame, first.layer, first.neuron) == (0, network.layers[layer].name, neuron)
    assert abs(first.got - first.expected) == 1
    counts = golden.trace(network, frames[:1]).layers[layer].accumulators[0, neuron]
    assert first.expected == counts - network.layers[layer].output.values[neuron, 0]

    assert report.reproducer == tmp_path / "repro"
    note = json.loads((report.reproducer / "repro.json").read_text())
    assert note["verilog_edited"] and note["mismatch"]["neuron"] == note["rerun"]["neuron"] == neuron
    assert np.array_equal(np.load(report.reproducer / "input.npy"), frames[:1])
    expected, got = (np.load(report.reproducer / name) for name in ("expected.npz", "got.npz"))
    name = network.layers[layer].name
    assert np.flatnonzero(expected[name] != got[name]).tolist() == [neuron]
    assert "$enddefinitions" in (report.reproducer / "waves.vcd").read_text()


def test_another_network_of_the_same_shape_mismatches(design, network, tmp_path, monkeypatch):
    layer = network.layers[0]
    weights = layer.weights.copy()
    weights[3, 2] ^= 1
    other = dataclasses.replace(network, layers=(dataclasses.replace(layer, weights=weights), *network.layers[1:]))
    monkeypatch.setattr("bitwright_sim.verification.write_reproducer", lambda folder, *_: folder)
    report = verify(design, other, frames_for(network, 20), reproducer=tmp_path / "repro")
    assert not report.edited and report.mismatches == 20
    assert (report.first_mismatch.layer, report.first_mismatch.neuron) == (layer.name, 3)


def test_dropped_result_is_found(design, network, tmp_path):
    body = COUNT_RESULTS + "  wire lose = n == 20;"
    ports = {"m_axis_tvalid": "inner_m_axis_tvalid && !lose", "m_axis_tready": "m_axis_tready || lose"}
    broken = sabotage(design, tmp_path / "drop", body=body, **ports)
    report = verify(broken, network, frames_for(network, 64), jobs=1)
    assert 1 <= report.mismatches <= 64 - 19
    # one frame went before, to measure the latency of the idle accelerator: another model
    assert report.first_mismatch.layer in ("class", "output (beats)") and report.first_mismatch.frame >= 20
    note = json.loads((broken.folder / "reproducer" / "repro.json").read_text())
    assert note["mismatch"]["frame"] == report.first_mismatch.frame


def test_hang_is_an_error(design, network, tmp_path):
    body = COUNT_RESULTS.replace("inner_m_axis_t", "s_axis_t") + "  wire stuck = n == 5;"
    broken = sabotage(
        design,
        tmp_path / "hang",
        body=body,
        s_axis_tready="inner_s_axis_tready && !stuck",
        s_axis_tvalid="s_axis_tvalid && !stuck",
    )
    with pytest.raises(DesignError, match=r"hangs: for \d+ cycles .* after 5 of 64 frames in and 5 results out"):
        verify(broken, network, frames_for(network, 64), jobs=1)


@pytest.fixture(scope="module")
def run(design, network):
    frames = frames_for(network, 10)
    with NativeModel(design) as model:
        return frames, model.run(pack_frames(network, design.plan, frames)), model.probes


def test_each_kind_of_difference_counts(design, network, run):
    frames, result, probes = run

    def check(**changes):
        return compare(design, network, frames, dataclasses.replace(result, **changes), probes, 100)

    assert check().first is None and not check().bad.any()
    for index, probe in enumerate(probes):
        arrays = [array.copy() for array in result.probes]
        arrays[index][4, probe.values - 1] += 1
        found = check(probes=tuple(arrays))
        assert np.flatnonzero(found.bad).tolist() == [4]
        assert (found.first.frame, found.first.layer, found.first.neuron) == (104, probe.layer, probe.values - 1)
        arrays[index][4, probe.values - 1] = MISSING
        assert check(probes=tuple(arrays)).first.got is None
    beats = result.beats.copy()
    beats[7, -1] ^= 1
    found = check(beats=beats)
    assert (found.first.frame, found.first.layer) == (107, "class") and found.bad.sum() == 1
    last_out = result.last_out.copy()
    last_out[9] = MISSING
    assert check(last_out=last_out).first.got is None
    assert check(out_beats=11).first.layer == "output (beats)"
    assert check(bad_framing=1, first_bad=2).first.frame == 102
    assert "words" in check(probe_words=(result.probe_words[0] + 1, *result.probe_words[1:])).first.layer


def test_refusals(design, network, tmp_path):
    frames = frames_for(network, 3)
    with pytest.raises(DataError, match="no frames"):
        verify(design, network, frames[:0])
    with pytest.raises(DataError, match=r"labels must be 3 integers"):
        verify(design, network, frames, np.zeros(4, int))
    with pytest.raises(DataError, match="jobs must be at least 1"):
        verify(design, network, frames, jobs=0)
    with pytest.raises(DesignError, match=r"20x13, 13x8, 8x5, but .* 20x13, 13x9, 9x5; give the network"):
        verify(design, small_network(hidden=(13, 8)), frames)
    with pytest.raises(DesignError, match="input bits: 4, not 8"):
        verify(design, small_network(bits=4), frames // 16)
