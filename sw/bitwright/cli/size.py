"""`bitwright size NETWORK --board B`: PE, SIMD and memory of each layer, for a rate or within a budget."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.cli.arguments import add_loadable, add_planes

if TYPE_CHECKING:
    from bitwright_boards import Board
    from bitwright_core.network import Network
    from bitwright_core.plan import Plan
    from bitwright_hw.estimate import Estimate


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "size",
        description="Finds how to fold a network for a board: the least LUTs for a rate, or the highest rate within a "
        "budget, by default four fifths of the board's LUTs and all but four of its block RAMs. Writes a plan to edit.",
    )
    command.add_argument("network", metavar="NETWORK", type=Path, help="a network file, or a folder that has one")
    add_board_options(command)
    command.add_argument(
        "--target-fps", metavar="F", type=float, help="frames a second to reach (default: the highest rate that fits)"
    )
    command.add_argument(
        "--max-luts", metavar="N", type=int, help="the most LUTs to take (default: four fifths of the board's)"
    )
    command.add_argument(
        "--max-brams", metavar="N", type=int, help="the most block RAMs to take (default: all but four of the board's)"
    )
    layers = command.add_argument_group("layers")
    add_planes(layers)
    add_loadable(layers)
    command.add_argument("--out", metavar="PLAN.toml", type=Path, help="the plan to write (default: none is)")
    add_json(command)
    command.set_defaults(run=run)


def add_board_options(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The board, and the options of the plan that it otherwise decides."""
    command.add_argument(
        "--board",
        required=required,
        metavar="B",
        help="a name that bitwright boards lists, or a .toml file of your own",
    )
    command.add_argument("--clock-mhz", metavar="M", type=float, help="the clock to aim for (default: the board's)")
    command.add_argument("--scores", action="store_true", default=None, help="send every class score, then the class")
    command.add_argument(
        "--encoding", choices=("hardware", "host"), help="where input values become bits (default: hardware)"
    )
    command.add_argument("--data-bits", metavar="B", type=int, help="width of the input stream (default: the board's)")


def board_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_board_options` gave, for bitwright.api."""
    return {name: getattr(args, name) for name in ("board", "clock_mhz", "scores", "encoding", "data_bits")}


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright_boards import load_board
    from bitwright_core.writable import check_file
    from bitwright_hw.estimate import estimate
    from bitwright_hw.families import family_named

    if args.out is not None:
        check_file(args.out, inputs=(args.network,))
    with quiet_stdout(args.json), progress() as bars:
        network = api.load(args.network)
        board = load_board(args.board)
        plan = api.size(
            network,
            target_fps=args.target_fps,
            max_luts=args.max_luts,
            max_brams=args.max_brams,
            planes=args.planes,
            loadable=args.loadable,
            progress=bars,
            **board_options(args),
        )
        expected = estimate(network, plan, family=family_named(board.target))
        if args.out is not None:
            plan.save(args.out)
    facts = as_json(network, plan, board, expected)
    if args.json:
        print_json({**facts, "out": None if args.out is None else str(args.out)})
    else:
        _print(network, plan, board, expected, facts, args.out)
    return 0


def as_json(network: "Network", plan: "Plan", board: "Board", expected: "Estimate") -> dict[str, Any]:
    """What `size --json` prints."""
    from bitwright_core.framing import input_format

    counts = expected.to_dict()
    # layers of tables have no choice in the plan
    chosen = {choice.name: {"pe": choice.pe, "simd": choice.simd, "memory": choice.memory} for choice in plan.layers}
    layers = [
        {"name": layer.name, **chosen.get(layer.name, {}), **found}
        for layer, found in zip(expected.layers, counts.pop("layers"), strict=True)
    ]
    return {
        "network": network.name,
        "board": board.name,
        "clock_mhz": plan.clock_mhz,
        "interval_cycles": expected.cycles,
        "frames_per_second": plan.clock_mhz * 1e6 / expected.cycles,
        "input_cycles": input_format(network, plan).beats,
        "layers": layers,
        "estimate": counts,
    }


def _print(
    network: "Network", plan: "Plan", board: "Board", expected: "Estimate", facts: dict[str, Any], out: Path | None
) -> None:
    from bitwright.cli.output import percent, print_facts, print_table, say

    blocks = board.block_ram_name
    chosen = {p.name: [p.pe, p.simd, p.memory] for p in plan.layers}
    rows: list[list[object]] = [
        [y.name, *chosen.get(y.name, ["", "", "logic"]), y.cycles, y.total.luts, y.total.ffs, y.total.block_rams]
        for y in expected.layers
    ]
    total, rest, has = expected.total, expected.other, board.resources
    rows.append(["the rest", "", "", "", facts["input_cycles"], rest.luts, rest.ffs, rest.block_rams])
    rows.append(["total", "", "", "", expected.cycles, total.luts, total.ffs, total.block_rams])
    rows.append([f"of {board.name}", "", "", "", "", has.luts, has.ffs, has.block_rams])
    print_table(
        ["layer", "PE", "SIMD", "weights in", "cycles", "LUTs", "flip-flops", blocks],
        rows,
        title=f"{network.name} on {board.title}",
    )
    rate = facts["frames_per_second"]
    print_facts(
        [
            ("rate", f"{rate:,.0f} frames/s: a frame every {expected.cycles:,} cycles at {plan.clock_mhz:g} MHz"),
            ("input", f"{facts['input_cycles']:,} cycles a frame on a stream of {plan.data_bits} bits"),
            ("LUTs", f"about {total.luts:,}, {percent(total.luts / has.luts)} of the board's"),
            (blocks, f"{total.block_rams:g}, {percent(total.block_rams / has.block_rams)}"),
            *([("UltraRAM", f"{total.ultra_rams} of {has.ultra_rams}")] if total.ultra_rams else []),
        ]
    )
    if facts["input_cycles"] == expected.cycles:
        say("The input stream sets the rate: a wider --data-bits or --encoding host raises it.")
    if out is None:
        say("\nTo keep the plan: --out plan.toml, then bitwright generate NETWORK --plan plan.toml --out DIR")
    else:
        say(f"\nNext: bitwright generate NETWORK --plan {out} --out DIR")
