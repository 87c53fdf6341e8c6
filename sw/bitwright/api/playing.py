"""`play`: a page that lets one draw digits for the simulated accelerator."""

from typing import TYPE_CHECKING

from bitwright.api.common import PathLike, needs_extra, open_design
from bitwright.api.frames import load_frames
from bitwright_core.design import Design
from bitwright_core.errors import DataError, OutputError
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright.playing.server import Server

PORT = 8017  # a page's, unless told otherwise


def play(
    design: Design | PathLike,
    data: str = "random",
    *,
    port: int = 0,
    data_dir: PathLike | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "Server":
    """Serves a page on loopback on which one draws a digit, or picks a frame of `data`, and the simulated accelerator
    classifies it at once.

    `data` is what `load_frames` takes, and says how white a drawing's white is. `port` 0 is any free one;
    `trust_verilog` as in `simulate`. The server answers once it is started, in a thread or here, until it is shut down:

        server = bw.play("design", "digits")
        server.start()
        server.address

    Raises ToolError without a simulator, DataError for a data set that there is not or a port that cannot be,
    OutputError for a port that is taken.
    """
    from bitwright.playing.server import Play, Server
    from bitwright.playing.simulator import Simulator

    if not 0 <= port < 1 << 16:
        raise DataError(f"a port is a number from 0 to 65,535, not {port}")
    opened = open_design(design, trust_verilog=trust_verilog)
    frames = load_frames(opened.network, data, data_dir=data_dir)
    with needs_extra("sim", "play"):
        from bitwright_sim.native.build import build_native

        library = build_native(opened, progress=progress)
    try:
        return Server(Play(design=opened, simulator=Simulator(opened, library), frames=frames), port)
    except OSError as error:
        raise OutputError(
            f"port {port} of this machine cannot be had ({error.strerror}); give another with --port"
        ) from None
