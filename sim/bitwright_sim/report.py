"""What a verification reports."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitwright_core.metrics import LabelMetrics
from bitwright_sim.compare import Mismatch
from bitwright_sim.sliced.proof import CrossCheck


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What the accelerator did with a set of frames, against the golden model."""

    frames: int
    mismatches: int  # frames in which any integer differs, a result is missing, or one came too many
    compared: dict[str, int]  # integers of each layer, of the scores, and of the class or the output bits
    accuracy: float | None  # of the hardware; None without labels or classes
    golden_accuracy: float | None
    label_metrics: LabelMetrics | None  # of the hardware's bits, where labels of 0 and 1 came with the frames
    golden_label_metrics: LabelMetrics | None
    interval_cycles: float | None  # measured, in the steady state; an int where it is constant
    ideal_interval_cycles: int
    latency_cycles: int | None  # measured, first beat in to last beat out of an idle accelerator
    frames_per_second: float  # wall clock of simulation and comparison, without the build
    cycles: int  # simulated, by all jobs
    simulator: str
    stalls: int | None  # the seed of the stalls on both sides; None without any
    edited: bool  # the Verilog is not what the generator wrote
    first_mismatch: Mismatch | None
    reproducer: Path | None
    reproducer_error: str  # why there is none of a mismatch; else empty
    engine: str = "verilator"  # that simulated the set: "sliced" or "verilator"
    lanes: int = 1  # frames at a time, of all jobs
    cross_check: CrossCheck | None = None  # what Verilator did of the same, to prove the sliced engine; None: nothing
    confusion: tuple[tuple[int, ...], ...] | None = None  # frames of each label (row) by the hardware's class (column)
    note: str = ""  # why the set was not sliced, or not proven, if that is so

    @property
    def passed(self) -> bool:
        return self.mismatches == 0

    @property
    def integers(self) -> int:
        """How many integers were compared, of all layers together."""
        return sum(self.compared.values())

    def _repr_html_(self) -> str:
        """How a notebook shows it: what was compared, and how much of it differed."""
        from bitwright_core.html import html_table

        facts: list[tuple[str, object]] = [("frames", self.frames), ("mismatches", self.mismatches)]
        if self.accuracy is not None:
            facts.append(("accuracy in hardware", f"{100 * self.accuracy:.2f} %"))
        facts += [
            ("a frame every", f"{self.interval_cycles} cycles (ideal {self.ideal_interval_cycles})"),
            ("simulator", self.simulator),
        ]
        if self.first_mismatch is not None:
            facts.append(("first mismatch", self.first_mismatch))
        title = "Verification: " + ("every integer agrees" if self.passed else "MISMATCH")
        return html_table(title, facts, ("integers of", "compared"), list(self.compared.items()))

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON: the fields, and `integers`."""
        result = {**asdict(self), "integers": self.integers}
        result["reproducer"] = None if self.reproducer is None else str(self.reproducer)
        return result
