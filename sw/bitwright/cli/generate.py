"""`bitwright generate`: Verilog, plan.toml and manifest.json for a network, or for one layer by itself."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitwright.cli.arguments import add_loadable, add_planes

if TYPE_CHECKING:
    from bitwright_core.design import Design
    from bitwright_core.network import Network

_CONV_OPTIONS = ("shape", "kernel", "stride", "padding", "padding_value")
_LAYER_OPTIONS = ("inputs", "outputs", "weights", "thresholds", "seed", *_CONV_OPTIONS)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from bitwright.cli.output import add_json

    command = commands.add_parser(
        "generate",
        description="Writes an accelerator: Verilog, plan.toml and manifest.json, for a network file or, "
        "with --layer, for one layer by itself.",
    )
    command.add_argument("network", metavar="NETWORK", nargs="?", type=Path, help="a network file")
    command.add_argument("--out", required=True, metavar="DIR", type=Path, help="the design folder to write")
    command.add_argument(
        "--name",
        metavar="NAME",
        help="of the design, whose top module is bitwright_NAME (default: the network's name "
        "with digits that tell networks and plans apart)",
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="replace an earlier design there even if it was edited, or holds waves and reports of another network",
    )
    command.add_argument(
        "--testbench",
        metavar="FOLDER",
        type=Path,
        help="write golden vectors and a plain Verilog testbench there, for other simulators",
    )
    _add_folds(command.add_argument_group("how it is folded"))
    _add_streams(command.add_argument_group("streams, family and clock", "Defaults give way to what --plan says."))
    _add_layer(command.add_argument_group("one layer by itself"))
    add_json(command)
    command.set_defaults(run=run)


def _add_folds(command: argparse._ArgumentGroup) -> None:
    command.add_argument("--plan", metavar="PLAN.toml", type=Path, help="folds and options, as generate writes them")
    command.add_argument("--pe", metavar="P[,P...]", type=_numbers, help="rows at a time, for all layers or each")
    command.add_argument("--simd", metavar="S[,S...]", type=_numbers, help="lanes of a row at a time")
    command.add_argument(
        "--hardwired", action="store_true", help="weights as constants in the logic, all rows and lanes at a time"
    )
    add_planes(command)
    add_loadable(command)
    command.add_argument(
        "--ultra",
        metavar="all|LAYER[,LAYER...]",
        help="loadable layers whose weights lie in UltraRAM, which UltraScale+ has: all of them, or these",
    )
    command.add_argument("--cycles", metavar="N", type=int, help="the most cycles a frame (without --plan)")


def _add_streams(command: argparse._ArgumentGroup) -> None:
    from bitwright_core.families import FAMILY_NAMES

    command.add_argument("--scores", action="store_true", default=None, help="send every class score, then the class")
    command.add_argument(
        "--encoding", choices=("hardware", "host"), help="where input values become bits (default: hardware)"
    )
    command.add_argument("--target", choices=FAMILY_NAMES, help="the FPGA family (default: the plan's, or generic)")
    command.add_argument("--clock-mhz", metavar="M", type=float, help="the clock to aim for (default: 100)")
    command.add_argument(
        "--no-registers",
        dest="registers",
        action="store_false",
        default=None,
        help="leave the AXI4-Lite registers out (some 140 LUTs); no board's build takes such a design",
    )
    command.add_argument(
        "--comparators",
        choices=("auto", "beats", "tables"),
        help="compare the input of lookup tables with each beat, or within the tables (default: what takes fewer LUTs)",
    )
    command.add_argument("--data-bits", metavar="B", type=int, help="width of the input stream (default: 64)")


def _add_layer(layer: argparse._ArgumentGroup) -> None:
    layer.add_argument("--layer", choices=("dense", "conv2d"), help="the kind of layer, in place of NETWORK")
    layer.add_argument("--inputs", metavar="N", type=int, help="of a dense layer")
    layer.add_argument("--outputs", metavar="M", type=int, help="neurons, or channels that a convolution gives")
    layer.add_argument(
        "--weights",
        metavar="W.npy",
        type=Path,
        help="(outputs, inputs), or (outputs, kernel rows, kernel columns, channels), of 0/1, bool or -1/+1",
    )
    layer.add_argument("--thresholds", metavar="T.npy", type=Path, help="(outputs,) integers in 0 .. inputs + 1")
    layer.add_argument("--shape", metavar="H,W,C", type=_numbers, help="of the images that a convolution takes")
    layer.add_argument("--kernel", metavar="K|KY,KX", type=_numbers, help="rows and columns (default: 3,3)")
    layer.add_argument("--stride", metavar="S|SY,SX", type=_numbers, help="down and across (default: 1,1)")
    layer.add_argument(
        "--padding", metavar="P|PY,PX|T,B,L,R", type=_numbers, help="top, bottom, left, right (default: none)"
    )
    layer.add_argument(
        "--padding-value", choices=("minus_one", "plus_one", "zero"), help="what pads (default: minus_one)"
    )
    layer.add_argument(
        "--seed", metavar="S", type=int, help="random weights and thresholds from this seed (default: 0)"
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, nor numbers with commas between") from None


def run(args: argparse.Namespace) -> int:
    from bitwright import api
    from bitwright.cli.output import print_json, progress, quiet_stdout
    from bitwright_core.errors import PlanError
    from bitwright_core.plan import Plan, with_loadable, with_ultra
    from bitwright_core.writable import check_folder
    from bitwright_hw.earlier import check_folder as check_design_folder

    check_design_folder(args.out, force=args.force)
    check_folder(args.out)
    if args.testbench is not None:
        check_folder(args.testbench)
        if args.testbench.absolute().is_relative_to(args.out.absolute()):
            raise PlanError(f"{args.testbench}: lies in the design's folder, which holds nothing else; name another")
    if args.plan is not None and args.cycles is not None:
        raise PlanError("--plan already decides the cycles a frame; give --plan or --cycles, not both")
    with quiet_stdout(args.json), progress() as report:
        network = _network(args)
        plan = api.size(
            network,
            cycles=args.cycles,
            pe=args.pe,
            simd=args.simd,
            hardwired=args.hardwired,
            plan=None if args.plan is None else Plan.load(args.plan),
            scores=args.scores,
            encoding=args.encoding,
            target=args.target,
            clock_mhz=args.clock_mhz,
            data_bits=args.data_bits,
            registers=args.registers,
            planes=args.planes,
            comparators=args.comparators,
        )
        if args.loadable is not None:
            plan = with_loadable(plan, network, args.loadable)
        if args.ultra is not None:
            plan = with_ultra(plan, network, None if args.ultra == "all" else args.ultra.split(","))
        design = api.generate(network, plan, args.out, name=args.name, force=args.force, progress=report)
        if args.testbench is not None:
            api.write_testbench(design, args.testbench)
    if design.replaced:
        print(f"note: replaced: {', '.join(design.replaced)}", file=sys.stderr)
    if args.layer is not None and args.weights is None and args.seed is None:
        print("no --weights and no --seed: random weights from seed 0", file=sys.stderr)
    if args.json:
        print_json(as_json(design))
    else:
        _print(design)
    return 0


def _network(args: argparse.Namespace) -> "Network":
    """The network file's network, or a layer's. Raises BitwrightError for options that do not go together."""
    from bitwright import api
    from bitwright_core.errors import DataError
    from bitwright_core.layer import read_npy

    if args.layer is None:
        if args.network is None:
            raise DataError("give a network file, or --layer dense with --inputs and --outputs, or --layer conv2d")
        for name in _LAYER_OPTIONS:
            if getattr(args, name) is not None:
                option = name.replace("_", "-")
                raise DataError(f"--{option} describes a layer by itself; it needs --layer and no network file")
        return api.load(args.network)
    if args.network is not None:
        raise DataError("give a network file or --layer, not both")
    conv = args.layer == "conv2d"
    if args.outputs is None or (args.shape if conv else args.inputs) is None:
        raise DataError(f"--layer {args.layer} needs {'--shape' if conv else '--inputs'} and --outputs")
    for name in ("inputs",) if conv else _CONV_OPTIONS:
        if getattr(args, name) is not None:
            raise DataError(f"--{name.replace('_', '-')} does not describe a {args.layer} layer")
    if (args.weights is None) != (args.thresholds is None):
        raise DataError("--weights and --thresholds go together: give both, or --seed for random ones")
    if args.weights is not None:
        if args.seed is not None:
            raise DataError("give --weights and --thresholds, or --seed, not both")
        given: dict[str, Any] = {
            "weights": read_npy(args.weights, "weights"),
            "thresholds": read_npy(args.thresholds, "thresholds"),
        }
        return _conv(args, **given) if conv else api.dense_layer(args.inputs, args.outputs, **given)
    if args.seed is not None and args.seed < 0:
        raise DataError(f"--seed must not be negative, not {args.seed}")
    seed = args.seed or 0
    return _conv(args, seed=seed) if conv else api.dense_layer(args.inputs, args.outputs, seed=seed)


def _conv(args: argparse.Namespace, **given: Any) -> "Network":
    from bitwright import api
    from bitwright_core.errors import DataError

    def sizes(option: str, counts: tuple[int, ...], default: int) -> tuple[int, ...]:
        values = getattr(args, option)
        if values is None:
            return (default,) * counts[-1]
        if len(values) not in counts:
            raise DataError(f"--{option} takes {' or '.join(map(str, counts))} numbers, not {len(values)}")
        # one for all, or one each for down and across, each for both sides
        repeats = counts[-1] // len(values)
        return tuple(value for value in values for _ in range(repeats))

    height, width, channels = sizes("shape", (3,), 1)
    down, across = sizes("kernel", (1, 2), 3)
    stride = sizes("stride", (1, 2), 1)
    padding = sizes("padding", (1, 2, 4), 0)
    return api.conv_layer(
        (height, width, channels),
        args.outputs,
        kernel=(down, across),
        stride=(stride[0], stride[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        padding_value=args.padding_value or "minus_one",
        **given,
    )


def as_json(design: "Design") -> dict[str, Any]:
    """What `generate --json` prints."""
    m = design.manifest
    fields = ("name", "kind", "inputs", "outputs", "pe", "simd", "lanes", "ideal_cycles", "engine")
    return {
        "out": str(design.folder),
        "top": m.top,
        "verilog": [str(path) for path in design.verilog],
        "digest": m.digest,
        "network_digest": m.network_digest,
        "interval_cycles": m.interval_cycles,
        "ideal_interval_cycles": design.ideal_interval_cycles,
        "latency_cycles": m.latency_cycles,
        "layers": [{field: getattr(layer, field) for field in fields} for layer in m.layers],
    }


def _bound(design: "Design") -> list[tuple[str, str]]:
    """What says so where a stream, not a layer, decides how often a frame comes."""
    m = design.manifest
    if m.interval_cycles == max(layer.ideal_cycles for layer in m.layers):
        return []
    if m.interval_cycles == m.input.beats:
        wider = "widen data_bits, or encode on the host" if not m.input.encoded else "widen data_bits"
        return [("limited by", f"the input stream, {m.input.beats:,} beats of {m.input.data_bits} bits: {wider}")]
    if m.interval_cycles == m.stream_cycles:
        return [("limited by", f"the image, {m.stream_cycles:,} cycles for its pixels")]
    return [("limited by", f"the output stream, {m.output.beats:,} beats a result")]


def print_design(design: "Design", more: Sequence[tuple[str, str]] = ()) -> None:
    """Folds, rate and latency, and `more`; info shows them, too."""
    from bitwright.cli.output import print_facts, print_table

    m = design.manifest
    print_table(
        ["layer", "kind", "inputs", "outputs", "PE", "SIMD", "lanes", "cycles a frame", "weights in"],
        [[y.name, y.kind, y.inputs, y.outputs, y.pe, y.simd, y.lanes, y.ideal_cycles, y.memory] for y in m.layers],
        title=f"Design {m.name}",
    )
    rate = m.clock_mhz * 1e6 / m.interval_cycles
    print_facts(
        [
            ("a frame every", f"{m.interval_cycles:,} cycles: {rate:,.0f} frames/s at {m.clock_mhz:g} MHz"),
            *_bound(design),
            ("latency", f"{m.latency_cycles:,} cycles: {m.latency_cycles / m.clock_mhz:,.2f} us"),
            *more,
            ("Verilog", ", ".join(str(design.folder / name) for name in m.verilog)),
            ("top module", m.top),
            ("digest", m.digest),
        ]
    )


def _print(design: "Design") -> None:
    from bitwright.cli.output import say

    print_design(design)
    m = design.manifest
    data = "DATASET" if m.output.classifier else "random"
    say(f"\nNext: bitwright verify {design.folder} --data {data}")
    say(f"To fold it otherwise: edit a copy of {design.folder / m.plan}, then generate with --plan")
