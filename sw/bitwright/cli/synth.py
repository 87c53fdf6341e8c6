"""`bitwright synth DIR`: LUTs, flip-flops and memories of a design, measured by Yosys; its clock, by nextpnr."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_hw.synth import SynthReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json, add_trust
    from bitwright_core.families import FPGA_NAMES

    command = commands.add_parser(
        "synth",
        description="Synthesizes a design with Yosys and counts what each layer takes. A LUT cell counts as one, a "
        "LUT memory or shift register as the LUTs that it occupies. Writes synth-FAMILY.json beside the plan.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument(
        "--family", choices=FPGA_NAMES, help="the FPGA family (default: the one that the plan's target names)"
    )
    command.add_argument("--place", action="store_true", help="place and route, too (ecp5, with nextpnr): the clock")
    command.add_argument("--seed", metavar="N", type=int, default=1, help="where placing starts (default: 1)")
    command.add_argument("--clock-mhz", metavar="M", type=float, help="the clock to place for (default: the plan's)")
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout
    from bitwright_core.design import Design
    from bitwright_core.writable import check_folder

    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    check_folder(design.folder)  # the report goes there
    with quiet_stdout(args.json), progress() as bars:
        report = api.synth(
            design, family=args.family, place=args.place, seed=args.seed, clock_mhz=args.clock_mhz, progress=bars
        )
    note_edited(design, "synthesized")
    if args.json:
        print_json(report.to_dict())
    else:
        _print(report, design.manifest.name, design.folder / f"synth-{report.family.name}.json")
    return 0


def _print(report: "SynthReport", name: str, report_file: Path) -> None:
    from bitwright.cli.output import print_facts, print_table, say

    parts: list[tuple[str, Any]] = []
    for layer in report.layers:
        parts += [(f"{layer.name} engine", layer.engine), (f"{layer.name} queue", layer.queue)]
    parts += [("the rest", report.other), ("total", report.total)]
    facts: list[tuple[str, object]] = []
    if report.estimate is not None:
        parts.append(("estimated", report.estimate.total))
        error = report.estimate.total.luts / report.total.luts - 1
        facts.append(("estimated LUTs", f"{100 * error:+.1f} % of those counted"))
    if report.total.ultra_rams:
        facts.append(("UltraRAMs", report.total.ultra_rams))
    print_table(
        ["part", "LUTs", "of them memory", "flip-flops", report.family.block_ram.title, "DSPs"],
        [[what, c.luts, c.lutram, c.ffs, c.block_rams, c.dsps] for what, c in parts],
        title=f"Design {name} on {report.family.name}",
    )
    tools = report.tool
    if report.placed is not None:
        placed = report.placed
        facts.append(("highest clock", f"{placed.fmax_mhz:.1f} MHz on {placed.device}, seed {placed.seed}"))
        if placed.critical_path:
            facts.append(("longest path", " to ".join(placed.critical_path)))
        tools += f" and {placed.tool}"
    print_facts([*facts, ("synthesized by", f"{tools} in {report.seconds:.0f} s")])
    say(f"\nwritten to {report_file}")
