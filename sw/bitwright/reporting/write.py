"""Gathers what a report shows, and writes it: report.html, which needs nothing beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitwright.api.frames import Frames, load_frames
from bitwright.kept import KeptBenches, KeptVerification, kept_benches, kept_verifications
from bitwright.pages import page
from bitwright.reporting.accuracy import Accuracy, accuracy
from bitwright.reporting.blocks import BlockDiagram, DrawnBlock, layout
from bitwright.reporting.counted import CountedResources, resources
from bitwright.reporting.drawing import WIDTHS, draw
from bitwright.reporting.handshakes import run_frame
from bitwright.reporting.kept_points import draw_frontier, read_frontier
from bitwright.reporting.proof import how_compared
from bitwright.reporting.results import class_name
from bitwright.reporting.walk import Walk, walk
from bitwright.reporting.waves import PHONE, ROOMY, coming_out, going_in, overview
from bitwright.reporting.words import words_of
from bitwright_core.atomic import write_text
from bitwright_core.design import Design
from bitwright_core.errors import DataError, ToolError
from bitwright_core.progress import Progress

REPORT = "report.html"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where a report is, and what it could not show, in a sentence each."""

    file: Path
    bytes: int
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `bitwright report --json` prints."""
        return {"file": str(self.file), "bytes": self.bytes, "missing": list(self.missing)}


@dataclass(frozen=True, kw_only=True)
class _Waves:
    """The drawings of one frame's cycles."""

    simulator: str
    latency: int
    interval: int
    at_once: str  # how many of the last layer's sums a word has, in words
    agrees: bool | None  # with the golden model's class; None of a network without classes
    overview: tuple[str, ...]  # for a screen, for a phone; each of the others is of several pieces for a phone
    going_in: tuple[str, ...]
    coming_out: tuple[str, ...]


