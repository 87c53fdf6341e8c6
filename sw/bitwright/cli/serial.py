"""`bitwright serial OUT`: frames over a serial line to an open board, or to the simulation of its pins."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright_boards.serial_run import SerialReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames, seconds
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "serial",
        description="Runs frames on a board with a serial link (ulx3s-85f, icebreaker) that holds the bitstream of a "
        "build folder, and compares every class and score with the golden model's: exit status 1 on any mismatch.",
    )
    command.add_argument("build", metavar="OUT", type=Path, help="the folder that bitwright build wrote")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", metavar="DEV", help="the board's serial port, as in /dev/ttyUSB0")
    where.add_argument("--simulated", action="store_true", help="no board: Verilator runs its top, pins and all")
    add_frames(command, default="random")
    command.add_argument(
        "--timeout", metavar="S", type=seconds, default=5.0, help="seconds without any answer (default: 5)"
    )
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout
    from bitwright_core.board_build import built_design

    with quiet_stdout(args.json), progress() as bars:
        report = api.run_serial(
            args.build,
            args.data,
            port=args.port,
            frames=args.frames,
            data_dir=args.data_dir,
            timeout=args.timeout,
            trust_verilog=args.trust_verilog,
            progress=bars,
        )
    if args.simulated:
        note_edited(built_design(args.build), "simulated")
    if args.json:
        print_json(report.to_dict())
    else:
        _print(report, args.data)
    return 0 if report.passed else 1


def _print(report: "SerialReport", data: str) -> None:
    from bitwright.cli.frames import compared, frame_facts
    from bitwright.cli.output import print_facts, say

    facts: list[tuple[str, object]] = [
        ("board", f"{report.board}, {report.port}"),
        *frame_facts(report, frames=report.frames, mismatches=len(report.mismatches), where="on the board"),
        ("compared", compared(report.compared)),
        ("rate", f"{report.frames_per_second:,.0f} frames/s over the line"),
        ("accelerator", f"{report.busy_frames_per_second:,.0f} frames/s by its own cycle counter"),
        ("line", f"{report.packets} packets, {report.repeated} sent again"),
    ]
    print_facts(facts)
    if report.passed:
        say(f"\nEvery class and score of every frame of {data} is the golden model's.")
        return
    shown = ", ".join(map(str, report.mismatches[:20]))
    say(f"\nMISMATCH in frames {shown}{', ...' if len(report.mismatches) > 20 else ''}")
