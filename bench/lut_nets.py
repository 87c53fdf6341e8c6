"""`bench/lut_nets.py`: networks of lookup tables beside BTHOWeN's on its own tables, and beside dwn2rtl's on MNIST.

Each network is trained from `bench/luts/NAME.toml` with each seed, exported, generated without AXI4-Lite registers and
counted by Yosys for xc7: the whole design, flat; and its core, the sum of what encoder, tables, sums and the choice of
the class take as modules of their own. The rest is the AXI streams' guard, queues and the register of a frame.
Data lie under `--data` as `NAME.npz`, and MNIST in `mnist/` (docs/data.md).
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from bitwright.cli.output import print_table, progress
from bitwright.peers import peers_of
from bitwright_core.atomic import write_text
from bitwright_core.network import Network, load
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress
from bitwright_hw import generate
from bitwright_hw.estimate import estimate
from bitwright_hw.families import XC7
from bitwright_hw.lower import lower
from bitwright_hw.synth import synthesize_verilog
from bitwright_train import load_config, train, with_overrides

CONFIGS = Path(__file__).parent / "luts"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A trained network: how much of the test set it tells right, in percent, and what Yosys counts of it."""

    name: str
    dataset: str
    seed: int
    accuracy: float
    neurons: tuple[int, ...]
    luts: int
    core: int
    encoder: int
    expected: int  # what the estimate says of `luts`


def counted(network: Network, data_bits: int, report: Progress | None = None) -> dict[str, int]:
    """LUTs by Yosys: of the whole design, of its core, of its encoder; and of the whole by the estimate."""
    plan = Plan(layers=(), data_bits=data_bits, target=XC7.name, registers=False)
    with TemporaryDirectory(prefix="bitwright-luts-") as folder:
        design = generate(network, plan, Path(folder) / "design")
        top = design.manifest.top
        names = ["encoder", *(stage.name for stage in lower(network, plan).whole), "scores", "argmax"]
        core = [f"{top}.core.{name}" for name in names]
        whole = synthesize_verilog(design.verilog, top, family=XC7, progress=report)
        parts = synthesize_verilog(design.verilog, top, family=XC7, kept=core, progress=report)
    return {
        "luts": whole[top].luts,
        "core": sum(parts[name].luts for name in core),
        "encoder": parts[core[0]].luts,
        "expected": estimate(network, plan, family=XC7).total.luts,
    }


def measure(name: str, seed: int, data: Path, out: Path, report: Progress | None) -> Measured:
    """Trains `name` with `seed`, unless `out` has that network already, and counts it."""
    config = load_config(str(CONFIGS / f"{name}.toml")) if (CONFIGS / f"{name}.toml").is_file() else load_config(name)
    config = with_overrides(config, seed=seed)
    folder = out / f"{name}-s{seed}"
    if not (folder / "network.safetensors").is_file():
        train(config, folder, data_dir=data, progress=report)
    network = load(folder / "network.safetensors")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert config.luts is not None
    return Measured(
        name=name,
        dataset=config.dataset,
        seed=seed,
        accuracy=100 * metrics["test_accuracy"],
        neurons=config.luts.neurons,
        **counted(network, 64 if network.input.size > 100 else 8, report),
    )


def rows(found: list[Measured]) -> list[list[object]]:
    """A line of the table for each network, means over its seeds, beside its peer."""
    table: list[list[object]] = []
    for name in dict.fromkeys(one.name for one in found):
        mine = [one for one in found if one.name == name]
        peer = next(iter(peers_of(mine[0].dataset)), None)
        luts = mean(one.luts for one in mine)
        table.append(
            [
                name,
                "-".join(map(str, mine[0].neurons)),
                f"{mean(one.accuracy for one in mine):.2f} ({', '.join(f'{one.accuracy:.2f}' for one in mine)})",
                f"{luts:.0f}",
                f"{mean(one.core for one in mine):.0f}",
                f"{mean(one.encoder for one in mine):.0f}",
                f"{mean(one.expected for one in mine):.0f}",
                "" if peer is None else f"{peer.accuracy:.2f}",
                "" if peer is None else f"{peer.luts}",
                "" if peer is None else f"{luts / peer.luts:.2f}",
            ]
        )
    return table


def main(argv: list[str] | None = None) -> int:
    """Trains and counts what is asked for, prints the table and writes lut-nets.json."""
    names = sorted(path.stem for path in CONFIGS.glob("*.toml"))
    parser = argparse.ArgumentParser(description="Networks of lookup tables beside others' figures.")
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.npz and mnist/")
    parser.add_argument("--out", type=Path, default=Path("bench-out/luts"), help="trained networks and lut-nets.json")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each, from 1 (default: 3)")
    parser.add_argument("names", nargs="*", default=names, help=f"of {', '.join(names)}, or a configuration's name")
    args = parser.parse_args(argv)
    found: list[Measured] = []
    with progress() as report:
        for name in args.names:
            for seed in range(1, args.seeds + 1):
                found.append(measure(name, seed, args.data, args.out, report))
                facts = [asdict(one) | {"peers": [asdict(peer) for peer in peers_of(one.dataset)]} for one in found]
                write_text(args.out / "lut-nets.json", json.dumps(facts, indent=2) + "\n")
    columns = ["set", "neurons", "% right (seeds)", "LUTs", "core", "its encoder", "estimate"]
    columns += ["peer, %", "peer, LUTs", "ratio"]
    print_table(columns, rows(found), title="networks of lookup tables, Yosys xc7")
    for what in dict.fromkeys(peer.source for one in found for peer in peers_of(one.dataset)[:1]):
        print(f"peer: {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
