"""`bitwright simulate DIR`: the protocol benches (cocotb) on a generated design."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json, add_trust

    command = commands.add_parser(
        "simulate",
        description="Runs the cocotb benches on a design: random stalls, back-to-back frames, resets, wrong "
        "frame lengths, register access. Whole test sets go faster through: bitwright verify.",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator", help="default: verilator")
    command.add_argument("--waves", action="store_true", help="keep the signals in DIR (FST, or VCD without lz4)")
    command.add_argument("--bench", metavar="NAME", help="run this bench alone (default: all)")
    command.add_argument(
        "--seed", metavar="S", type=int, help="repeat a run, whose report names its seed (default: a new one)"
    )
    add_trust(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import note_edited, print_json, print_table, progress, quiet_stdout, say
    from bitwright_core.design import Design

    with quiet_stdout(args.json), progress() as bars:
        design = Design.load(args.design, trust_verilog=args.trust_verilog)
        report = api.simulate(
            design,
            simulator=args.simulator,
            waves=args.waves,
            bench=args.bench,
            seed=args.seed,
            progress=bars,
        )
    note_edited(design, "simulated")
    if args.json:
        print_json(report.to_dict())
        return 0 if report.passed else 1
    print_table(
        ["bench", "result", "seconds"],
        [[t.name, "passed" if t.passed else f"FAILED: {t.message}", t.seconds] for t in report.tests],
        title=f"{report.simulator}, seed {report.seed}: {report.frames:,} frames, {report.cycles:,} cycles",
    )
    if report.waves is not None:
        from bitwright_sim.surfer_view import surfer_command

        say(f"waves: {report.waves}; look at them with:\n  gtkwave {report.waves.with_suffix('.gtkw')}")
        say(f"or {surfer_command(report.waves)}")
    if not report.passed:
        again = f"--simulator {args.simulator} --seed {report.seed} --waves"
        say(f"repeat with: bitwright simulate {args.design} {again}")
    return 0 if report.passed else 1
