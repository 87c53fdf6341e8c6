"""The command line: `bitwright COMMAND ...`. A thin layer over bitwright.api, one module a command.

Each module has `add(commands)`, which declares the command with argparse alone, and `run(args)`, which
imports what it needs and returns the exit status: 0, or 1 where something did not match. A mistake in what
was given is one line on standard error and status 2.
"""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

_COMMANDS = (
    *("train", "import_", "export", "info", "size", "explore", "search", "generate", "simulate", "verify", "synth"),
    *("weights", "report", "play", "build", "program", "serial", "boards", "demo"),
)
_DESCRIPTION = """\
Turns a trained binary neural network into an FPGA
accelerator and proves it bit-exact.

  train     trains a network, writes network.safetensors
  import    makes a network file from what others trained
  export    writes a network in another format
  info      shows a network: layers, shapes, weights
  size      finds folds for a rate or budget, writes a plan
  explore   draws rate against LUTs and block RAM
  search    finds the network for a budget of LUTs
  generate  writes Verilog for a network
  simulate  runs the protocol benches on a design
  verify    runs a test set through a design, bit for bit
  weights   writes the weights of another network
  synth     counts a design's LUTs, flip-flops and memories
  report    draws a design and what is known of it
  play      a page to draw digits on, for a design
  build     makes a board's Vivado project or bitstream
  program   runs frames on a board
  serial    runs frames on a board over its serial port
  boards    lists the boards
  demo      all of it on a small data set, in a few minutes
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line, declared without importing anything that a command needs."""
    from importlib import import_module

    from bitwright.cli.arguments import Parser

    top = Parser(
        prog="bitwright",
        usage="bitwright COMMAND ...",
        description=_DESCRIPTION,
        epilog="bitwright COMMAND --help tells a command's options.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version)
    commands = top.add_subparsers(
        dest="command",
        metavar="COMMAND",
        required=True,
        help=argparse.SUPPRESS,
        prog="bitwright",
        parser_class=Parser,
    )
    for name in _COMMANDS:
        import_module(f"bitwright.cli.{name}").add(commands)
    return top


def leaves(
    top: argparse.ArgumentParser | None = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that runs, "import onnx" for one, with its parser: for pages and tests that look at all of them."""
    top = parser() if top is None else top
    below = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield " ".join(path), top
    for action in below:
        for name, command in action.choices.items():
            yield from leaves(command, (*path, name))


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from bitwright import __version__

        print(f"bitwright {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. With --json a failure, too, is one JSON object on standard output."""
    from bitwright.cli.surroundings import Terminated, check_streams, discard_output, hush_amaranth, interruptible
    from bitwright_core.errors import BitwrightError

    given = sys.argv[1:] if argv is None else list(argv)
    as_json = "--json" in given
    if argv is None and (closed := check_streams()):
        return _fail(closed, "OSError", as_json=False)
    try:
        with interruptible():
            args = parser().parse_args(given)
            status: int = args.run(args)
        sys.stdout.flush()
    except BitwrightError as error:
        hush_amaranth()
        return _fail(str(error), type(error).__name__, as_json=as_json)
    except BrokenPipeError:
        discard_output()  # the reader has gone
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as stopped:
        hush_amaranth()
        number = signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT
        return _fail("stopped", "Stopped", as_json=as_json, status=128 + number)
    except SystemExit as stop:  # help, the version, or an option that is wrong
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            discard_output()
            return 128 + signal.SIGPIPE
        raise stop from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _fail(f"{where}{error.strerror or error}", "OSError", as_json=as_json)
        try:
            sys.stdout.flush()
        except OSError:
            discard_output()  # a full disk
        return status
    return status


def _fail(message: str, kind: str, *, as_json: bool, status: int = 2) -> int:
    # no sequence that a name or a tool's output may hold reaches the terminal
    sentence = "".join(sign if sign.isprintable() else "?" for sign in " ".join(message.split()))
    with suppress(OSError):
        print(f"bitwright: {sentence}", file=sys.stderr)
    if as_json:
        import json

        with suppress(OSError):  # a full disk or a reader that has gone is told already
            print(json.dumps({"error": sentence, "kind": kind, "status": status}, indent=2), flush=True)
    return status
