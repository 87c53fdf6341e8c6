"""`bitwright explore NETWORK --board B --out DIR`: rate against LUTs and block RAM, as a picture and a page."""

import argparse
from pathlib import Path

_COUNTED = ("LUTs by Yosys", "blocks by Yosys")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json
    from bitwright.cli.size import add_board_options

    command = commands.add_parser(
        "explore",
        description="Sizes a network for many rates and draws what each takes: frontier.png, index.html and the chosen "
        "point's plan.toml. The point for --target-fps is chosen, or else the fastest.",
    )
    command.add_argument("network", metavar="NETWORK", type=Path, help="a network file, or a folder that has one")
    add_board_options(command)
    command.add_argument("--out", required=True, metavar="DIR", type=Path, help="the folder to write to")
    command.add_argument("--target-fps", metavar="F", type=float, help="frames a second of the chosen point")
    command.add_argument("--max-luts", metavar="N", type=int, help="the most LUTs to take")
    command.add_argument("--max-brams", metavar="N", type=int, help="the most block RAMs to take")
    measured = command.add_argument_group("measured, too")
    measured.add_argument("--synth", action="store_true", help="synthesize each point with Yosys, on all cores")
    measured.add_argument(
        "--ray",
        metavar="ADDRESS",
        help='with --synth: on a Ray cluster; "local" starts one here (extra ray)',
    )
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, print_table, progress, quiet_stdout, say
    from bitwright.cli.size import board_options
    from bitwright_core.writable import check_folder

    check_folder(args.out)
    with quiet_stdout(args.json), progress() as bars:
        network = api.load(args.network)
        found = api.explore(
            network,
            args.out,
            target_fps=args.target_fps,
            max_luts=args.max_luts,
            max_brams=args.max_brams,
            synth=args.synth,
            ray=args.ray,
            progress=bars,
            **board_options(args),
        )
    if args.json:
        print_json({**found.to_dict(), "out": str(args.out)})
        return 0
    print_table(
        ["", "frames/s", "cycles", "LUTs", "flip-flops", found.block_ram_name, *(_COUNTED if args.synth else [])],
        [
            [
                "chosen" if p.chosen else "",
                round(p.frames_per_second),
                p.interval_cycles,
                p.luts,
                p.ffs,
                p.block_rams,
                *([p.counted_luts, p.counted_block_rams] if args.synth else []),
            ]
            for p in found.points
        ],
        title=f"{found.network} on {found.title}",
    )
    say(f"written to {args.out / 'index.html'}, frontier.png and plan.toml")
    return 0
