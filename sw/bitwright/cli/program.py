"""`bitwright program DIR --board B --host H`: an overlay to a board, frames through it, the results judged here."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright_boards.program import ProgramReport, WrongFrame


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames, count, seconds
    from bitwright.cli.login import add_login, add_pynq
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "program",
        description="Copies a design's overlay to a PYNQ board over SSH, runs frames there, and compares every class "
        "and score with the golden model's: exit status 1 on any mismatch. With --jtag: loads a bitstream over JTAG, "
        "and no more.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder, or what bitwright build wrote")
    command.add_argument("--board", metavar="B", required=True, help="one that runs PYNQ, or with --jtag any")
    command.add_argument(
        "--overlay", metavar="BIT", type=Path, help="the .bit, or its folder (default: what bitwright build wrote)"
    )
    ssh = command.add_argument_group("over SSH")
    add_login(ssh)
    ssh.add_argument("--remote-dir", metavar="D", help="where deployments lie there (default: bitwright in the home)")
    add_frames(command.add_argument_group("frames, over SSH and without a board"), default="random")
    ssh.add_argument(
        "--batch-frames", metavar="N", type=count("number of frames"), help="frames a transfer (default: 1 MiB of them)"
    )
    ssh.add_argument(
        "--timeout", metavar="S", type=seconds, default=5.0, help="seconds the accelerator may stand still (default: 5)"
    )
    command.add_argument(
        "--load",
        metavar="NETWORK",
        type=Path,
        action="append",
        default=[],
        help="a network of a bank that goes along, for a design with loadable layers: it is loaded after the design's "
        "own, and runs the frames, too; again for more (default: none)",
    )
    simulated = command.add_argument_group("without a board")
    simulated.add_argument(
        "--simulated", action="store_true", help="run the driver under pynq against the Verilog, on this machine"
    )
    add_pynq(simulated)
    jtag = command.add_argument_group("over JTAG")
    jtag.add_argument("--jtag", action="store_true", help="load the bitstream with openFPGALoader")
    jtag.add_argument("--flash", action="store_true", help="into flash, to stay")
    jtag.add_argument("--cable-serial", metavar="S", help="serial number of the cable, where there are several")
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright_core.errors import BoardError

    if args.jtag and args.load:
        raise BoardError("--load needs the driver, which --jtag does not start")
    if args.jtag:
        return _jtag(args)
    if args.flash or args.cable_serial is not None:
        raise BoardError("--flash and --cable-serial go with --jtag")
    if (args.host is None) == (not args.simulated):
        raise BoardError("say where the board is with --host (PYNQ images: 192.168.2.99), or use --simulated or --jtag")
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.login import login, pynq_python
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout
    from bitwright_boards.program import Job
    from bitwright_core.design import Design

    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    with quiet_stdout(args.json), progress() as bars:
        report = api.program(
            design,
            args.data,
            host=None if args.simulated else login(args),
            simulated=pynq_python(args) if args.simulated else None,
            board=args.board,
            overlay=args.overlay,
            frames=args.frames,
            data_dir=args.data_dir,
            job=Job(remote_folder=args.remote_dir, batch_frames=args.batch_frames, timeout=args.timeout),
            loads=[api.load(path) for path in args.load],
            progress=bars,
        )
    if args.simulated:
        note_edited(design, "simulated")
    if args.json:
        print_json(report.to_dict())
    else:
        _print(report, args.data)
    return 0 if report.passed else 1


def _jtag(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bitwright.cli.output import print_facts, print_json, progress, quiet_stdout
    from bitwright_boards.deployment import find_bitstream
    from bitwright_boards.jtag import check_jtag, jtag_board, load_bitstream
    from bitwright_core.design import Design

    board = jtag_board(args.board)
    check_jtag(board, flash=args.flash)
    bit = find_bitstream(Design.load(args.design, trust_verilog=args.trust_verilog), board, args.overlay)
    with quiet_stdout(args.json), progress() as bars:
        report = load_bitstream(board, bit, flash=args.flash, cable_serial=args.cable_serial, progress=bars)
    if args.json:
        print_json(asdict(report))
    else:
        print_facts([("board", report.board), ("bitstream", report.bitstream), ("loaded by", report.tool)])
    return 0


def _print(report: "ProgramReport", data: str) -> None:
    from bitwright.cli.frames import compared, frame_facts
    from bitwright.cli.output import percent, print_facts, say

    simulated = report.board == "simulated"
    where = report.host if simulated else f"{report.board} at {report.host}"
    of_simulation = " (of the simulation)" if simulated else ""
    facts: list[tuple[str, object]] = [
        ("board", f"{where}, pynq {report.pynq} on Python {report.python}"),
        ("clock", f"{report.clock_mhz:g} MHz"),
        *frame_facts(report, frames=report.frames, mismatches=len(report.mismatches), where="on the board"),
        ("compared", compared(report.compared)),
        ("rate", f"{report.frames_per_second:,.0f} frames/s, packing and transfers included{of_simulation}"),
        ("accelerator", f"{report.busy_frames_per_second:,.0f} frames/s by its own cycle counter"),
        ("one frame", f"{1e6 * report.latency_seconds:,.0f} us from its transfer to its result{of_simulation}"),
    ]
    if not simulated:
        facts.append(("files", report.folder))
    print_facts(facts)
    for each in report.chosen:
        right = "" if each.accuracy is None else f", {percent(each.accuracy)} right"
        loaded = f"loaded in {1e3 * each.seconds:,.0f} ms{of_simulation}"
        say(f"then {each.name}, {loaded}: {report.frames:,} frames, {len(each.mismatches)} mismatches{right}")
    if report.passed:
        whose = " of each network" if report.chosen else ""
        say(f"\nEvery class and score of every frame of {data} is the golden model's{whose}.")
        return
    say("\nMISMATCH")
    for mismatch in report.mismatches:
        say(_mismatch(mismatch))
    for each in report.chosen:
        for mismatch in each.mismatches:
            say(f"{each.name}, {_mismatch(mismatch)}")


def _mismatch(found: "WrongFrame") -> str:
    parts = [f"frame {found.frame}:"]
    if found.expected_class is not None:
        parts.append(f"class {found.board_class}, expected {found.expected_class}")
    if found.expected_scores is not None and found.expected_scores != found.board_scores:
        parts.append(f"scores {found.board_scores}, expected {found.expected_scores}")
    return " ".join(parts)
