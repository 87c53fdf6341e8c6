"""What `bench/search_bench.py` found, as tables and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from search_jobs import Design
from search_verdict import GAIN_GOAL, RANK_GOAL, SAVING_GOAL, Beside, Point, Ranking, Scaling

from bitwright.cli.output import percent, print_facts, print_table
from bitwright_core.atomic import write_text


def designs(out: Path) -> list[Design]:
    """All that was measured so far."""
    files = sorted((out / "designs").glob("[!.]*.json"))
    return [msgspec.json.decode(file.read_bytes(), type=Design) for file in files]


def report(out: Path) -> dict[str, Any]:
    """What the designs under `out` say; printed, and written to search-bench.json."""
    found = designs(out)
    parts = {part: [one for one in found if one.part == part] for part in ("scaling", "search", "rank")}
    told: dict[str, Any] = {"designs": [asdict(one) for one in found]}
    for part in ("scaling", "search"):
        _print_networks(part, parts[part])
    if parts["scaling"] and parts["search"]:
        told |= _beside(parts["scaling"], parts["search"])
    if len(parts["rank"]) > 2:
        ranking = Ranking.of([(one.luts, one.counted_luts) for one in parts["rank"]])
        told["rank"] = asdict(ranking)
        print_facts(
            [
                ("designs of the searches", str(ranking.designs)),
                ("rank correlation, estimate and Yosys", f"{ranking.correlation:.4f} (goal {RANK_GOAL})"),
                ("error of the estimate", f"mean {percent(ranking.mean_error)}, worst {percent(ranking.worst_error)}"),
            ]
        )
    write_text(out / "search-bench.json", json.dumps(told, indent=2) + "\n")
    return told


def _print_networks(part: str, some: Sequence[Design]) -> None:
    rows = [
        [one.seed, one.network, percent(one.accuracy), one.counted_luts, one.luts, one.block_rams, one.cycles]
        for one in sorted(some, key=lambda one: (one.seed, one.counted_luts))
    ]
    columns = ["seed", "network", "test", "LUTs", "estimate", "block RAM", "cycles"]
    print_table(columns, rows, title=f"{part}: {len(some)} networks")


def _point(one: Design) -> Point:
    return one.counted_luts, one.accuracy or 0.0


def _beside(scalings: Sequence[Design], searched: Sequence[Design]) -> dict[str, Any]:
    """The scaling, and each seed's networks beside it."""
    widths = sorted({one.number for one in scalings})
    scaling = Scaling.of([[_point(one) for one in scalings if one.number == width] for width in widths])
    seeds = sorted({one.seed for one in searched})
    found = [Beside.of(seed, [_point(one) for one in searched if one.seed == seed], scaling) for seed in seeds]
    print_table(
        ["seed", "networks", "points at equal LUTs", "LUTs saved at equal accuracy", "holds"],
        [
            [
                one.seed,
                one.networks,
                "-" if one.gain is None else f"{one.gain:+.2f}",
                percent(one.saving),
                "yes" if one.holds else "no",
            ]
            for one in found
        ],
        title=f"beside uniform scaling, means; goal {GAIN_GOAL} points or {SAVING_GOAL:.0%}",
    )
    facts = [{**asdict(one), "gain": one.gain, "saving": one.saving, "holds": one.holds} for one in found]
    return {"scaling": scaling.points, "beside": facts}
