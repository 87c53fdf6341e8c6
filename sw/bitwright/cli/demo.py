"""`bitwright demo`: train, generate, simulate and verify on the embedded digits, in a few minutes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright.demo import DemoReport


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "demo",
        description="Trains a small network on 8x8 digits, generates Verilog for it, runs the protocol "
        "benches, and proves on the whole held-out set that the hardware gives the network's integers.",
    )
    command.add_argument("--out", metavar="DIR", type=Path, default=Path("demo-out"), help="default: demo-out")
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright.demo import demo
    from bitwright_core.writable import check_folder

    for folder in (args.out, args.out / "train", args.out / "design"):
        check_folder(folder)
    with quiet_stdout(args.json), progress() as bars:
        report = demo(args.out, progress=bars)
    if args.json:
        print_json(report.as_json())
    else:
        _print(report)
    return 0 if report.passed else 1


def _print(report: "DemoReport") -> None:
    from bitwright.cli.output import print_table, say

    say()
    print_table(
        ["step", "what was done", "result"],
        [[step.name, step.what, step.result] for step in report.steps],
        title="bitwright demo: from training to hardware proven bit-exact",
    )
    say()
    if report.passed:
        say("Every integer of the hardware, of the golden model and of the torch model is the same.")
    else:
        say("FAILED: see the table.")
    program = _program()
    train, design = report.folder / "train", report.folder / "design"
    say(f"""
Look at
  {report.page}  the accelerator, drawn; open it in a browser
  {train / "curves.png"}  how training went
  {design / report.verilog}  the accelerator
  {design / "plan.toml"}  how it is folded into hardware
Type next
  {program} info {train / "network.safetensors"}
  {program} generate {train / "network.safetensors"} --cycles 16 --out faster
  {program} verify faster --data digits
  {program} generate --help""")


def _program() -> str:
    """What to type for this very program: its name if that is on PATH, else where it lies."""
    import os
    import shutil
    import sys

    mine = Path(sys.executable).parent / "bitwright"
    found = shutil.which("bitwright")
    if not mine.exists() or (found and Path(found).resolve() == mine.resolve()):
        return "bitwright"
    return os.path.relpath(mine)
