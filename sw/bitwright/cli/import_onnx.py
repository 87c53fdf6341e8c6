"""`bitwright import onnx FILE --out NETWORK`: a binary network that was exported to ONNX or QONNX."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitwright.api import Frames
    from bitwright_onnx import Imported


def add(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.frames import add_frames
    from bitwright.cli.output import add_json

    command = formats.add_parser(
        "onnx",
        help="ONNX or QONNX files (Brevitas, FINN, torch, tf2onnx)",
        description="Reads a graph of dense and convolutional layers with binary weights and activations, and writes "
        "the network that computes the same, exactly. What cannot be imported is named node by node.",
    )
    command.add_argument("file", metavar="FILE", type=Path, help="the .onnx file; nothing in it is run")
    command.add_argument("--out", required=True, metavar="NETWORK", type=Path, help="the network file to write")
    command.add_argument("--name", metavar="N", help="the network's name (default: the file's)")
    command.add_argument(
        "--input-range",
        metavar="L..H",
        help="what the graph takes for the smallest and the largest raw value: 0..255, 0..1, -1..1 "
        "(default: found from the graph, where it tells)",
    )
    command.add_argument("--input-bits", metavar="B", type=int, help="width of raw values (default: 8)")
    command.add_argument(
        "--mean", metavar="M,...", help="mean taken off outside the graph, one or a channel's each (default: 0)"
    )
    command.add_argument("--std", metavar="S,...", help="deviation divided by outside the graph (default: 1)")
    command.add_argument(
        "--layout",
        choices=("auto", "nchw", "nhwc"),
        default="auto",
        help="the axes of the graph's images (default: auto, as its convolutions have them)",
    )
    command.add_argument(
        "--encoding",
        choices=("auto", "thermometer", "integers"),
        default="auto",
        help="how inputs of several levels reach the first layer (default: a thermometer code of up to 16 thresholds)",
    )
    command.add_argument(
        "--outputs",
        choices=("auto", "class", "labels", "scores"),
        default="auto",
        help="what the outputs mean: one class, labels that each stand for themselves, or numbers (default: as the "
        "graph's last operators tell)",
    )
    command.add_argument(
        "--score-bits",
        metavar="B",
        type=int,
        default=24,
        help="width of class scores; two that nearly tie may change sides (default: 24); 0: the order of all, exactly",
    )
    add_frames(command.add_argument_group("how often a class changes"), default=None, required=False)
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_facts, print_json, progress, say
    from bitwright_core.writable import check_file

    check_file(args.out, inputs=(args.file,))
    with progress() as bars:
        found = api.import_onnx(
            args.file,
            name=args.name,
            input_range=_range(args.input_range),
            input_bits=args.input_bits,
            mean=_numbers(args.mean, "--mean"),
            std=_numbers(args.std, "--std"),
            layout=args.layout,
            encoding=args.encoding,
            outputs=args.outputs,
            score_bits=args.score_bits,
            progress=bars,
        )
        data = None
        if args.data is not None:
            data = api.load_frames(found.network, args.data, frames=args.frames, data_dir=args.data_dir)
            bars(f"classes of {data.name}", 0, len(data.frames))
            differing = found.other_classes(data.frames)
            bars(f"classes of {data.name}", len(data.frames), len(data.frames))
    found.network.save(args.out)
    network = found.network
    low, high = found.input_range
    if args.json:
        print_json(
            {
                "network": str(args.out),
                "name": network.name,
                "digest": network.digest,
                "layers": len(network.layers),
                "weight_bits": network.weight_bits,
                "input_range": [low, high],
                "layout": found.layout,
                "outputs": found.outputs,
                "notes": list(found.notes),
                "data": None if data is None else {"name": data.name, "frames": len(data.frames), "other": differing},
            }
        )
        return 0
    print_facts(
        [
            ("network", repr(network)),
            ("weights", f"{network.weight_bits:,} bits"),
            ("input", f"{network.input.bits}-bit values, {low:g}..{high:g} in the graph, {found.layout}"),
            ("outputs", found.outputs),
            *([] if data is None else [_class_fact(found, data, differing)]),
            ("written to", args.out),
        ]
    )
    for note in found.notes:
        say(f"note: {note}")
    say(f"\nNext: bitwright generate {args.out} --out design")
    return 0


def _class_fact(found: "Imported", data: "Frames", differing: int) -> tuple[str, str]:
    if found.float_classes is None:
        return "classes", "scores are the graph's own: no class can differ"
    return "classes", (
        f"{differing:,} of {len(data.frames):,} frames of {data.name} have another class than float scores give them"
    )


def _range(text: str | None) -> tuple[float, float] | None:
    from bitwright_core.errors import BitwrightError

    if text is None:
        return None
    low, _, high = text.partition("..")
    try:
        return float(low), float(high)
    except ValueError:
        raise BitwrightError(f"--input-range takes two numbers, as in 0..1, not {text}") from None


def _numbers(text: str | None, option: str) -> tuple[float, ...]:
    from bitwright_core.errors import BitwrightError

    try:
        return () if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BitwrightError(f"{option} takes numbers with commas between, not {text}") from None
