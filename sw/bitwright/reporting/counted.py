"""What a design takes: the model's estimate, what Yosys counted where `synth` was run, and what a board has."""

import json
from dataclasses import dataclass
from typing import Any

from bitwright_boards import Board, load_board
from bitwright_core.design import Design
from bitwright_core.errors import BitwrightError, PlanError
from bitwright_core.families import FamilyName
from bitwright_core.untrusted import MAX_TEXT_BYTES, file_inside
from bitwright_hw.cells import Counts
from bitwright_hw.estimate import estimate
from bitwright_hw.families import COUNTED, Family, family_named

# what a design is set beside where neither its plan nor the user names a board: the first of its family, else the first
_BOARDS = ("pynq-z2", "ulx3s-85f", "icebreaker")


class CountedError(BitwrightError):
    """A synth-FAMILY.json that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What `synth` counted. `parts` are engines and queues, by the names of their modules."""

    tool: str
    total: Counts
    parts: dict[str, Counts]
    layers: tuple[Counts, ...]
    other: Counts


@dataclass(frozen=True, kw_only=True)
class Share:
    """How much of a board's resource is taken."""

    name: str
    used: float
    there: int

    @property
    def percent(self) -> float:
        return 100 * self.used / self.there


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A row of the table of estimate and measurement: LUTs, flip-flops and block RAM of each, None where unknown."""

    name: str
    estimated: Counts | None
    measured: Counts | None


@dataclass(frozen=True, kw_only=True)
class CountedResources:
    """What a design takes on `board`, whose family is `family`. `chosen` says that the plan or the user named it."""

    board: Board
    family: Family
    chosen: bool
    measured: Measured | None
    rows: tuple[Compared, ...]

    @property
    def total(self) -> Counts | None:
        last = self.rows[-1]
        return last.estimated if last.measured is None else last.measured

    @property
    def shares(self) -> tuple[Share, ...]:
        total, there = self.total, self.board.resources
        if total is None:
            return ()
        pairs = [
            ("LUTs", total.luts, there.luts),
            ("flip-flops", total.ffs, there.ffs),
            (self.board.block_ram_name, total.block_rams, there.block_rams),
            ("DSPs", total.dsps, there.dsps),
            *([("UltraRAMs", total.ultra_rams, there.ultra_rams)] if total.ultra_rams else []),
        ]
        return tuple(Share(name=name, used=used, there=limit) for name, used, limit in pairs if limit)


def resources(design: Design, board: str | None) -> CountedResources:
    """What `design` takes, beside what `board` has (default: the plan's, or one of its family).

    Raises BoardError for an unknown board, or one of another family.
    """
    name = board or design.plan.board or _board_of(design.plan.target)
    found = load_board(name)
    family = family_named(found.target)
    if family not in COUNTED:
        raise CountedError(f"board {name} has a {found.target}, of which nothing is counted; name another board")
    measured = read_measured(design, family)
    return CountedResources(
        board=found,
        family=family,
        chosen=bool(board or design.plan.board),
        measured=measured,
        rows=_rows(design, family, measured),
    )


def _rows(design: Design, family: Family, measured: Measured | None) -> tuple[Compared, ...]:
    names = [layer.name for layer in design.manifest.layers]
    model: list[Counts | None] = [None] * (len(names) + 2)
    try:
        expected = estimate(design.network, design.plan, family=family)
    except PlanError:
        pass  # hardwired layers: nobody knows before synthesis
    else:
        model = [*(layer.total for layer in expected.layers), expected.other, expected.total]
    counted: list[Counts | None] = [None] * len(model)
    if measured is not None:
        counted = [*measured.layers, measured.other, measured.total]
    return tuple(
        Compared(name=name, estimated=mine, measured=yosys)
        for name, mine, yosys in zip([*names, "all else", "total"], model, counted, strict=True)
    )


def read_measured(design: Design, family: Family) -> Measured | None:
    """What `synth` left in the design's folder for `family`; None if it left nothing, or counted earlier Verilog."""
    name = f"synth-{family.name}.json"
    file = design.folder / name
    if not file.exists():
        return None
    written = max((design.folder / verilog).stat().st_mtime for verilog in design.manifest.verilog)
    if design.edited and file.stat().st_mtime < written:
        return None
    try:
        text = file_inside(design.folder, name, CountedError, limit=MAX_TEXT_BYTES).read_bytes()
        return _measured(json.loads(text), family, len(design.manifest.layers))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise CountedError(f"{file}: damaged; synthesize again") from None


def _measured(facts: dict[str, Any], family: Family, layers: int) -> Measured:
    key = family.block_ram.key
    parts = {}
    for k, layer in enumerate(facts["layers"]):
        parts[f"engine_{k}"] = _counts(layer["engine"], key)
        if (queue := _counts(layer["queue"], key)) != Counts():
            parts[f"queue_{k}"] = queue
    if len(facts["layers"]) != layers:
        raise ValueError("other layers")
    return Measured(
        tool=str(facts["tool"]),
        total=_counts(facts, key),
        parts=parts,
        layers=tuple(_counts(layer, key) for layer in facts["layers"]),
        other=_counts(facts["other"], key),
    )


def _counts(facts: dict[str, Any], key: str) -> Counts:
    whole = {name: int(facts[name]) for name in ("luts", "lutram", "ffs", "dsps")}
    return Counts(**whole, block_rams=float(facts[key]), ultra_rams=int(facts.get("uram", 0)))


def _board_of(target: FamilyName) -> str:
    return next((name for name in _BOARDS if load_board(name).target == target), _BOARDS[0])
