"""The picture of a training run: losses and accuracies by epoch."""

import io
from pathlib import Path

from bitwright_core.atomic import write_bytes
from bitwright_train.checkpoint import Epoch

_TRAIN = "#1f5fa8"
_VALIDATION = "#c8501e"
_DPI = 120


def write_curves(path: Path, title: str, history: list[Epoch], best_epoch: int) -> None:
    """Draws the history to a PNG, without a display. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [entry.epoch for entry in history]
    losses, accuracies = figure.subplots(1, 2)
    few = "o" if len(history) < 3 else None  # a line of one point shows nothing
    for axes, what, factor in ((losses, "loss", 1.0), (accuracies, "accuracy", 100.0)):
        for part, colour in (("train", _TRAIN), ("validation", _VALIDATION)):
            values = [getattr(entry, f"{part}_{what}") for entry in history]
            if None in values:
                continue
            label = "training" if part == "train" else part
            points = [value * factor for value in values]
            axes.plot(epochs, points, color=colour, linewidth=1.6, marker=few, label=label)
            if part == "validation":
                axes.plot(
                    best_epoch,
                    points[best_epoch - 1],
                    linestyle="none",
                    marker="o",
                    markersize=6,
                    markerfacecolor="white",
                    markeredgecolor=colour,
                    markeredgewidth=1.6,
                    label=f"kept (epoch {best_epoch})",
                )
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(True, color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        # a place of its own, since looking for the best one takes long on a busy machine, of which matplotlib warns
        axes.legend(frameon=False, loc="upper right" if what == "loss" else "lower right")
    losses.set_ylabel("loss")
    accuracies.set_ylabel("accuracy (%)")
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": "bitwright"})
    write_bytes(path, buffer.getvalue())
