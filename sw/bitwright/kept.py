"""What `verify` and `simulate` found of a design, kept beside it for its report: one small JSON file each.

A result belongs to the Verilog that ran: with other Verilog in the folder it is an old one, and is not read.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bitwright_core.atomic import write_bytes
from bitwright_core.design import Design, verilog_digest
from bitwright_core.errors import BitwrightError
from bitwright_core.untrusted import MAX_TEXT_BYTES, decode_json, file_inside

if TYPE_CHECKING:
    from bitwright_sim import SimulateReport, VerifyReport

FORMAT = 1
_VERIFIED, _BENCHES = "verify-", "simulate-"  # how the files' names begin


class KeptError(BitwrightError):
    """A kept result that cannot be read."""


class KeptVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What of a verification is kept; the fields of VerifyReport, its first mismatch and its proof in words."""

    format: int
    design_digest: str
    data: str
    frames: int
    mismatches: int
    integers: int
    accuracy: float | None
    golden_accuracy: float | None
    confusion: list[list[int]] | None
    interval_cycles: float | None
    ideal_interval_cycles: int
    latency_cycles: int | None
    simulator: str
    proof: str | None
    stalls: int | None
    first_mismatch: str | None


class KeptBenches(msgspec.Struct, frozen=True, kw_only=True):
    """What of the protocol benches is kept."""

    format: int
    design_digest: str
    simulator: str
    seed: int
    passed: list[str]
    failed: list[str]
    frames: int
    cycles: int


Kept = KeptVerification | KeptBenches
_K = TypeVar("_K", bound=Kept)


def keep_verification(design: Design, report: "VerifyReport", data: str) -> Path:
    """Writes what `verify` found with data set `data`. Raises OSError where the folder cannot be written to."""
    check = report.cross_check
    kept = KeptVerification(
        format=FORMAT,
        design_digest=_digest(design),
        data=data,
        frames=report.frames,
        mismatches=report.mismatches,
        integers=report.integers,
        accuracy=report.accuracy,
        golden_accuracy=report.golden_accuracy,
        confusion=None if report.confusion is None else [list(row) for row in report.confusion],
        interval_cycles=report.interval_cycles,
        ideal_interval_cycles=report.ideal_interval_cycles,
        latency_cycles=report.latency_cycles,
        simulator=report.simulator,
        proof=None if check is None else f"Verilator, on {check.frames:,} frames, {check.integers:,} integers",
        stalls=report.stalls,
        first_mismatch=None if report.first_mismatch is None else str(report.first_mismatch),
    )
    stalled = "" if report.stalls is None else "-stalls"
    return _keep(design, f"{_VERIFIED}{_plain(data)}{stalled}.json", kept)


def keep_benches(design: Design, report: "SimulateReport") -> Path:
    """Writes what `simulate` found. Raises OSError where the folder cannot be written to."""
    kept = KeptBenches(
        format=FORMAT,
        design_digest=_digest(design),
        simulator=report.simulator,
        seed=report.seed,
        passed=[test.name for test in report.tests if test.passed],
        failed=[test.name for test in report.failures],
        frames=report.frames,
        cycles=report.cycles,
    )
    return _keep(design, f"{_BENCHES}{_plain(report.simulator.partition(' ')[0].lower())}.json", kept)


def kept_verifications(design: Design) -> list[KeptVerification]:
    """What `keep_verification` wrote of the Verilog as it is, by the names of the files."""
    return _kept(design, _VERIFIED, KeptVerification)


def kept_benches(design: Design) -> list[KeptBenches]:
    """What `keep_benches` wrote of the Verilog as it is."""
    return _kept(design, _BENCHES, KeptBenches)


def _keep(design: Design, name: str, kept: Kept) -> Path:
    file = design.folder / name
    write_bytes(file, msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    return file


def _kept(design: Design, start: str, kind: type[_K]) -> list[_K]:
    digest = _digest(design)
    found = []
    for file in sorted(design.folder.glob(f"{start}*.json")):
        try:
            kept = decode_json(
                file_inside(design.folder, file.name, KeptError, limit=MAX_TEXT_BYTES).read_bytes(), kind
            )
        except (KeptError, msgspec.DecodeError):
            continue  # of another version, or no file of ours
        if kept.format == FORMAT and kept.design_digest == digest:
            found.append(kept)
    return found


def _digest(design: Design) -> str:
    return verilog_digest([design.folder / name for name in design.manifest.verilog])


def _plain(text: str) -> str:
    """A part of a file name, of a data set's name or path."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[-60:] or "data"
