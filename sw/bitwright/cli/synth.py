"""`bitwright synth DIR`: LUTs, flip-flops and memories of a design, measured by Yosys."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_hw.synth import SynthReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "synth",
        description="Synthesizes a design with Yosys and counts what each layer takes. A LUT cell counts as one, a "
        "LUT memory or shift register as the LUTs that it occupies.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument(
        "--family", choices=("xc7", "ecp5"), help="the FPGA family (default: the one that the plan's target names)"
    )
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright.design import Design

    design = Design.load(args.design)
    with quiet_stdout(args.json), progress() as bars:
        report = api.synth(design, family=args.family, progress=bars)
    if args.json:
        print_json(report.to_dict())
    else:
        _print(report, design.manifest.name, design.edited)
    return 0


def _print(report: "SynthReport", name: str, edited: bool) -> None:
    from bitwright.cli.output import print_facts, print_table, say

    if edited:
        say("note: the Verilog was edited after it was generated; it was synthesized as it is now\n")
    parts: list[tuple[str, Any]] = []
    for layer in report.layers:
        parts += [(f"{layer.name} engine", layer.engine), (f"{layer.name} queue", layer.queue)]
    parts += [("the rest", report.other), ("total", report.total)]
    memory = "BRAM36" if report.family == "xc7" else "EBR"
    print_table(
        ["part", "LUTs", "of them memory", "flip-flops", memory, "DSPs"],
        [[what, c.luts, c.lutram, c.ffs, c.block_rams, c.dsps] for what, c in parts],
        title=f"Design {name} on {report.family}",
    )
    print_facts([("synthesized by", f"{report.tool} in {report.seconds:.0f} s")])
