"""`bitwright weights DIR NETWORK`: what makes a running design with loadable layers compute another network."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "weights",
        description="Writes a load file: weights, thresholds and scores of NETWORK, in the form in which the running "
        "accelerator of a design with loadable layers takes them (generate --loadable).",
    )
    command.add_argument("design", metavar="DIR", type=Path, help="a design folder")
    command.add_argument("network", metavar="NETWORK", type=Path, help="a network file of the same structure")
    command.add_argument("--out", metavar="FILE", type=Path, required=True, help="the load file to write")
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_facts, print_json
    from bitwright_core.design import Design
    from bitwright_core.writable import check_file

    check_file(args.out)
    design = Design.load(args.design)
    load = api.weights(design, api.load(args.network))
    load.save(args.out)
    if args.json:
        print_json({"out": str(args.out), **load.header})
        return 0
    print_facts(
        [
            ("network", f"{load.name}, digest {load.network_digest[:12]}"),
            ("structure", load.structure[:12]),
            ("load", f"{len(load.data):,} bytes, CRC-32 {load.crc:08x}"),
            ("written to", str(args.out)),
        ]
    )
    return 0
