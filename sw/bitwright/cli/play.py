"""`bitwright play DIR`: a page on loopback where a drawn digit goes through the accelerator, here or on a board."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright.playing.boards import PynqPlace, SerialPlace


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames
    from bitwright.cli.login import add_login, add_pynq
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "play",
        description="Serves a page, for this machine alone, on which one draws a digit or picks a frame, and the "
        "Verilog, compiled, or the design on a board classifies it at once. Ends with Ctrl-C.",
    )
    command.add_argument(
        "design", metavar="DIR", type=Path, help="a design folder; with --serial what bitwright build wrote"
    )
    add_frames(command, default="random", frames=False)
    command.add_argument("--port", metavar="P", type=int, default=8017, help="of the page (default: 8017; 0: any)")
    command.add_argument("--open", action="store_true", help="open the page in the browser")
    pynq = command.add_argument_group("on a PYNQ board, over SSH")
    add_login(pynq, port="--ssh-port")
    pynq.add_argument("--board", metavar="B", default="", help="which (default: the plan's)")
    pynq.add_argument(
        "--overlay", metavar="BIT", type=Path, help="the .bit, or its folder (default: what bitwright build wrote)"
    )
    pynq.add_argument("--simulated-board", action="store_true", help="the driver under pynq, here, and no board")
    add_pynq(pynq)
    serial = command.add_argument_group("on a board with a serial link")
    serial.add_argument("--serial", metavar="DEV", help='its port, as in /dev/ttyUSB0; "simulated": its pins, here')
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout, say
    from bitwright_core.board_build import built_design
    from bitwright_core.design import Design

    if args.serial is None:
        design = Design.load(args.design, trust_verilog=args.trust_verilog)
    else:
        design = built_design(args.design, trust_verilog=args.trust_verilog)
    with quiet_stdout(args.json), progress() as bars:
        server = api.play(design, args.data, port=args.port, on=_place(args), data_dir=args.data_dir, progress=bars)
    note_edited(design, "simulated")
    if args.json:
        print_json({"address": server.address})
    else:
        say(f"{server.address} shows {design.manifest.name}; end with Ctrl-C")
    sys.stdout.flush()
    if args.open:
        import webbrowser

        webbrowser.open(server.address)
    try:
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        server.server_close()
        server.play.hardware.close()
    return 0


def _place(args: argparse.Namespace) -> "PynqPlace | SerialPlace | None":
    """Where to play; None in the simulator here."""
    from bitwright_core.errors import BoardError

    if (args.host is not None) + args.simulated_board + (args.serial is not None) > 1:
        raise BoardError("--host, --simulated-board and --serial say three places; choose one")
    if args.serial is not None:
        from bitwright.playing.boards import SerialPlace

        return SerialPlace(folder=args.design, port=None if args.serial == "simulated" else args.serial)
    if args.host is None and not args.simulated_board:
        return None
    from bitwright.cli.login import login, pynq_python
    from bitwright.playing.boards import PynqPlace

    return PynqPlace(
        login=None if args.host is None else login(args),
        simulated=pynq_python(args) if args.simulated_board else None,
        board=args.board,
        overlay=args.overlay,
    )
