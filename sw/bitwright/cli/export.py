"""`bitwright export FORMAT ...`: networks to other formats."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser("export", description="Writes a network in another format.")
    formats = command.add_subparsers(dest="format", metavar="FORMAT", required=True)
    onnx = formats.add_parser(
        "onnx",
        help="an ONNX file",
        description="Writes an ONNX file that computes the network's integers: raw frames in, scores out.",
    )
    onnx.add_argument("network", metavar="NETWORK", type=Path, help="a network file, or a folder that has one")
    onnx.add_argument("--out", required=True, metavar="FILE", type=Path, help="the .onnx file to write")
    onnx.add_argument(
        "--dialect",
        choices=("standard", "qonnx"),
        default="standard",
        help="standard operators alone, which any runtime computes, or QONNX's BipolarQuant (default: standard)",
    )
    add_json(onnx)
    onnx.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_facts, print_json
    from bitwright_core.writable import check_file

    check_file(args.out, inputs=(args.network,))
    network = api.load(args.network)
    api.export_onnx(network, args.out, dialect=args.dialect)
    size = args.out.stat().st_size
    if args.json:
        print_json({"file": str(args.out), "dialect": args.dialect, "bytes": size, "digest": network.digest})
        return 0
    print_facts([("network", repr(network)), ("dialect", args.dialect), ("written to", f"{args.out}, {size:,} bytes")])
    return 0
