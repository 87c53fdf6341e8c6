"""`bitwright build DIR`: a Vivado project or a bitstream for a board; with --ip, an IP for a design of one's own."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright_boards.vivado import PynqBuild
    from bitwright_boards.vivado.serial_project import VivadoSerialBuild
    from bitwright_core.board_build import SerialBuild


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "build",
        description="Builds a design for a board. PYNQ-Z1, PYNQ-Z2, boards with Zynq UltraScale+: a Vivado project, "
        "and through Vivado, where there is one on PATH, NAME.bit and NAME.hwh. ECP5 boards, icebreaker, "
        "tang-nano-9k, tang-nano-20k: a bitstream with a serial link, by Yosys and nextpnr. 7-series boards "
        "without a processor: that link in a Vivado project. A clock that is not met is an error. With --ip, an "
        "IP for Vivado: for any part of 7-series, Zynq and UltraScale+, with an example top.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("--board", metavar="B", help="a name that bitwright boards lists, or a .toml file of your own")
    command.add_argument(
        "--ip", action="store_true", help="an IP for a design of your own, in place of a board's build"
    )
    command.add_argument("--part", metavar="P", help="the part that the IP is for, as xc7a35tcpg236-1 (default: any)")
    command.add_argument("--family", metavar="F,F", help="families that the IP is for, as Vivado calls them")
    command.add_argument("--out", metavar="OUT", type=Path, help="the folder to write (default: DIR-B, or DIR-ip)")
    command.add_argument("--clock-mhz", metavar="M", type=float, help="the clock (default: the plan's)")
    command.add_argument(
        "--seeds", metavar="N", type=int, default=1, help="placements to try (open boards; default: 1)"
    )
    command.add_argument("--no-vivado", action="store_true", help="write the project, and leave Vivado alone")
    command.add_argument(
        "--force", action="store_true", help="replace a bitstream that is there of another design, or that Vivado made"
    )
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import msgspec

    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, progress, quiet_stdout, say
    from bitwright_boards import load_board
    from bitwright_boards.vivado.serial_project import VivadoSerialBuild
    from bitwright_core.board_build import SerialBuild, earlier_design
    from bitwright_core.design import Design
    from bitwright_core.errors import BoardError
    from bitwright_core.writable import check_folder

    if args.ip:
        return _ip(args)
    if args.board is None:
        raise BoardError("say what to build for: --board B (see bitwright boards), or --ip for a design of your own")
    if args.part is not None or args.family is not None:
        raise BoardError("--part and --family go with --ip; a board has its part")
    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    board = load_board(args.board)
    out = api.build_folder(design, board.name) if args.out is None else args.out
    check_folder(out)
    earlier = earlier_design(out)
    with quiet_stdout(args.json), progress() as bars:
        build = api.build(
            design,
            args.board,
            out,
            clock_mhz=args.clock_mhz,
            seeds=args.seeds,
            vivado=not args.no_vivado,
            force=args.force,
            progress=bars,
        )
    note_edited(design, "built")
    if not args.json and earlier is not None and earlier.digest != design.manifest.digest:
        say(f"note: the build of {earlier.name}, Verilog {earlier.digest[:12]}, that was in {out} is replaced")
    if args.json:
        print_json({"out": str(out), **msgspec.to_builtins(build)})
        return 0
    program = f"bitwright program {args.design} --board {args.board}"
    if args.out is not None:
        program += f" --overlay {out}"
    if isinstance(build, VivadoSerialBuild):
        _print_project(build, out, program)
    elif isinstance(build, SerialBuild):
        _print_serial(build, out, program, flash_alone=board.jtag is not None and not board.jtag.sram)
    else:
        _print_pynq(build, out, program)
    return 0


def _ip(args: argparse.Namespace) -> int:
    """`build --ip`."""
    import msgspec

    from bitwright import api
    from bitwright.cli.output import note_edited, print_facts, print_json, progress, quiet_stdout, say
    from bitwright_boards import load_board
    from bitwright_core.design import Design
    from bitwright_core.errors import BoardError
    from bitwright_core.writable import check_folder

    if args.board is not None and (args.part is not None or args.family is not None):
        raise BoardError("a board says the part; give --board or --part and --family with --ip, not both")
    if args.clock_mhz is not None or args.seeds != 1:
        raise BoardError("an IP has the clock of the design that it goes into; leave out --clock-mhz and --seeds")
    part = args.part if args.board is None else load_board(args.board).part
    design = Design.load(args.design, trust_verilog=args.trust_verilog)
    out = api.build_folder(design, "ip") if args.out is None else args.out
    check_folder(out)
    with quiet_stdout(args.json), progress() as bars:
        build = api.package_ip(
            design,
            out,
            part=part,
            families=[] if args.family is None else args.family.split(","),
            vivado=not args.no_vivado,
            progress=bars,
        )
    note_edited(design, "packaged")
    if args.json:
        print_json({"out": str(out), **msgspec.to_builtins(build)})
        return 0
    models = ", ".join(build.simulation_models)
    print_facts(
        [
            ("IP", f"{build.vlnv}, top {build.top}"),
            ("families", ", ".join(build.families)),
            ("synthesis", ", ".join(build.synthesis)),
            ("simulators only", f"{models} (not for Vivado's, which has the cells)" if models else None),
            ("example", out / build.example),
            ("packaged", f"{out / 'ip'}" if build.packaged else f"not yet: {build.missing}"),
        ]
    )
    if not build.packaged:
        say("\nWhere there is a Vivado, copy the folder there and run in it:")
        say(f"    {build.command}")
    return 0


def _print_pynq(build: "PynqBuild", out: Path, program: str) -> None:
    from bitwright.cli.output import print_facts, say

    facts: list[tuple[str, object]] = [
        ("board", f"{build.board}, {build.part}"),
        ("clock", f"{build.clock_mhz:g} MHz"),
        ("project", f"{out / 'build.tcl'}, scripts/, rtl/, component.xml"),
    ]
    if build.built:
        facts += [
            ("slack", f"{build.setup_slack_ns} ns setup, {build.hold_slack_ns} ns hold, by {build.tool}"),
            ("overlay", f"{out / build.bitstream}, {build.handoff}"),
        ]
        print_facts(facts)
        say(f"\nNext: {program} --host HOST")
        return
    facts += [
        ("ready", "all that Vivado needs; nothing else is to be written"),
        ("missing", f"{build.bitstream} and {build.handoff}: {build.missing}"),
    ]
    print_facts(facts)
    say("\nWhere there is a Vivado, copy the folder there and run in it:")
    say(f"    {build.command}")


def _print_project(build: "VivadoSerialBuild", out: Path, program: str) -> None:
    from bitwright.cli.output import print_facts, say

    facts: list[tuple[str, object]] = [
        ("board", f"{build.board}, {build.part}"),
        ("clock", f"{build.clock_mhz:g} MHz from {build.oscillator_mhz:g} MHz"),
        ("serial link", f"{build.baud:,} baud"),
        ("project", f"{out / 'build.tcl'}, {build.verilog}, {build.constraints}, design/"),
    ]
    if build.built:
        facts += [
            *(("reached", f"{clock.achieved_mhz:.1f} MHz by {', '.join(build.tools)}") for clock in build.clocks),
            ("bitstream", out / build.bitstream),
        ]
        print_facts(facts)
        say(f"\nNext: {program} --jtag")
        return
    facts.append(("missing", f"{build.bitstream}: {build.missing}"))
    print_facts(facts)
    say("\nWhere there is a Vivado, copy the folder there and run in it:")
    say(f"    {build.command}")
    say(f"then bring {build.bitstream} back: {program} --jtag")


def _print_serial(build: "SerialBuild", out: Path, program: str, *, flash_alone: bool) -> None:
    from bitwright.cli.output import percent, print_facts, print_table, say

    print_table(
        ["cells", "used", "of", "share"],
        [
            [name, cells.used, cells.available, percent(cells.used / cells.available)]
            for name, cells in sorted(build.utilisation.items())
        ],
        title=f"{build.top} on {build.board}",
    )
    print_facts(
        [
            *(
                ("clock", f"{clock.mhz:g} MHz asked, {clock.achieved_mhz:.1f} MHz reached ({clock.name})")
                for clock in build.clocks
            ),
            ("longest path", " to ".join(build.critical_path) or None),
            ("serial link", f"{build.baud:,} baud"),
            ("placed by", f"{', '.join(build.tools)}, seed {build.seed}"),
            ("bitstream", out / build.bitstream),
        ]
    )
    say(f"\nNext: {program} --jtag{' --flash' if flash_alone else ''}")
