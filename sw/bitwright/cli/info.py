"""`bitwright info NETWORK`: layers, shapes, weights in bits, operations a frame; of a design its folds and rate."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_core.design import Design
    from bitwright_core.network import Head, Network

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
    from bitwright.cli.output import print_json, say
    from bitwright_core.design import Design

    folder = design_folder(args.network)
    design = None if folder is None else Design.load(folder)
    network = api.load(args.network) if design is None else design.network
    if args.json:
        made = None
        if design is not None:
            made = {**as_json(design), "clock_mhz": design.manifest.clock_mhz, "edited": design.edited}
            made["resources"] = _resources(design)
        print_json({**_facts(network), "design": made})
        return 0
    _print(network)
    if design is None:
        say(f"\nNext: bitwright generate {args.network} --out design")
        return 0
    say()
    print_design(design, _resource_facts(design))
    say(f"\nNext: bitwright verify {design.folder} --data {'DATASET' if network.is_classifier else 'random'}")
    return 0


def _resources(design: "Design") -> dict[str, Any] | None:
    """What `--json` says of what it takes: counted, where synth was run, or estimated; None where neither is known."""
    from bitwright.reporting.counted import resources

    found = resources(design, None)
    if found.total is None:
        return None
    return {
        "counted": found.measured is not None,
        "by": "the model" if found.measured is None else found.measured.tool,
        **found.total.to_dict(found.family.block_ram),
        "board": found.board.name,
        "percent": {share.name: round(share.percent, 1) for share in found.shares},
    }


def _resource_facts(design: "Design") -> list[tuple[str, str]]:
    """The same in words."""
    from bitwright.reporting.counted import resources

    found = resources(design, None)
    total = found.total
    if total is None:
        return [("resources", "not known before bitwright synth, as layers are hardwired")]
    by = "the model" if found.measured is None else found.measured.tool
    memory = f"{total.block_rams:g} {found.board.block_ram_name}"
    if total.ultra_rams:
        memory += f", {total.ultra_rams} UltraRAMs"
    shares = ", ".join(
        f"{share.percent:.1f} % {share.name}" for share in found.shares if share.used and share.name != "DSPs"
    )
    return [
        ("resources", f"{total.luts:,} LUTs, {total.ffs:,} flip-flops, {memory}"),
        ("by", f"{by}, for {found.family.name}"),
        (f"of {found.board.name}", shares),
    ]


def _layers(network: "Network") -> list[dict[str, Any]]:
    """Of each layer what the table shows; of a graph also what it takes."""
    return [
        {
            "name": node.name,
            "kind": node.operator.kind,
            "inputs": node.inputs,
            "outputs": node.outputs,
            "shape": list(node.edge.shape),
            "output": str(node.edge.number),
            "weights": "" if node.operator.matrix is None else str(node.operator.matrix.weight_type),
            "weight_bits": node.operator.weight_bits,
            "operations": node.operator.operations,
            **({} if network.is_chain else {"takes": list(node.takes)}),
        }
        for node in network.nodes
    ]


def _facts(network: "Network") -> dict[str, Any]:
    """What `--json` says of a network."""
    thresholds = _thresholds(network)
    return {
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
        "layers": _layers(network),
    }


def _thresholds(network: "Network") -> list[Any] | None:
    """Those of the encoding; None of one by tables."""
    return None if network.encoding.tables is not None else network.encoding.thresholds.tolist()


def _print(network: "Network") -> None:
    from bitwright.cli.output import print_facts, print_table

    print_table(
        [
            *("layer", "kind", "inputs", "outputs", "gives", "output", "weights", "weight bits", "operations a frame"),
            *(() if network.is_chain else ("takes",)),
        ],
        [[*map(_cell, layer.values())] for layer in _layers(network)],
        title=f"Network {network.name}",
    )
    shape = " x ".join(map(str, network.input.shape))
    print_facts(
        [
            ("input", f"{shape}, {network.input.bits}-bit values"),
            ("encoding", _encoding(network)),
            ("result", _result(network)),
            ("weights", f"{network.weight_bits:,} bits ({network.weight_bits / 8192:,.1f} KiB)"),
            ("operations", f"{network.operations:,} a frame"),
            ("digest", network.digest),
        ]
    )


def _encoding(network: "Network") -> str:
    rows, thresholds = len(network.encoding.rows), _thresholds(network)
    each = "" if rows == 1 else " for each value" if rows == network.input.size else " for each channel"
    if thresholds is None:
        return f"{network.encoding.number} integers, by a table{each}"
    if rows == 1:
        return f"{len(thresholds)} bit a value, thresholds {', '.join(map(str, thresholds))}"
    return f"{network.encoding.levels} bit a value, thresholds of their own{each}"


def _result(network: "Network") -> str:
    result = f"{network.outputs} {'classes' if network.is_classifier else network.gives}"
    if len(network.heads) > 1:
        result += f" of {len(network.heads)} outputs: {', '.join(_head(head) for head in network.heads)}"
    elif network.gives == "integers" and len(network.nodes[-1].edge.shape) > 1:
        result = f"{_head(network.heads[0])} integers"
    if network.values is not None:
        result = f"{network.outputs} numbers: {network.values.step:.9g} times the score, "
        result += f"within {network.values.error:.3g}"
    if network.labels:
        result += f" ({', '.join(network.labels[:_LABELS])}{', ...' if len(network.labels) > _LABELS else ''})"
    return result


def _head(head: "Head") -> str:
    return f"{head.name} {' x '.join(map(str, head.edge.shape))}"


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(value) if value and isinstance(value[0], str) else " x ".join(map(str, value))
    return value
