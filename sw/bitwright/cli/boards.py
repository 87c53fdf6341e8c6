"""`bitwright boards`: the boards that sizing knows."""

import argparse


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "boards",
        description="Lists the boards that a design can be sized for, and by what it is built for them, if at all.",
    )
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import msgspec

    from bitwright.cli.output import print_json, print_table
    from bitwright_boards import load_boards

    boards = load_boards()
    if args.json:
        print_json({"boards": [msgspec.to_builtins(board) for board in boards]})
        return 0
    print_table(
        [
            "board",
            "what",
            "part",
            "LUTs",
            "flip-flops",
            "block RAM",
            "DSPs",
            "target",
            "clock MHz",
            "stream bits",
            "built by",
        ],
        [
            [
                b.name,
                b.title,
                b.part,
                f"{b.resources.luts:,} LUT{b.resources.lut_inputs}",
                b.resources.ffs,
                f"{b.resources.block_rams} x {b.resources.block_ram_kbits} kbit",
                b.resources.dsps,
                b.target,
                b.clock_mhz,
                b.data_bits,
                "Vivado" if b.vivado else "open tools" if b.serial else "-",
            ]
            for b in boards
        ],
        title="Boards",
    )
    return 0
