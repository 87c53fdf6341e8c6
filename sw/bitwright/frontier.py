"""The frontier of a network on a board: rate against LUTs and block RAM, as a picture and a page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitwright.picture import blank, plain_frame, rendered
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.plan import Plan

POINTS = "frontier.json"
_MARK, _LINE, _LIMIT = "#c2410c", "#1d4ed8", "#6b7280"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A plan of the frontier, and what the model expects of it."""

    plan: Plan
    interval_cycles: int
    frames_per_second: float
    luts: int
    ffs: int
    block_rams: float
    chosen: bool = False
    counted_luts: int | None = None  # by Yosys; None where it was not asked
    counted_block_rams: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The point for JSON."""
        layers = [
            {"name": layer.name, "pe": layer.pe, "simd": layer.simd, "memory": layer.memory}
            for layer in self.plan.layers
        ]
        return {
            "interval_cycles": self.interval_cycles,
            "frames_per_second": self.frames_per_second,
            "luts": self.luts,
            "ffs": self.ffs,
            "block_rams": self.block_rams,
            "counted_luts": self.counted_luts,
            "counted_block_rams": self.counted_block_rams,
            "chosen": self.chosen,
            "layers": layers,
        }


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """The frontier, the fastest point first; one of the points is chosen."""

    network: str
    board: str
    title: str
    clock_mhz: float
    luts: int  # that the board has
    block_rams: int
    block_ram_name: str
    points: tuple[Point, ...]

    @property
    def synthesized(self) -> bool:
        """Whether Yosys counted every point."""
        return all(point.counted_luts is not None for point in self.points)

    @property
    def chosen(self) -> Point:
        return next(point for point in self.points if point.chosen)

    def to_dict(self) -> dict[str, Any]:
        """What `bitwright explore --json` prints."""
        return {
            "network": self.network,
            "board": self.board,
            "clock_mhz": self.clock_mhz,
            "points": [point.to_dict() for point in self.points],
        }

    def save(self, folder: Path) -> list[Path]:
        """Writes frontier.png, index.html, which needs nothing beside it, frontier.json for `report`, and the chosen
        point's plan.toml."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / name for name in ("frontier.png", "index.html", "plan.toml", POINTS)]
        write_bytes(files[0], self._picture("png"))
        write_text(files[1], self._page(self._picture("svg").decode()))
        self.chosen.plan.save(files[2])
        write_text(files[3], json.dumps(self.to_dict(), indent=2) + "\n")
        return files

    def _picture(self, form: str) -> bytes:
        """Rate against LUTs and against blocks, both on logarithmic scales."""
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        figure = blank(11, 4.6)
        panels = figure.subplots(1, 2, sharey=True)
        rates = [point.frames_per_second for point in self.points]
        plain = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        chosen = self.chosen
        sides: list[tuple[Any, str, list[float], float, float]] = [
            (panels[0], "LUTs", [float(point.luts) for point in self.points], self.luts, chosen.luts),
            (
                panels[1],
                self.block_ram_name,
                [point.block_rams for point in self.points],
                self.block_rams,
                chosen.block_rams,
            ),
        ]
        for panel, what, values, limit, mine in sides:
            panel.plot(values, rates, "o-", color=_LINE, markersize=4, linewidth=1.2, label="the least LUTs for a rate")
            panel.plot([mine], [chosen.frames_per_second], "o", color=_MARK, markersize=9, label="chosen", zorder=3)
            panel.axvline(limit, color=_LIMIT, linestyle="--", linewidth=1, label=f"the board has {limit:,}")
            panel.set_yscale("log")
            if min(values) > 0:
                panel.set_xscale("log")
            panel.set_xlabel(f"{what} (estimated)")
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_formatter(plain)
                axis.set_minor_formatter(NullFormatter())
            if min(values) > 0:
                panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            plain_frame(panel)
        panels[0].set_ylabel(f"frames a second at {self.clock_mhz:g} MHz")
        panels[0].annotate(
            f"{chosen.frames_per_second:,.0f} frames/s\n{chosen.luts:,} LUTs",
            (chosen.luts, chosen.frames_per_second),
            xytext=(12, -8),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=9,
            color=_MARK,
        )
        figure.suptitle(f"{self.network} on {self.title}")
        return rendered(figure, form)

    def _page(self, svg: str) -> str:
        from bitwright.pages import page

        return page(
            "frontier.html",
            network=self.network,
            board=self.title,
            svg=svg[svg.index("<svg") :],
            points=self.points,
            synthesized=self.synthesized,
            clock_mhz=self.clock_mhz,
            luts=self.luts,
            block_rams=self.block_rams,
            block_ram_name=self.block_ram_name,
        )
