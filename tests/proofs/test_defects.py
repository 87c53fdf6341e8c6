"""Planted defects: each is found by the proof that is there for it, with the claim that it breaks."""

from dataclasses import replace

import pytest

from bitwright_hw.families import XC7
from bitwright_hw.families.xc7 import popcount as xc7
from bitwright_hw.gearbox import Gearbox
from tests.proofs import streams
from tests.proofs.defects import DEFECTS, Defect, planted
from tests.proofs.engine import Verdict, prove
from tests.proofs.registry import BY_NAME
from tests.proofs.spec import Spec
from tests.proofs.tails import tail


@pytest.mark.parametrize(
    "defect",
    [pytest.param(defect, id=defect.says, marks=pytest.mark.slow if defect.slow else ()) for defect in DEFECTS],
)
def test_it_is_found(defect):
    with planted(defect):
        outcome = BY_NAME[defect.proof].run()
    assert outcome.verdict is Verdict.FAILS, str(outcome)
    assert defect.claim in outcome.claim


def test_amaranths_queue_of_two_has_no_room_for_two():
    spec = Spec()
    streams.tokened_fifo(spec, depth=2, make=streams.amaranths_fifo, follow=False)
    outcome = prove(spec)
    assert outcome.verdict is Verdict.FAILS
    assert outcome.claim == "there is room for each entry"


@pytest.mark.parametrize(
    ("classes", "pe", "scores"),
    [(2, 2, False), *(pytest.param(n, n, True, marks=pytest.mark.slow) for n in (1, 2))],
)
def test_a_tail_with_amaranths_queue_loses_a_result(classes, pe, scores):
    spec = Spec()
    tail(spec, classes=classes, pe=pe, spacing=1, slots=2, scores=scores, queue=streams.amaranths_fifo)
    outcome = prove(spec)
    assert outcome.verdict is Verdict.FAILS


def test_a_wrong_table_of_a_counter_is_found(monkeypatch):
    monkeypatch.setattr(xc7, "half_is_two", lambda *five: int(sum(five) >= 5))
    outcome = BY_NAME["xc7-counter/0-lanes-7-bits"].run()
    assert (outcome.verdict, outcome.claim) == (Verdict.FAILS, "it counts")


def test_a_wrong_model_of_a_cell_is_found(tmp_path):
    model = tmp_path / "model.v"
    text = XC7.simulation_models[0].read_text()
    model.write_text(text.replace("assign O6 = INIT[{I5,", "assign O6 = INIT[{I5 & I4,"))
    assert model.read_text() != text
    proof = BY_NAME["cells/LUT6_2"]
    wrong = replace(proof, arguments={**proof.arguments, "of": replace(XC7, simulation_models=(model,))})
    assert wrong.run().claim == "the models are equal"


def test_a_path_from_ready_to_valid_is_found():
    defect = Defect(
        says="a word is offered to who is ready alone",
        owner=Gearbox,
        method="_split",
        old="self.o.valid.eq(left != 0)",
        new="self.o.valid.eq((left != 0) & self.o.ready)",
        proof="ready-paths/Gearbox-4-2",
        claim="o depends on o__ready",
    )
    with planted(defect):
        outcome = BY_NAME[defect.proof].run()
    assert outcome.claim == defect.claim


def test_a_line_that_is_gone_is_told():
    defect = DEFECTS[0]
    with (
        pytest.raises(ValueError, match=r"Gearbox._collect has 'no such line' not once"),
        planted(replace(defect, old="no such line")),
    ):
        pass
