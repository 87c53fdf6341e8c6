"""The frontier of accuracy and LUTs: networks of lookup tables of several sizes, trained, counted and verified."""

import io
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.pareto import unbeaten
from bitwright.peers import Peer, peers_of
from bitwright.picture import blank, logarithmic_costs
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.errors import TrainingError
from bitwright_core.network import load
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright_train import TrainConfig

POINTS = "accuracy.json"
_OURS, _THEIRS, _DATA_BITS = "#1d4ed8", "#c2410c", 64


@dataclass(frozen=True, kw_only=True)
class AccuracyPoint:
    """A trained network: percent of the test set told right, LUTs by Yosys, and frames equal in simulation."""

    neurons: tuple[int, ...]
    fan_in: int
    levels: int
    seed: int
    accuracy: float
    luts: int
    expected_luts: int
    verified_frames: int
    folder: str


@dataclass(frozen=True, kw_only=True)
class AccuracyFrontier:
    """All points, the fewest LUTs first, and others' figures for the same data."""

    dataset: str
    points: tuple[AccuracyPoint, ...]
    peers: tuple[Peer, ...]

    @property
    def frontier(self) -> tuple[AccuracyPoint, ...]:
        """The points that no other beats in both accuracy and LUTs."""
        return unbeaten(self.points, lambda point: point.luts, lambda point: point.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """What `bitwright explore --accuracy --json` prints."""
        frontier = self.frontier
        return {
            "dataset": self.dataset,
            "points": [asdict(point) | {"frontier": point in frontier} for point in self.points],
            "peers": [asdict(peer) for peer in self.peers],
        }

    def save(self, folder: Path) -> list[Path]:
        """Writes accuracy.png, accuracy.md (a table, with others' sources) and accuracy.json."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / "accuracy.png", folder / "accuracy.md", folder / POINTS]
        write_bytes(files[0], self.picture())
        write_text(files[1], self.table())
        write_text(files[2], json.dumps(self.to_dict(), indent=2) + "\n")
        return files

    def table(self) -> str:
        """Markdown: our points, then others' with their source."""
        lines = [
            "| Neurons | Inputs | Levels | Seed | Accuracy | LUTs | Estimate | Frames verified | Frontier |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for p in self.points:
            sizes = "-".join(map(str, p.neurons))
            lines.append(
                f"| {sizes} | {p.fan_in} | {p.levels} | {p.seed} | {p.accuracy:.2f} % | {p.luts:,} "
                f"| {p.expected_luts:,} | {p.verified_frames:,} | {'yes' if p in self.frontier else ''} |"
            )
        lines += ["", "| Others | Accuracy | LUTs | Encoder counted | Source |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {peer.what} | {peer.accuracy:.2f} % | {peer.luts:,} | {'yes' if peer.encoder else 'no'} "
            f"| {peer.source} |"
            for peer in self.peers
        ]
        return "\n".join(lines) + "\n"

    def picture(self) -> bytes:
        """A PNG: accuracy over LUTs, logarithmic, others' points with their names."""

        figure = blank(7.5, 4.8)
        panel = figure.subplots()
        panel.plot([p.luts for p in self.points], [p.accuracy for p in self.points], "o", color=_OURS, markersize=4)
        best = self.frontier
        panel.plot(
            [p.luts for p in best], [p.accuracy for p in best], "-", color=_OURS, linewidth=1.2, label="bitwright"
        )
        for counted, mark in ((True, "s"), (False, "x")):
            some = [peer for peer in self.peers if peer.encoder == counted]
            label = "others, " + ("everything counted" if counted else "without the encoder")
            if some:
                panel.plot(
                    [p.luts for p in some], [p.accuracy for p in some], mark, color=_THEIRS, markersize=5, label=label
                )
            for peer in some:
                right = peer.luts == max(other.luts for other in self.peers)  # its name would run out of the picture
                panel.annotate(
                    peer.what,
                    (peer.luts, peer.accuracy),
                    xytext=(-6 if right else 5, -3),
                    textcoords="offset points",
                    ha="right" if right else "left",
                    fontsize=8,
                )
        logarithmic_costs(panel)
        panel.set_xlabel("LUTs of xc7 (Yosys), everything counted")
        panel.set_ylabel("% of the test set told right")
        panel.grid(True, color="#e5e7eb")
        panel.legend(loc="best", edgecolor="white", fontsize=9)
        figure.suptitle(f"Lookup tables on {self.dataset}")
        out = io.BytesIO()
        figure.savefig(out, format="png")
        return out.getvalue()


def variants(
    config: "TrainConfig", widths: Sequence[Sequence[int]], levels: Sequence[int], fan_ins: Sequence[int]
) -> list["TrainConfig"]:
    """`config` with each of the sizes; what is not given stays as it is. Raises TrainingError for a dense network."""
    if config.luts is None:
        raise TrainingError(f"{config.name} has no layers of lookup tables; give a configuration with [luts]")
    found = []
    every: Sequence[int | None] = levels or [None]
    for neurons, level, fan_in in itertools.product(
        widths or [config.luts.neurons], every, fan_ins or [config.luts.fan_in]
    ):
        luts = replace(config.luts, neurons=tuple(neurons), fan_in=fan_in)
        encoding = {} if level is None else {"thresholds": (), "levels": level}
        found.append(replace(config, luts=luts, **encoding))  # type: ignore[arg-type]
    return found


def measured(
    config: "TrainConfig", out: Path, data_dir: Path | None, frames: int, progress: Progress | None
) -> AccuracyPoint:
    """Trains, exports, counts and verifies one point under `out`; a network that is there already is taken.

    Raises what training, generation, synthesis and verification raise, and TrainingError where simulation differs.
    """
    from bitwright_data import load_held_out
    from bitwright_hw import generate
    from bitwright_hw.families import XC7
    from bitwright_hw.synth import synthesize
    from bitwright_sim import verify
    from bitwright_train import train

    assert config.luts is not None
    sizes = "-".join(map(str, config.luts.neurons))
    levels = len(config.encoding_thresholds)
    folder = out / f"{sizes}-in{config.luts.fan_in}-levels{levels}-seed{config.seed}"
    report = train(config, folder, data_dir=data_dir, progress=progress)
    network = load(folder / "network.safetensors")
    design = generate(network, Plan(layers=(), data_bits=_DATA_BITS, target=XC7.name), folder / "design")
    counted = synthesize(design, family=XC7, progress=progress)
    verified = 0
    if frames:
        held = load_held_out(config.dataset, data_dir).frames[:frames]
        found = verify(design, network, held, progress=progress)
        if not found.passed:
            raise TrainingError(f"{folder}: the design differs from the network in simulation; see its reproducer")
        verified = len(held)
    assert counted.estimate is not None
    return AccuracyPoint(
        neurons=config.luts.neurons,
        fan_in=config.luts.fan_in,
        levels=levels,
        seed=config.seed,
        accuracy=100 * report.test_accuracy,
        luts=counted.total.luts,
        expected_luts=counted.estimate.total.luts,
        verified_frames=verified,
        folder=str(folder),
    )


def explored(
    configs: Sequence["TrainConfig"],
    out: Path,
    measure: Callable[["TrainConfig"], AccuracyPoint],
) -> AccuracyFrontier:
    """What `measure` finds of each of `configs`, written under `out` after each, so that nothing is lost."""
    points: list[AccuracyPoint] = []
    dataset = configs[0].dataset
    for config in configs:
        points.append(measure(config))
        points.sort(key=lambda point: point.luts)
        found = AccuracyFrontier(dataset=dataset, points=tuple(points), peers=peers_of(dataset))
        found.save(out)
    return found
