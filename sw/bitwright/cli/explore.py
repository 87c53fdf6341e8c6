"""`bitwright explore NETWORK --board B --out DIR`: rate against LUTs and block RAM, as a picture and a page; or
`bitwright explore CONFIG --accuracy --out DIR`: accuracy against LUTs of networks of lookup tables."""

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
    command.add_argument(
        "network",
        metavar="NETWORK",
        type=Path,
        help="a network file, or a folder that has one; a configuration with --accuracy",
    )
    add_board_options(command, required=False)
    command.add_argument("--out", required=True, metavar="DIR", type=Path, help="the folder to write to")
    command.add_argument(
        "--target-fps", metavar="F", type=float, help="frames a second of the chosen point (default: the fastest)"
    )
    command.add_argument(
        "--max-luts", metavar="N", type=int, help="the most LUTs to take (default: four fifths of the board's)"
    )
    command.add_argument(
        "--max-brams", metavar="N", type=int, help="the most block RAMs to take (default: all but four of the board's)"
    )
    measured = command.add_argument_group("measured, too")
    measured.add_argument("--synth", action="store_true", help="synthesize each point with Yosys, on all cores")
    measured.add_argument(
        "--ray",
        metavar="ADDRESS",
        help='with --synth: on a Ray cluster; "local" starts one here (extra ray)',
    )
    trained = command.add_argument_group(
        "accuracy",
        "Trains NETWORK's configuration of lookup tables in several sizes, counts each for xc7 and verifies it.",
    )
    trained.add_argument("--accuracy", action="store_true", help="accuracy against LUTs, instead of rate")
    trained.add_argument(
        "--widths",
        metavar="N-N,...",
        help="neurons of each layer, such as 300,600,880-480 (default: the configuration's)",
    )
    trained.add_argument("--levels", metavar="N,...", help="bits of a value (default: the configuration's)")
    trained.add_argument("--fan-in", metavar="N,...", help="inputs of a neuron (default: the configuration's)")
    trained.add_argument("--seeds", metavar="N,...", help="seeds (default: the configuration's)")
    trained.add_argument("--epochs", metavar="N", type=int, help="epochs of each (default: the configuration's)")
    trained.add_argument("--data-dir", metavar="DIR", type=Path, help="where data sets lie (default: BITWRIGHT_DATA)")
    trained.add_argument(
        "--frames", metavar="N", type=int, default=10_000, help="test frames to verify each with (default: 10000)"
    )
    add_json(command)
    command.set_defaults(run=run)


def _numbers(text: str | None, option: str) -> list[list[int]]:
    """`text` as lists of whole numbers: commas between lists, minus signs inside them. Raises TrainingError."""
    from bitwright_core.errors import TrainingError

    try:
        return [[int(part) for part in entry.split("-")] for entry in text.split(",")] if text else []
    except ValueError:
        raise TrainingError(f"{option} is a list of whole numbers such as 300,600, not {text!r}") from None


def _singles(text: str | None, option: str) -> list[int]:
    """`text` as whole numbers with commas between them. Raises TrainingError."""
    from bitwright_core.errors import TrainingError

    found = _numbers(text, option)
    if any(len(entry) != 1 for entry in found):
        raise TrainingError(f"{option} is a list of whole numbers such as 3,4, not {text!r}")
    return [entry[0] for entry in found]


def _accuracy(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, print_table, progress, quiet_stdout, say

    with quiet_stdout(args.json), progress() as bars:
        found = api.explore_accuracy(
            str(args.network),
            args.out,
            widths=_numbers(args.widths, "--widths"),
            levels=_singles(args.levels, "--levels"),
            fan_ins=_singles(args.fan_in, "--fan-in"),
            seeds=_singles(args.seeds, "--seeds"),
            epochs=args.epochs,
            data_dir=args.data_dir,
            frames=args.frames,
            progress=bars,
        )
    if args.json:
        print_json({**found.to_dict(), "out": str(args.out)})
        return 0
    print_table(
        ["", "neurons", "inputs", "levels", "seed", "% right", "LUTs", "estimate", "verified"],
        [
            [
                "frontier" if p in found.frontier else "",
                "-".join(map(str, p.neurons)),
                p.fan_in,
                p.levels,
                p.seed,
                f"{p.accuracy:.2f}",
                p.luts,
                p.expected_luts,
                p.verified_frames,
            ]
            for p in found.points
        ],
        title=f"lookup tables on {found.dataset}",
    )
    say(f"written to {args.out / 'accuracy.md'}, accuracy.png and accuracy.json")
    return 0


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, print_table, progress, quiet_stdout, say
    from bitwright.cli.size import board_options
    from bitwright_core.errors import BoardError
    from bitwright_core.writable import check_folder

    check_folder(args.out)
    if args.accuracy:
        return _accuracy(args)
    if args.board is None:
        raise BoardError("explore needs a --board, whose LUTs and memories it fills; or --accuracy")
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
