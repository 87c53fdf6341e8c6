"""`bitwright import dwn FILE --classes N --thresholds T,... --out NETWORK`: a torch-dwn model, bit for bit."""

import argparse
from pathlib import Path


def add(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = formats.add_parser(
        "dwn",
        help="models of torch-dwn (layers of lookup tables)",
        description="Reads a torch-dwn model's state dict as .safetensors, or an .npz of indices and tables, and "
        "writes the network that computes the same.",
    )
    command.add_argument("file", metavar="FILE", type=Path, help="the .safetensors or .npz file")
    command.add_argument("--out", required=True, metavar="NETWORK", type=Path, help="the network file to write")
    command.add_argument("--classes", required=True, metavar="N", help="how many classes bits are summed for")
    command.add_argument(
        "--thresholds",
        metavar="T,...",
        help="of the thermometer code, for all values alike: a bit is 1 from T on (default: the file's `thresholds`)",
    )
    command.add_argument("--shape", metavar="HxWxC", help="of a frame (default: flat)")
    command.add_argument("--input-bits", type=int, default=8, metavar="B", help="width of raw values (default: 8)")
    command.add_argument("--name", metavar="N", help="the network's name (default: the file's)")
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_facts, print_json, say
    from bitwright_core.errors import NetworkError
    from bitwright_core.writable import check_file

    check_file(args.out, inputs=(args.file,))
    try:
        classes = int(args.classes)
        thresholds = None if args.thresholds is None else [int(part) for part in args.thresholds.split(",")]
        shape = None if args.shape is None else [int(part) for part in args.shape.split("x")]
    except ValueError:
        raise NetworkError(
            "--classes is a whole number, --thresholds a list such as 64,128,192, and --shape sizes such as 28x28"
        ) from None
    network = api.import_dwn(
        args.file, classes=classes, thresholds=thresholds, shape=shape, input_bits=args.input_bits, name=args.name
    )
    network.save(args.out)
    if args.json:
        print_json({"network": str(args.out), "name": network.name, "digest": network.digest})
        return 0
    print_facts([("network", repr(network)), ("written to", args.out)])
    say(f"\nNext: bitwright info {args.out}")
    return 0
