"""What a search found: accuracy against LUTs, as a picture, a page and JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitwright.pareto import unbeaten
from bitwright.picture import blank, logarithmic_costs, plain_frame, rendered
from bitwright.searching.candidates import Candidate
from bitwright.searching.final import ChosenNetwork
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.errors import TrainingError

RESULTS = "results.json"
_ALL, _BEST, _CHOSEN, _LIMIT = "#9ca3af", "#1d4ed8", "#c2410c", "#6b7280"


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """All candidates of a search, and what came of the one that was chosen; None while it is under way."""

    network: str
    dataset: str
    board: str
    title: str
    clock_mhz: float
    max_luts: int
    target_fps: float | None
    candidates: tuple[Candidate, ...]
    made: ChosenNetwork | None = None

    @property
    def frontier(self) -> tuple[Candidate, ...]:
        """Of those that keep to the budget, what no other beats in both validation accuracy and LUTs."""
        trained = [one for one in self.candidates if one.fits and one.curve]
        return unbeaten(trained, lambda one: one.luts, lambda one: one.accuracy)

    @property
    def chosen(self) -> Candidate:
        """The most accurate on the validation frames. Raises TrainingError where nothing keeps to the budget."""
        if not self.frontier:
            least = min(self.candidates, key=lambda one: one.excess)
            raise TrainingError(
                f"none of {len(self.candidates)} candidates keeps to the budget: {least.traits}, the nearest, takes "
                f"{least.luts:,} LUTs at {least.frames_per_second:,.0f} frames/s; give a larger budget, or smaller "
                "scales"
            )
        return self.frontier[-1]

    def to_dict(self) -> dict[str, Any]:
        """What `bitwright search --json` prints."""
        frontier = self.frontier
        return {
            "network": self.network,
            "dataset": self.dataset,
            "board": self.board,
            "clock_mhz": self.clock_mhz,
            "max_luts": self.max_luts,
            "target_fps": self.target_fps,
            "candidates": [{**asdict(one), "fits": one.fits, "frontier": one in frontier} for one in self.candidates],
            "chosen": None if self.made is None else asdict(self.made),
        }

    def save(self, folder: Path) -> list[Path]:
        """Writes frontier.png, index.html, which needs nothing beside it, and results.json."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / name for name in ("frontier.png", "index.html", RESULTS)]
        write_bytes(files[0], self._picture("png"))
        write_text(files[1], self._page(self._picture("svg").decode()))
        write_text(files[2], json.dumps(self.to_dict(), indent=2) + "\n")
        return files

    def _picture(self, form: str) -> bytes:
        """Validation accuracy over LUTs, logarithmic, of every trained candidate; the frontier as a line."""

        figure = blank(8, 4.8)
        panel = figure.subplots()
        best = self.frontier
        others = [one for one in self.candidates if one.curve and one not in best]
        points = [(others, "o", _ALL, "candidates", 4), (best, "o-", _BEST, "unbeaten within the budget", 5)]
        for some, mark, colour, label, size in points:
            if some:
                panel.plot(
                    [one.luts for one in some],
                    [100 * one.accuracy for one in some],
                    mark,
                    color=colour,
                    markersize=size,
                    linewidth=1.2,
                    label=label,
                )
        if best:
            panel.plot([best[-1].luts], [100 * best[-1].accuracy], "o", color=_CHOSEN, markersize=9, label="chosen")
        panel.axvline(self.max_luts, color=_LIMIT, linestyle="--", linewidth=1, label=f"{self.max_luts:,} LUTs allowed")
        logarithmic_costs(panel)
        panel.set_xlabel("LUTs (estimated)")
        panel.set_ylabel("% of the validation frames told right, trained shortly")
        plain_frame(panel)
        figure.suptitle(f"{self.network} on {self.title}: {self.dataset}")
        return rendered(figure, form)

    def _page(self, svg: str) -> str:
        from bitwright.pages import page

        frontier = self.frontier
        return page(
            "search.html",
            result=self,
            svg=svg[svg.index("<svg") :],
            frontier=frontier,
            chosen=frontier[-1] if frontier else None,
            untrained=sum(not one.curve for one in self.candidates),
            stopped=sum(one.stopped for one in self.candidates),
        )
