"""Pictures of points over LUTs and other costs: how their axes look, and as bytes of a file. Needs matplotlib."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRID = "#e5e7eb"


def blank(width: float, height: float) -> "Figure":
    """A figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def logarithmic_costs(panel: "Axes") -> None:
    """A logarithmic axis of costs, told at 1, 2, 5, 10, ... with commas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def plain_frame(panel: "Axes") -> None:
    """A grid behind the points, no frame above and to the right, and the legend."""
    panel.grid(True, which="major", color=_GRID)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    panel.legend(edgecolor="white", framealpha=1, loc="lower right", fontsize=9)


def rendered(figure: "Figure", form: str) -> bytes:
    """The file of `figure` as "png" or "svg", the same for the same points."""
    import matplotlib as mpl

    out = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else None
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bitwright", "font.family": "DejaVu Sans"}):
        figure.savefig(out, format=form, metadata=metadata)
    return out.getvalue()
