"""`bitwright verify DIR --data NAME`: whole test sets through the Verilog, bit for bit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_core.design import Design
    from bitwright_core.progress import Progress
    from bitwright_sim import VerifyReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "verify",
        description="Runs a whole test set through a design's Verilog (compiled) and compares "
        "every integer with the golden model's. Exit status 1 on any mismatch.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("--network", metavar="NETWORK", type=Path, help="what to compare with (default: the design's)")
    command.add_argument(
        "--load",
        metavar="NETWORK",
        type=Path,
        action="append",
        default=[],
        help="then load this network into the running accelerator, and compare with it; again for more (default: none)",
    )
    frames = command.add_argument_group("frames")
    add_frames(frames, default=None)
    frames.add_argument("--frame", metavar="N", type=int, help="the frame of this number alone, from 0 on")
    frames.add_argument("--waves", action="store_true", help="with --frame: keep its signals in DIR (VCD)")
    how = command.add_argument_group("how it is simulated")
    how.add_argument(
        "--engine",
        choices=("auto", "sliced", "verilator"),
        default="auto",
        help="what simulates: Verilator, the sliced engine (many frames at a time, proven by Verilator on some), or "
        "the sliced one where it saves time (default: auto)",
    )
    how.add_argument("--no-proof", action="store_true", help="leave out Verilator's share of a sliced run")
    how.add_argument("--jobs", metavar="J", type=int, help="simulations at a time (default: one a core)")
    how.add_argument(
        "--ray",
        metavar="ADDRESS",
        help='shards of the frames on a Ray cluster; "local" starts one on this machine (extra ray)',
    )
    how.add_argument(
        "--stalls",
        action="store_true",
        help="both sides pause, now for a cycle and now until all buffers are full or empty",
    )
    how.add_argument("--seed", metavar="S", type=int, help="of the stalls (default: a new one, which is printed)")
    command.add_argument(
        "--reproducer", metavar="DIR", type=Path, help="where a first mismatch is kept (default: DIR/reproducer)"
    )
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout, say
    from bitwright_core.design import Design
    from bitwright_core.errors import DataError
    from bitwright_core.writable import check_folder

    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    if args.reproducer is not None:
        check_folder(args.reproducer)
    if args.waves and args.frame is None:
        raise DataError("--waves keeps the signals of one frame; say which with --frame")
    if args.frame is not None and args.frames is not None:
        raise DataError("give --frame for one, or --frames for the first ones, not both")
    stalls = _stalls(args)
    network = None if args.network is None else api.load(args.network)
    with quiet_stdout(args.json), progress() as bars:
        report = api.verify(
            design,
            args.data,
            network=network,
            frames=args.frames,
            frame=args.frame,
            data_dir=args.data_dir,
            jobs=args.jobs,
            stalls=stalls,
            reproducer=args.reproducer,
            progress=bars,
            engine=args.engine,
            proof=not args.no_proof,
            ray=args.ray,
        )
        loaded = _loaded(args, design, stalls, bars)
        view = None
        if args.waves:
            view = api.frame_waves(design, args.data, args.frame, data_dir=args.data_dir, progress=bars)
    note_edited(design, "simulated")
    if args.json:
        more = {"loaded": [as_json(each) for each in loaded]} if args.load else {}
        print_json({**as_json(report), "waves": None if view is None else str(view), **more})
    else:
        _print(report, design, args)
        for path, each in zip(args.load, loaded, strict=True):
            say(f"\nThen loaded: {path}")
            _print(each, design, args)
        if view is not None:
            say(f"The signals of frame {args.frame} are in {view.with_suffix('.vcd')}; look at them with:")
            from bitwright_sim.surfer_view import surfer_command

            say(f"  gtkwave {view}")
            say(f"or {surfer_command(view.with_suffix('.vcd'))}")
    return 0 if report.passed and all(each.passed for each in loaded) else 1


def _loaded(
    args: argparse.Namespace, design: "Design", stalls: int | None, progress: "Progress"
) -> "tuple[VerifyReport, ...]":
    """The reports of the networks of --load."""
    from bitwright import api
    from bitwright_core.errors import DataError

    if not args.load:
        return ()
    if args.frame is not None or args.ray is not None:
        raise DataError("--load goes with whole sets of frames on this machine; leave out --frame and --ray")
    networks = [api.load(path) for path in args.load]
    return api.verify_loads(
        design,
        networks,
        args.data,
        frames=args.frames,
        data_dir=args.data_dir,
        jobs=args.jobs,
        stalls=stalls,
        progress=progress,
    )


def _stalls(args: argparse.Namespace) -> int | None:
    """The seed of the stalls; None if there are to be none."""
    import random

    from bitwright_core.errors import DataError

    if args.seed is not None and not args.stalls:
        raise DataError("--seed is that of --stalls; give --stalls, too")
    if not args.stalls:
        return None
    return random.randrange(1 << 32) if args.seed is None else args.seed


def as_json(report: "VerifyReport") -> dict[str, Any]:
    """What `verify --json` prints: the report's fields."""
    return report.to_dict()


def _print(report: "VerifyReport", design: "Design", args: argparse.Namespace) -> None:
    from bitwright.cli.frames import compared, frame_facts
    from bitwright.cli.output import cell, print_facts, say

    print_facts(
        [
            *frame_facts(report, frames=report.frames, mismatches=report.mismatches, where="in hardware"),
            ("compared", compared(report.compared)),
            (
                "a frame every",
                f"{cell(report.interval_cycles)} cycles (ideal {cell(report.ideal_interval_cycles)})",
            ),
            ("latency", f"{cell(report.latency_cycles)} cycles"),
            *([] if report.stalls is None else [("stalls", f"on both sides, --seed {report.stalls}")]),
            ("simulated", f"{report.frames_per_second:,.0f} frames/s, {report.simulator}"),
            *_proof(report),
        ]
    )
    if report.note:
        say(f"note: {report.note}")
    if report.first_mismatch is None:
        say(f"\nEvery integer of every frame of {args.data} is the golden model's ({design.manifest.name}).")
        return
    say(f"\nMISMATCH, the first at {report.first_mismatch}")
    if report.reproducer_error:
        say(f"No reproducer could be written ({report.reproducer_error}); name a place for it with --reproducer")
    if report.reproducer is not None:
        say(f"Input, expected and got values, and waves are in {report.reproducer}")


def _proof(report: "VerifyReport") -> list[tuple[str, str]]:
    """What Verilator did of a sliced run."""
    check = report.cross_check
    if check is None:
        return []
    stalls = ", with and without stalls" if check.stalls else ""
    what = f"{check.frames:,} frames, {check.integers:,} integers and the handshakes of {check.cycles:,} cycles"
    return [("proven by", f"Verilator: {what}{stalls}")]
