"""The report of a design."""

from pathlib import Path
from typing import TYPE_CHECKING

from bitwright.api.common import PathLike, open_design
from bitwright.api.frames import load_frames
from bitwright.notebook import shows_progress
from bitwright_core.design import Design
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright.reporting.write import Report


@shows_progress
def report(
    design: Design | PathLike,
    out: PathLike | None = None,
    *,
    data: str | None = None,
    data_dir: PathLike | None = None,
    frame: int = 0,
    frontier: PathLike | None = None,
    board: str | None = None,
    waves: bool = True,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "Report":
    """Writes report.html, which needs nothing beside it, to folder `out` (default: the design's).

    It draws the accelerator to the scale of its LUTs, and shows cycles, resources beside those of `board` (default: the
    plan's), what `synth`, `verify` and `simulate` found, and frame number `frame` of `data` (what `load_frames` takes;
    default: what was verified) in bits, lanes, scores and simulated waves. `frontier` is the folder that `explore`
    wrote. Without `waves` nothing is simulated; `trust_verilog` as in `simulate`.

        bw.report("design", data="digits").file

    Raises DataError for a data set or a frame that there is not, FrontierError for a folder without a frontier,
    BoardError for an unknown board.
    """
    from bitwright.reporting.write import write_report

    opened = open_design(design, trust_verilog=trust_verilog)
    return write_report(
        opened,
        opened.folder if out is None else Path(out),
        data=None if data is None else load_frames(opened.network, data, data_dir=data_dir),
        frame=frame,
        frontier=None if frontier is None else Path(frontier),
        board=board,
        waves=waves,
        progress=progress,
    )