def write_report(
    design: Design,
    out: Path,
    *,
    data: Frames | None = None,
    frame: int = 0,
    frontier: Path | None = None,
    board: str | None = None,
    waves: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Writes `out`/report.html.

    `data` gives the frame that is shown, number `frame`, and, where no verification is kept, the accuracy; without it
    both come from what `verify` kept, if that data set can still be loaded, or else the frame is a random one.
    `frontier` is what `explore` wrote to, `board` what the resources are set beside. Without `waves` nothing is
    simulated. Raises DataError for a frame that there is not, FrontierError, BoardError, or what a simulation raises.
    """
    network = design.network
    points = None if frontier is None else read_frontier(frontier, network.name)
    counted = resources(design, board)
    verified, benches = kept_verifications(design), kept_benches(design)
    shown = data or _kept_frames(design, verified) or load_frames(network, "random", frames=frame + 1)
    shown.only(frame)
    parts = layout(design, counted.family, {} if counted.measured is None else counted.measured.parts)
    walked = _walk(design, shown, frame)
    judged = accuracy(network, verified, data, progress)
    quick = not any(one.simulator.startswith("Verilator") for one in verified)
    seen, why = _waves(design, shown, frame, walked, quick, progress) if waves else (None, "left out, as asked for")
    total = counted.total
    text = page(
        "report.html",
        **_about(design, counted, parts),
        layout=parts,
        drawings=[draw(parts, design.manifest.name, size, counted.board.block_ram_name) for size in WIDTHS],
        stages=[block for block in parts.blocks if block.cycles is not None],
        counted=counted,
        accuracy=judged,
        labels=[class_name(network, k) for k in range(network.outputs)] if network.is_classifier else [],
        verified=verified,
        how_compared=how_compared,
        words=words_of((block.title for block in parts.blocks), counted.board.block_ram_name),
        benches=benches,
        walk=walked,
        waves=seen,
        no_waves=why,
        frontier=points,
        frontier_svg=None
        if points is None or total is None
        else draw_frontier(points, total.luts, design.manifest.interval_cycles),
    )
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / REPORT, text)
    missing = _missing(judged, verified, benches, counted, why if seen is None else "", points is None)
    return Report(file=out / REPORT, bytes=len(text.encode()), missing=missing)


def _about(design: Design, counted: CountedResources, parts: BlockDiagram) -> dict[str, Any]:
    network, manifest = design.network, design.manifest
    slow = [block for block in parts.blocks if block.slowest]
    return {
        "network": network,
        "manifest": manifest,
        "plan": design.plan,
        "edited": design.edited_files,
        "rate": manifest.clock_mhz * 1e6 / manifest.interval_cycles,
        "microseconds": manifest.latency_cycles / manifest.clock_mhz,
        "lead": _lead(design),
        "slowest": _names(slow),
        "example": next((block for block in parts.blocks if block.grid is not None), None),
        "share": share,
        "difference": difference,
        "family": counted.family.name,
    }


def _lead(design: Design) -> str:
    """What the design holds and how much of it works at a time, in words."""
    layers = [node for node in design.network.nodes if node.operator.weight_bits]
    matrices = design.network.matrix_layers
    lookups = [node for node in layers if node.operator.matrix is None]  # what they hold is tables
    tables = sum(node.operator.weight_bits for node in lookups)
    weights = design.network.weight_bits - tables
    lanes = sum(layer.lanes for layer in design.manifest.layers)
    held, working = [], []
    if matrices:
        bits = all(layer.weight_type.xnor for layer in matrices)
        binary = bits and not any(layer.sums_dots for layer in matrices)
        held.append(f"{weights:,} {'weights of one bit' if bits else 'bits of weights'}")
        working.append(f"{lanes:,} {'binary multipliers' if binary else 'multipliers'}")
    if tables:
        neurons = sum(node.outputs for node in lookups)
        held.append(f"{neurons:,} lookup tables of {tables:,} bits")
    where = f"in {len(layers)} layer{'' if len(layers) == 1 else 's'}"
    return f"{' and '.join(held)} {where}" + (f"; {working[0]} at work at a time" if working else "")


def _names(blocks: list[DrawnBlock]) -> str:
    return ", ".join(dict.fromkeys(block.layer or block.title for block in blocks))


def share(value: float, whole: float) -> str:
    """`value` as a share of `whole`: the width of a bar in CSS."""
    return f"{min(100.0, 100 * value / whole if whole else 0.0):.2f}%"


def difference(estimated: float, measured: float) -> str:
    """How far an estimate lies from what was measured, as text."""
    return "±0 %" if estimated == measured else f"{100 * (estimated - measured) / max(measured, 1e-9):+.1f} %"


def _kept_frames(design: Design, verified: list[KeptVerification]) -> Frames | None:
    """The frames of a data set that was verified, if it can be had without being told where."""
    for one in sorted(verified, key=lambda kept: -kept.frames):
        try:
            return load_frames(design.network, one.data)
        except DataError:
            continue
    return None


def _walk(design: Design, shown: Frames, frame: int) -> Walk:
    label = None
    if shown.labels is not None and shown.labels.ndim == 1 and design.network.is_classifier:
        label = int(shown.labels[frame])
    one = shown.frames[frame : frame + 1]
    return walk(design, one, name=f"frame {frame} of {shown.name}", label=label)


def _waves(
    design: Design, shown: Frames, frame: int, walked: Walk, quick: bool, progress: Progress | None
) -> tuple[_Waves | None, str]:
    """The drawings, or why there are none: without a simulator the rest of the report is written all the same."""
    try:
        found = run_frame(design, shown.frames[frame : frame + 1], quick=quick, progress=progress)
    except (ToolError, ModuleNotFoundError) as error:
        return None, f"not simulated: {error}"
    chosen = next((k for k, score in enumerate(walked.scores) if score.chosen), None)
    return _Waves(
        simulator=found.simulator,
        latency=found.latency,
        interval=design.manifest.interval_cycles,
        at_once=_at_once(design),
        agrees=None if found.classes is None or not design.network.is_classifier else found.classes == chosen,
        overview=(overview(found, ROOMY), overview(found, PHONE)),
        going_in=(*going_in(found, ROOMY), *going_in(found, PHONE)),
        coming_out=(*coming_out(found, ROOMY), *coming_out(found, PHONE)),
    ), ""


def _at_once(design: Design) -> str:
    """How many of the last layer's sums a word has, in words."""
    pe, classes = design.manifest.layers[-1].pe, design.network.is_classifier
    if pe == 1:
        return "one class after another" if classes else "one output after another"
    return f"{pe} {'classes' if classes else 'outputs'} at a time"


def _missing(
    judged: Accuracy | None,
    verified: list[KeptVerification],
    benches: list[KeptBenches],
    counted: CountedResources,
    no_waves: str,
    no_frontier: bool,
) -> tuple[str, ...]:
    """What is not shown, and the command that would bring it."""
    found = []
    if not verified:
        found.append("no verification is kept: bitwright verify")
    if not benches:
        found.append("no protocol benches are kept: bitwright simulate")
    if judged is None:
        found.append("no accuracy: give --data, a set with labels")
    if counted.measured is None:
        found.append(f"nothing measured: bitwright synth --family {counted.family.name}")
    if no_waves:
        found.append(f"no waves: {no_waves}")
    if no_frontier:
        found.append("no frontier: bitwright explore, then --frontier")
    return tuple(found)
