"""`bitwright info NETWORK`: layers, shapes, weights in bits, operations a frame; of a design its folds and rate."""

import argparse
from dataclasses import asdict
from pathlib import Path

_LABELS = 20  # names that are shown


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "info", description="Shows a network; of a design folder its folds, clock and latency, too."
    )
    command.add_argument(
        "network", metavar="NETWORK", type=Path, help="a network file, or the folder of a design, training run or build"
    )
    add_json(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.api.networks import design_folder
    from bitwright.cli.generate import as_json, print_design
    from bitwright.cli.output import print_facts, print_json, print_table, say
    from bitwright_core.design import Design

    folder = design_folder(args.network)
    design = None if folder is None else Design.load(folder)
    network = api.load(args.network) if design is None else design.network
    thresholds = None if network.encoding.tables is not None else network.encoding.thresholds.tolist()
    layers = [
        {
            "name": node.name,
            "kind": node.operator.kind,
            "inputs": node.inputs,
            "outputs": node.outputs,
            "shape": list(node.edge.shape),
            "output": str(node.edge.number),
            "weight_bits": node.operator.weight_bits,
            "operations": node.operator.operations,
            **({} if network.is_chain else {"takes": list(node.takes)}),
        }
        for node in network.nodes
    ]
    if args.json:
        print_json(
            {
                "name": network.name,
                "digest": network.digest,
                "input_shape": list(network.input.shape),
                "input_bits": network.input.bits,
                "encoding": "bits" if thresholds else "integers",
                "encoding_thresholds": thresholds,
                "encoded_size": network.encoded_size,
                "classifier": network.is_classifier,
                "gives": network.gives,
                "values": None if network.values is None else asdict(network.values),
                "outputs": network.outputs,
                "labels": list(network.labels),
                "weight_bits": network.weight_bits,
                "operations": network.operations,
                "layers": layers,
                "design": None
                if design is None
                else {**as_json(design), "clock_mhz": design.manifest.clock_mhz, "edited": design.edited},
            }
        )
        return 0
    shape = " x ".join(map(str, network.input.shape))
    rows = len(network.encoding.rows)
    each = "" if rows == 1 else " for each value" if rows == network.input.size else " for each channel"
    encoding = f"{network.encoding.number} integers, by a table{each}"
    if thresholds and rows == 1:
        encoding = f"{len(thresholds)} bit a value, thresholds {', '.join(map(str, thresholds))}"
    elif thresholds:
        encoding = f"{network.encoding.levels} bit a value, thresholds of their own{each}"
    result = f"{network.outputs} classes" if network.is_classifier else f"{network.outputs} bits"
    if network.values is not None:
        result = f"{network.outputs} numbers: {network.values.step:.9g} times the score, "
        result += f"within {network.values.error:.3g}"
    if network.labels:
        result += f" ({', '.join(network.labels[:_LABELS])}{', ...' if len(network.labels) > _LABELS else ''})"
    print_table(
        [
            *("layer", "kind", "inputs", "outputs", "gives", "output", "weight bits", "operations a frame"),
            *(() if network.is_chain else ("takes",)),
        ],
        [[*map(_cell, layer.values())] for layer in layers],
        title=f"Network {network.name}",
    )
    print_facts(
        [
            ("input", f"{shape}, {network.input.bits}-bit values"),
            ("encoding", encoding),
            ("result", result),
            ("weights", f"{network.weight_bits:,} bits ({network.weight_bits / 8192:,.1f} KiB)"),
            ("operations", f"{network.operations:,} a frame"),
            ("digest", network.digest),
        ]
    )
    if design is None:
        say(f"\nNext: bitwright generate {args.network} --out design")
        return 0
    say()
    print_design(design)
    say(f"\nNext: bitwright verify {design.folder} --data {'DATASET' if network.is_classifier else 'random'}")
    return 0


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(value) if value and isinstance(value[0], str) else " x ".join(map(str, value))
    return value
