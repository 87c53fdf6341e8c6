"""`bitwright boards`: the boards that sizing knows."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright_boards import Board

_COLUMNS = (
    "board",
    "what",
    "part",
    "LUTs",
    "flip-flops",
    "block RAM",
    "UltraRAM",
    "DSPs",
    "clock MHz",
    "built by",
    "JTAG",
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "boards",
        description="Lists the boards that a design can be sized for, by the family of their FPGA: what they have, by "
        "what it is built for them, if at all, and whether program --jtag loads them.",
    )
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import msgspec

    from bitwright.cli.output import print_json, print_table
    from bitwright_boards import load_boards

    boards = load_boards()
    if args.json:
        print_json({"boards": [{**msgspec.to_builtins(board), "built": board.built} for board in boards]})
        return 0
    families: dict[str, list[Board]] = {}
    for board in boards:
        families.setdefault(board.family, []).append(board)
    for family in sorted(families):
        print_table(_COLUMNS, [_row(board) for board in families[family]], title=family)
    return 0


def _built_by(board: "Board") -> str:
    from bitwright.open_board import open_board

    if board.serial is None:
        return "Vivado" if board.vivado else "-"
    return "open tools" if open_board(board).placed_here else "Vivado"


def _row(board: "Board") -> list[object]:
    has = board.resources
    return [
        board.name,
        board.title,
        board.part,
        f"{has.luts:,} LUT{has.lut_inputs}",
        has.ffs,
        f"{has.block_rams} x {has.block_ram_kbits} kbit",
        has.ultra_rams,
        has.dsps,
        board.clock_mhz,
        _built_by(board),
        "yes" if board.jtag else "-",
    ]
