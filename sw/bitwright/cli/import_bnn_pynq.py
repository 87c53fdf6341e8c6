"""`bitwright import bnn-pynq DIR --topology T --out NETWORK`: BNN-PYNQ's trained parameters, bit for bit."""

import argparse
from pathlib import Path


def add(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = formats.add_parser(
        "bnn-pynq",
        help="parameters of BNN-PYNQ (FINN's first networks)",
        description="Reads a folder of BNN-PYNQ's parameters (N-PE-weights.bin, N-PE-thres.bin, classes.txt) and "
        "writes the network and, beside it, the original folding as a plan.",
    )
    command.add_argument("folder", metavar="DIR", type=Path, help="the folder of parameters")
    command.add_argument(
        "--topology",
        required=True,
        metavar="T",
        help="lfc, cnv, lfc-w1a2, cnv-w1a2, cnv-w2a2, or a TOML file that tells shapes and folding",
    )
    command.add_argument("--out", required=True, metavar="NETWORK", type=Path, help="the network file to write")
    command.add_argument(
        "--plan", metavar="PLAN.toml", type=Path, help="the plan to write (default: NETWORK-plan.toml)"
    )
    command.add_argument(
        "--classes",
        type=int,
        metavar="N",
        help="how many classes (default: as many as classes.txt names)",
    )
    command.add_argument("--name", metavar="N", help="another name for the network")
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_facts, print_json, progress, say
    from bitwright_core.errors import OutputError
    from bitwright_core.writable import check_file

    plan = args.plan or args.out.with_name(f"{args.out.stem}-plan.toml")
    for file in (args.out, plan):
        check_file(file, inputs=(Path(args.topology),))
    if plan.absolute() == args.out.absolute():
        raise OutputError(f"{plan}: cannot be both the network and its plan; name another with --plan")
    with progress() as bars:
        found = api.import_bnn_pynq(
            args.folder, topology=args.topology, name=args.name, classes=args.classes, progress=bars
        )
    found.network.save(args.out)
    found.plan.save(plan)
    network = found.network
    if args.json:
        print_json(
            {
                "network": str(args.out),
                "plan": str(plan),
                "name": network.name,
                "digest": network.digest,
                "layers": len(network.layers),
                "weight_bits": network.weight_bits,
                "notes": list(found.notes),
            }
        )
        return 0
    print_facts(
        [
            ("network", repr(network)),
            ("weights", f"{network.weight_bits:,} bits"),
            ("written to", args.out),
            ("original folding", plan),
        ]
    )
    for note in found.notes:
        say(f"note: {note}")
    say(f"\nNext: bitwright info {args.out}")
    return 0
