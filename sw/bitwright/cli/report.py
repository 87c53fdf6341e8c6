"""`bitwright report DIR`: one HTML file that shows a design, its resources, its proofs and a frame on its way."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "report",
        description="Writes report.html, one file that needs nothing beside it: the accelerator drawn to the scale of "
        "its LUTs, cycles, resources, what was verified, and one frame on its way, with simulated waves.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("--out", metavar="FOLDER", type=Path, help="where to write report.html (default: DIR)")
    command.add_argument("--board", metavar="B", help="what resources are set beside (default: the plan's board)")
    command.add_argument("--frontier", metavar="FOLDER", type=Path, help="the folder that explore wrote, to show it")
    frames = command.add_argument_group("the frame that is shown")
    kept = "that of the largest verification, else random"
    add_frames(frames, default=None, required=False, frames=False, otherwise=kept)
    frames.add_argument("--frame", metavar="N", type=int, default=0, help="its number, from 0 on (default: 0)")
    frames.add_argument("--no-waves", action="store_true", help="simulate nothing")
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout, say
    from bitwright_core.design import Design
    from bitwright_core.writable import check_folder

    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    check_folder(design.folder if args.out is None else args.out)
    with quiet_stdout(args.json), progress() as bars:
        report = api.report(
            design,
            args.out,
            data=args.data,
            data_dir=args.data_dir,
            frame=args.frame,
            frontier=args.frontier,
            board=args.board,
            waves=not args.no_waves,
            progress=bars,
        )
    if args.json:
        print_json(report.to_dict())
        return 0
    for missing in report.missing:
        say(f"{missing}")
    say(f"\nwritten to {report.file}, {report.bytes / 1024:,.0f} KiB: open it in a browser")
    return 0
