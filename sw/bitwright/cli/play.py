"""`bitwright play DIR`: a page on loopback where a drawn digit goes through the simulated accelerator."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "play",
        description="Serves a page, for this machine alone, on which one draws a digit or picks a frame, and the "
        "Verilog, compiled, classifies it at once. Ends with Ctrl-C.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    add_frames(command, default="random", frames=False)
    command.add_argument("--port", metavar="P", type=int, default=8017, help="of the page (default: 8017; 0: any)")
    command.add_argument("--open", action="store_true", help="open the page in the browser")
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout, say
    from bitwright_core.design import Design

    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    with quiet_stdout(args.json), progress() as bars:
        server = api.play(design, args.data, port=args.port, data_dir=args.data_dir, progress=bars)
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
        server.play.simulator.close()
    return 0
