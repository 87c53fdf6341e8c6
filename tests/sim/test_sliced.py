"""The sliced engine: equal to the golden model and to Verilator, and no planted fault passes."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.errors import DesignError
from bitwright_core.network import ThresholdEncoding
from bitwright_sim import verify
from bitwright_sim.sliced.build import build_sliced
from bitwright_sim.sliced.engine import HandshakeError, run_frames
from bitwright_sim.sliced.gates import Gates
from bitwright_sim.sliced.luts import lut
from bitwright_sim.sliced.memory_text import take_contents
from bitwright_sim.sliced.model import SlicedModel
from bitwright_sim.verification import sliced_pays
from tests.sim.designs import COUNT_RESULTS, frames_for, generate, sabotage, small_network
from tests.sim.sliced_cases import check_design, check_engines, check_fault, check_golden, plant_fault, random_design


def evaluate(gates: Gates, literals: list[int], inputs: dict[int, int]) -> list[int]:
    """The values of literals for the values of leaves ("x", number)."""
    values = [0]
    for node, what in enumerate(gates.nodes[1:], 1):
        if gates.is_leaf(node):
            values.append(inputs[what[1]])
            continue
        kind, a, b = what
        x, y = values[a >> 1] ^ (a & 1), values[b >> 1] ^ (b & 1)
        values.append(x & y if kind == "and" else x ^ y)
    return [values[literal >> 1] ^ (literal & 1) for literal in literals]


def test_truth_tables_become_equal_gates():
    """Tables of up to six inputs, some of them constants, complements of each other or symmetric."""
    rng = np.random.default_rng(1)
    for _ in range(400):
        gates = Gates()
        leaves = [gates.leaf("x", k) for k in range(6)]
        count = int(rng.integers(0, 7))
        inputs = [int(rng.choice([*leaves, 0, 1])) ^ int(rng.integers(0, 2)) for _ in range(count)]
        by_count = rng.integers(0, 2, 7)
        symmetric = rng.random() < 0.5
        table = sum(
            int(by_count[row.bit_count()] if symmetric else rng.integers(0, 2)) << row for row in range(1 << count)
        )
        found = lut(gates, table, inputs)
        for number in range(64):
            leaf_values = {k: number >> k & 1 for k in range(6)}
            got, *bits = evaluate(gates, [found, *inputs], leaf_values)
            assert got == table >> sum(bit << k for k, bit in enumerate(bits)) & 1, (table, inputs, number)


def test_counters_are_full_adders():
    """The three digits of six ones take 17 gates, sum and carry of two XNORs and a carry seven."""
    gates = Gates()
    leaves = [gates.leaf("x", k) for k in range(6)]
    for digit in range(3):
        lut(gates, sum((row.bit_count() >> digit & 1) << row for row in range(64)), leaves)
    assert len(gates.nodes) == 7 + 17
    gates = Gates()
    leaves = [gates.leaf("x", k) for k in range(5)]
    lut(gates, 0xF99F9009, leaves)
    lut(gates, 0x96696996, leaves)
    assert len(gates.nodes) == 6 + 7


def test_memory_contents_are_taken_out_of_the_text():
    text = (
        "module a(x);\n  initial begin\n    m[0] = 4'hf;\n    \\m$1 [2] = 32'd70000;\n  end\nendmodule\n"
        "module \\b.c (x);\n  initial begin\n    m[1] = 3'b101;\n  end\n  initial begin\n    y = 1;\n  end\nendmodule\n"
    )
    (left,), contents = take_contents([text])
    assert contents == {("a", "m"): {0: 15}, ("a", "m$1"): {2: 70000}, ("b.c", "m"): {1: 5}}
    assert left == "module a(x);\nendmodule\nmodule \\b.c (x);\n  initial begin\n    y = 1;\n  end\nendmodule\n"


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 5, 6, 7, 8))])
def test_random_designs_compute_what_the_golden_model_does(seed, tmp_path):
    check_golden(random_design(seed, tmp_path / "design"), 300, seed)


def test_both_engines_are_equal_in_every_cycle(tmp_path):
    """Stalls on both sides, broken frames between whole ones, on lanes with frames of their own."""
    check_engines(random_design(2, tmp_path / "design"), 2)


def test_planes_hold_the_bits_of_integers(design):
    """Of every width that probes have, lane by lane, for counts that end within 16 bytes."""
    rng = np.random.default_rng(5)
    with SlicedModel(design, build_sliced(design)) as model:
        for count, bits, dtype in ((1, 3, np.int16), (7, 9, np.int16), (8, 16, np.int16), (21, 20, np.int32)):
            values = rng.integers(-1 << (bits - 1), 1 << (bits - 1), (model.lanes, count)).astype(dtype)
            planes = np.unpackbits(model.planes(values, bits), axis=2, bitorder="little")
            assert (planes == (values.T[:, None] >> np.arange(bits)[:, None] & 1)).all(), (count, bits)
        few = rng.integers(-3, 4, (5, 2))
        planes = np.unpackbits(model.planes(few, 64), axis=2, bitorder="little")[:, :, :5]
        assert (planes == (few.T[:, None] >> np.arange(64)[:, None] & 1)).all()


def test_a_report_says_what_was_proven(design, network):
    frames = frames_for(network, 40)
    labels = np.zeros(40, np.int64)
    sliced = verify(design, network, frames, labels, engine="sliced")
    other = verify(design, network, frames, labels, engine="verilator")
    assert sliced.passed and sliced.engine == "sliced" and sliced.cross_check.frames > 0 and sliced.cross_check.stalls
    for field in (
        "frames",
        "mismatches",
        "compared",
        "accuracy",
        "golden_accuracy",
        "interval_cycles",
        "latency_cycles",
    ):
        assert getattr(sliced, field) == getattr(other, field), field
    unproven = verify(design, network, frames, labels, engine="sliced", proof=False)
    assert unproven.cross_check is None and "not proven" in unproven.note


def test_few_frames_of_a_small_design_go_through_verilator_alone(design):
    assert not sliced_pays(design, 1000, 1)
    assert sliced_pays(design, 10_000_000, 1)


def test_a_flipped_weight_is_found(design, network, tmp_path):
    wrong = plant_fault(design, tmp_path / "wrong", 3)
    outcome = run_frames(wrong, network, frames_for(network, 32), build_sliced(wrong), jobs=1)
    assert outcome.first is not None and outcome.first.layer in [layer.name for layer in network.layers]
    assert outcome.bad[outcome.first.frame] and not outcome.bad[: outcome.first.frame].any()


@pytest.mark.slow
def test_a_flipped_weight_is_named_as_verilator_names_it(design, network, tmp_path):
    wrong = plant_fault(design, tmp_path / "wrong", 3)
    frames = frames_for(network, 30)
    sliced = verify(wrong, network, frames, engine="sliced", proof=False, reproducer=tmp_path / "repro")
    other = verify(wrong, network, frames, engine="verilator", reproducer=tmp_path / "other")
    assert sliced.mismatches == other.mismatches > 0
    assert sliced.first_mismatch == other.first_mismatch
    assert (tmp_path / "repro" / "waves.vcd").stat().st_size > 0


def test_wrong_handshakes_are_found(design, network, tmp_path):
    wrong = sabotage(design, tmp_path / "wrong", body=COUNT_RESULTS, m_axis_tlast="inner_m_axis_tlast && n != 3")
    with pytest.raises(HandshakeError, match="1 output beats have TLAST or TKEEP wrong"):
        run_frames(wrong, network, frames_for(network, 12), build_sliced(wrong), jobs=1)


@pytest.mark.slow
def test_wrong_handshakes_are_left_to_verilator(design, network, tmp_path):
    """A result too many: the engine sees it, and Verilator tells where."""
    wrong = sabotage(design, tmp_path / "wrong", body=COUNT_RESULTS, m_axis_tlast="inner_m_axis_tlast && n != 3")
    report = verify(wrong, network, frames_for(network, 12), engine="sliced", reproducer=tmp_path / "repro")
    assert not report.passed
    assert report.engine == "verilator" and report.note.startswith("not sliced: ")


def test_data_in_a_handshake_is_named_and_refused(design, network, tmp_path):
    body = "  reg seen = 0; always @(posedge aclk) seen <= inner_s_axis_tdata[0];"
    wrong = sabotage(design, tmp_path / "wrong", body=body, s_axis_tready="inner_s_axis_tready & ~seen")
    with pytest.raises(DesignError, match="cannot be sliced: data reaches the handshake signal s_axis_tready"):
        verify(wrong, network, frames_for(network, 4), engine="sliced")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_planted_faults_are_found_by_both(seed, tmp_path):
    check_fault(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_many_random_designs(seed, tmp_path):
    check_design(seed, tmp_path)


def test_outputs_without_classes(tmp_path):
    network = small_network(classes=None)
    design = generate(network, tmp_path / "bits", target="ecp5")
    check_golden(design, 70, 1)


def test_frames_that_change_nothing(tmp_path):
    """Each bit of the encoding is constant, so that no data reaches a probe: all is control."""
    network = small_network(shape=(4,), bits=1, hidden=(5,))
    constant = ThresholdEncoding(thresholds=np.array([[0], [2], [2], [0]]))
    network = replace(network, encoding=constant)
    check_golden(generate(network, tmp_path / "constant", target="ecp5"), 20, 1)
