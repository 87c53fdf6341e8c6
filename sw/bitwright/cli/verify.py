"""`bitwright verify DIR --data NAME`: whole test sets through the Verilog, bit for bit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright.design import Design
    from bitwright_sim import VerifyReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "verify",
        description="Runs a whole test set through a design's Verilog (Verilator, compiled) and compares "
        "every integer with the golden model's. Exit status 1 on any mismatch.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("--network", metavar="NETWORK", type=Path, help="what to compare with (default: the design's)")
    command.add_argument(
        "--data",
        metavar="NAME",
        required=True,
        help="digits, mnist, fashion-mnist, a .npz file, or random[:SEED] for random frames",
    )
    command.add_argument(
        "--data-dir",
        metavar="D",
        type=Path,
        help="folder of the data files (default: $BITWRIGHT_DATA, or data)",
    )
    command.add_argument("--frames", metavar="N|all", type=_frames, help="the first N frames (default: all)")
    command.add_argument("--jobs", metavar="J", type=int, help="simulations at a time (default: one a core)")
    command.add_argument("--reproducer", metavar="DIR", type=Path, help="where a first mismatch is kept")
    add_json(command)
    command.set_defaults(run=run)


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames, nor all")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright.design import Design

    design = Design.load(args.design)
    network = None if args.network is None else api.load(args.network)
    with quiet_stdout(args.json), progress() as bars:
        report = api.verify(
            design,
            args.data,
            network=network,
            frames=args.frames,
            data_dir=args.data_dir,
            jobs=args.jobs,
            reproducer=args.reproducer,
            progress=bars,
        )
    if args.json:
        print_json(as_json(report, design))
    else:
        _print(report, design, args)
    return 1 if report.mismatches else 0


def as_json(report: "VerifyReport", design: "Design") -> dict[str, Any]:
    """What `verify --json` prints."""
    first = report.first
    return {
        "frames": report.frames,
        "mismatches": report.mismatches,
        "accuracy": report.accuracy,
        "golden_accuracy": report.golden_accuracy,
        "interval_cycles": report.interval_cycles,
        "ideal_interval_cycles": report.ideal_interval_cycles,
        "latency_cycles": report.latency_cycles,
        "frames_per_second": report.frames_per_second,
        "simulator": report.simulator,
        "verilog_edited": design.edited,
        "first_mismatch": None
        if first is None
        else {
            "frame": first.frame,
            "layer": first.layer,
            "neuron": first.neuron,
            "expected": first.expected,
            "got": first.got,
        },
        "reproducer": None if report.reproducer is None else str(report.reproducer),
    }


def _print(report: "VerifyReport", design: "Design", args: argparse.Namespace) -> None:
    from bitwright.cli.output import percent, print_facts, say

    m = design.manifest
    if design.edited:
        say("note: the Verilog was edited after it was generated; it is what was simulated\n")
    print_facts(
        [
            ("frames", report.frames),
            ("mismatches", report.mismatches),
            ("accuracy", f"{percent(report.accuracy)} in hardware, {percent(report.golden_accuracy)} golden model"),
            ("a frame every", f"{report.interval_cycles:,} cycles (ideal {report.ideal_interval_cycles:,})"),
            ("latency", f"{report.latency_cycles:,} cycles"),
            ("simulated", f"{report.frames_per_second:,.0f} frames/s, {report.simulator}"),
        ]
    )
    first = report.first
    if first is None:
        say(f"\nEvery integer of every frame of {args.data} is the golden model's ({m.name}).")
        return
    say(
        f"\nMISMATCH: first at frame {first.frame}, layer {first.layer}, neuron {first.neuron}: "
        f"expected {first.expected}, got {first.got}"
    )
    if report.reproducer is not None:
        say(f"input, expected and got values, and waves are in {report.reproducer}")
