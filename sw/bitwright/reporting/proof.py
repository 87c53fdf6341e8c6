"""What compared a verification's integers, in words for who has never heard of these simulators."""

import re

from bitwright.kept import KeptVerification

_PROOF = re.compile(r"Verilator, on ([\d,]+) frames?, ([\d,]+) integers")


def how_compared(one: KeptVerification) -> str:
    """Says which simulator ran the Verilog, what kind of simulator that is, and what checked it in turn."""
    if not one.simulator.startswith("sliced engine"):
        return f"The Verilog ran in {one.simulator}."
    ran = (
        f"The Verilog ran in bitwright's {one.simulator}, a simulator of its own: it reads the design's netlist and "
        "takes hundreds of frames at a time."
    )
    if one.proof is None:
        return f"{ran} In this run nothing checked that engine (--no-proof)."
    if found := _PROOF.fullmatch(one.proof):
        return (
            f"{ran} So that this need not be taken on trust, Verilator ran the same Verilog on {found[1]} of the "
            f"frames: all {found[2]} integers, and the streams' handshakes in every cycle, were the same in both."
        )
    return f"{ran} It was checked by {one.proof}: both were the same."
