"""`make graphs`: random graphs of all operators, in golden model, torch, onnxruntime or qonnx, Icarus and Verilator.

    python -m tests.sim.random_graphs --graphs 500 --log graphs.jsonl

A seed gives a graph. What is done stands in the log, a line each, so that a run that was stopped goes on where it was.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from bitwright_core.design import Design
from bitwright_core.engine_rules import refusal
from bitwright_core.errors import ToolError
from bitwright_core.network import MatrixLayer, Network
from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw.generator import generate
from bitwright_sim.cache import cache_folder
from bitwright_sim.tools import Compiler, Icarus, Verilator
from tests.hw.test_conv_accelerators import random_plan
from tests.sim.plain_bench import Case, complaints, frames_for, integers, run_icarus, run_verilator, write_benches
from tests.sim.random_designs import done
from tests.sw.test_graph_legs import TABLES, legs_agree, random_mix

SOFTWARE_FRAMES = 40
AT_ONCE = 16  # designs that one simulator of Verilator's holds


def small_mix(seed: int) -> Network:
    """A graph that a simulator builds and runs in a second or two."""
    return random_mix(seed, image=4, most=4, steps=6)


def can_be_wiring(layer: MatrixLayer) -> bool:
    return refusal("hardwired", layer, layer.outputs, layer.inputs) is None


def drawn_plan(network: Network, seed: int) -> Plan:
    """Random folds; now and then a layer takes its planes one after the other, or its weights are wiring."""
    plan, dice = random_plan(network, seed), random.Random(seed)
    layers = tuple(
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        if can_be_wiring(layer) and dice.random() < 0.2
        else choice
        for choice, layer in zip(plan.layers, network.matrix_layers, strict=True)
    )
    return replace(plan, layers=layers)


def made(seed: int, network: Network, folder: Path) -> Case:
    """The design of a graph at random folds, and its frames."""
    design: Design = generate(network, drawn_plan(network, seed), folder)
    shape = (frames_for(design), network.input.size)
    return Case(design=design, frames=np.random.default_rng(seed).integers(0, 1 << network.input.bits, shape))


def engines(network: Network, plan: Plan) -> dict[str, int]:
    """How many layers are wiring, how many of these convolutions, and how many take their planes in turn."""
    pairs = list(zip(network.matrix_layers, plan.layers, strict=True))
    wired = [layer for layer, choice in pairs if choice.engine == "hardwired"]
    return {
        "hardwired": len(wired),
        "hardwired_convolutions": sum(layer.windows is not None for layer in wired),
        "serial": sum(choice.planes == "serial" for _, choice in pairs),
    }


def facts(seed: int, case: Case) -> dict:
    """What a line of the log says of a design."""
    manifest, network = case.design.manifest, case.design.network
    kinds = sorted({node.operator.kind for node in network.nodes})
    onnx = "none (tables)" if TABLES & set(kinds) else dialect(seed)
    return {
        "kinds": kinds,
        "gives": network.gives,
        **engines(network, case.design.plan),
        "branches": not network.is_chain,
        "onnx": onnx,
        "interval": manifest.interval_cycles,
        "ideal": case.design.ideal_interval_cycles,
        "latency": manifest.latency_cycles,
        "integers": 2 * integers(case),
    }


def dialect(seed: int) -> str:
    return ("standard", "qonnx")[seed % 2]


def batch(seeds: list[int], folder: Path, cache: Path) -> list[dict]:
    """Lines of the log of some seeds: what was compared, or what went wrong."""
    lines = [{"seed": seed, "failure": ""} for seed in seeds]
    cases: list[tuple[dict, Case]] = []
    for line in lines:
        seed = line["seed"]
        try:
            network = small_mix(seed)
            legs_agree(network, SOFTWARE_FRAMES, dialect(seed))
            case = made(seed, network, folder / f"design-{seed}")
            line.update(facts(seed, case))
            if line["interval"] > 1.01 * line["ideal"]:
                line["failure"] = f"interval {line['interval']}, ideal {line['ideal']}"
            cases.append((line, case))
        except Exception:
            line["failure"] = traceback.format_exc()
    for name, run in (("icarus", run_icarus), ("verilator", lambda *files: run_verilator(*files, cache))):
        # Icarus one by one, since what has finished would cost time
        for part in [[each] for each in cases] if name == "icarus" else [cases] if cases else []:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                only = [case for _, case in part]
                try:
                    said = run(write_benches(only, Path(place), seeds[0]), Path(place))
                except Exception:
                    for line, _ in part:
                        line["failure"] += f"{name}: {traceback.format_exc()}"
                    continue
                for number, (line, case) in enumerate(part):
                    line["failure"] += "".join(f"{name}: {each}\n" for each in complaints(number, case, said))
    return lines


def summary(lines: list[dict]) -> str:
    """Totals, and the failures."""
    kinds = Counter(kind for line in lines for kind in line.get("kinds", ()))
    legs = Counter(line["onnx"] for line in lines if "onnx" in line)
    given = Counter(line["gives"] for line in lines if "gives" in line)
    ratios = [line["interval"] / line["ideal"] for line in lines if "ideal" in line]
    told = [
        f"{len(lines)} graphs, {sum(line.get('branches', False) for line in lines)} of them with branches, "
        f"{sum(bool(line['failure']) for line in lines)} failed; "
        f"{sum(line.get('integers', 0) for line in lines):,} integers in two simulators; interval over ideal at most "
        f"{max(ratios, default=0):.3f}",
        "graphs with: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        "results: "
        + ", ".join(f"{gives} {count}" for gives, count in sorted(given.items()))
        + "; graphs with "
        + ", ".join(
            f"{what} {sum(bool(line.get(key)) for line in lines)}"
            for what, key in (
                ("layers of wiring", "hardwired"),
                ("convolutions among them", "hardwired_convolutions"),
                ("plane-serial layers", "serial"),
            )
        ),
        "ONNX: " + ", ".join(f"{leg} {count}" for leg, count in sorted(legs.items())),
    ]
    failed = [line for line in lines if line["failure"]]
    told += [f"FAILED: seed {line['seed']}: {line['failure'].strip().splitlines()[-1]}" for line in failed]
    return "\n".join(told)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.random_graphs", description=__doc__.split("\n")[0])
    parser.add_argument("--graphs", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="of the first graph (default: 0)")
    parser.add_argument("--log", type=Path, default=Path("graphs.jsonl"), help="what is done (default: graphs.jsonl)")
    args = parser.parse_args()
    for tool in (Icarus, Verilator, Compiler):  # before minutes of generating
        try:
            tool.find()
        except ToolError as error:
            parser.error(str(error))
    seen = {line["seed"] for line in done(args.log)}
    left = [seed for seed in range(args.seed, args.seed + args.graphs) if seed not in seen]
    with tempfile.TemporaryDirectory(prefix="bitwright-graphs-") as folder:
        for start in range(0, len(left), AT_ONCE):
            started, cpu = time.monotonic(), sum(os.times()[:4])
            with tempfile.TemporaryDirectory(dir=folder) as place:
                lines = batch(left[start : start + AT_ONCE], Path(place), cache_folder())
            with args.log.open("a") as file:
                for line in lines:
                    file.write(json.dumps(line) + "\n")
            failed = [line["seed"] for line in lines if line["failure"]]
            print(
                f"seeds {lines[0]['seed']} to {lines[-1]['seed']}: {f'FAILED {failed}' if failed else 'equal'} "
                f"({time.monotonic() - started:.1f} s, {sum(os.times()[:4]) - cpu:.1f} s of CPU)",
                flush=True,
            )
    lines = done(args.log)
    print(summary(lines))
    return int(any(line["failure"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
