"""`play`: a page that lets one draw digits for the accelerator, simulated or on a board."""

from typing import TYPE_CHECKING

from bitwright.api.common import PathLike, needs_extra, open_design
from bitwright.api.frames import load_frames
from bitwright.notebook import shows_progress
from bitwright_core.design import Design
from bitwright_core.errors import DataError, OutputError
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright.playing.boards import PynqPlace, SerialPlace
    from bitwright.playing.hardware import Hardware
    from bitwright.playing.server import Server

PORT = 8017  # a page's, unless told otherwise


@shows_progress
def play(
    design: Design | PathLike,
    data: str = "random",
    *,
    port: int = 0,
    on: "PynqPlace | SerialPlace | None" = None,
    data_dir: PathLike | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "Server":
    """Serves a page on loopback on which one draws a digit, or picks a frame of `data`, and the accelerator
    classifies it at once: simulated by Verilator, or `on` a board.

    `data` is what `load_frames` takes, and says how white a drawing's white is. `port` 0 is any free one;
    `trust_verilog` as in `simulate`. The server answers once it is started, in a thread or here, until it is shut down:

        server = bw.play("design", "digits")
        server.start()
        server.address

    Raises ToolError without a simulator, BoardError for a board that cannot be reached,
    DataError for a data set that there is not or a port that cannot be,
    OutputError for a port that is taken.
    """
    from bitwright.playing.server import Play, Server

    if not 0 <= port < 1 << 16:
        raise DataError(f"a port is a number from 0 to 65,535, not {port}")
    opened = open_design(design, trust_verilog=trust_verilog)
    frames = load_frames(opened.network, data, data_dir=data_dir)
    hardware = _simulator(opened, progress) if on is None else on.open(opened, progress)
    try:
        return Server(Play(design=opened, hardware=hardware, frames=frames), port)
    except OSError as error:
        hardware.close()
        raise OutputError(
            f"port {port} of this machine cannot be had ({error.strerror}); give another with --port"
        ) from None


def _simulator(design: Design, progress: Progress | None) -> "Hardware":
    from bitwright.playing.simulator import Simulator

    with needs_extra("sim", "play"):
        from bitwright_sim.native.build import build_native

        return Simulator(design, build_native(design, progress=progress))
