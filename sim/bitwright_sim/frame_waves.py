"""Every signal of one frame in the idle accelerator, for a viewer of waves."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.progress import Progress
from bitwright_core.writable import check_file
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.model import MISSING, NativeModel
from bitwright_sim.surfer_view import surfer_file
from bitwright_sim.wave_view import view_file, write_view

_SCOPE = "bitwright.bitwright_native.dut"  # of the top, below the wrapper (native/build.py)
_CYCLE = 10  # units of the trace
_AFTER = 8  # cycles that follow the result


def frame_waves(
    design: Design,
    frame: NDArray[Any],
    file: Path,
    *,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """Simulates `frame` (1, ...) and writes its signals to `file` (VCD), and save files for GTKWave, which it returns,
    and Surfer, with marks where the first beat goes in and the last one comes out.

    Raises OutputError if the file cannot be written, ToolError without a simulator.
    """
    check_file(file)
    check_file(view_file(file))
    check_file(surfer_file(file))
    with NativeModel(design, trace=file, cache=cache, progress=progress) as model:
        result = model.run(pack_frames(design.network, design.plan, frame), quiet=_AFTER)
    times = {"first beat in": result.first_in[0], "last beat out": result.last_out[0]}
    marks = {name: _CYCLE * int(cycle) for name, cycle in times.items() if cycle != MISSING}
    return write_view(file, design, _SCOPE, marks)
