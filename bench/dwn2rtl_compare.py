"""Networks of lookup tables by dwn2rtl beside bitwright's: both trained here, counted by the same Yosys command.

torch-dwn, which trains for dwn2rtl, needs CUDA. So bitwright's trainer trains dwn2rtl's architecture (three quantiles
of each pixel, one layer of tables with learned wiring, a group for each class), and what it learned is handed over as
torch-dwn's state dict; encoder, core and Verilog are dwn2rtl's own.
"""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bitwright_core import golden
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_core.progress import Progress
from bitwright_data import load_dataset
from bitwright_hw import generate
from bitwright_hw.families import XC7
from bitwright_hw.synth import synthesize_verilog
from bitwright_train import TrainConfig, train
from bitwright_train.lut_config import LutConfig

SECONDS = 120.0  # of training each network, unless BITWRIGHT_LUT_SECONDS says otherwise
EPOCHS = 40  # the most
HOW = "skipped: no dwn2rtl here; pip install dwn2rtl==0.3.0"
_TOP, _ENCODER = "dwn_top", "thermometer_encoder"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A network: percent of the test set told right, LUTs of xc7, those of its encoder among them, and a note."""

    what: str
    accuracy: float
    luts: int
    note: str


def is_here() -> bool:
    """Whether dwn2rtl can be imported."""
    return importlib.util.find_spec("dwn2rtl") is not None


def config(neurons: int, *, quantiles: bool, seed: int = 1) -> TrainConfig:
    """A layer of `neurons` tables on MNIST: dwn2rtl's thermometer, or bitwright's, which all pixels share."""
    return TrainConfig(
        name=f"mnist_{neurons}_{'quantiles' if quantiles else 'even'}",
        dataset="mnist",
        levels=3,
        epochs=EPOCHS,
        batch_size=128,
        learning_rate=0.01,
        validation_fraction=0.05,
        seed=seed,
        luts=LutConfig(neurons=(neurons,), placement="quantiles" if quantiles else "even"),
    )


def checkpoint(network: Network, values: int) -> dict[str, object]:
    """What dwn2rtl builds from: torch-dwn's tensors, and the thermometer as fractions of 256 (a bit is 1 above it)."""
    luts: Any = network.layers[0]
    sums: Any = network.layers[-1]
    groups = sums.groups
    levels = network.encoding.levels
    rows = np.tile(network.encoding.rows, (values // len(network.encoding.rows), 1))
    size = max(groups)
    tables = np.full((size * len(groups), 1 << luts.fan_in), -1.0, np.float32)  # groups of equal size, as torch-dwn has
    wires = np.zeros((len(tables), luts.fan_in), np.int64)
    place = 0
    for klass, count in enumerate(groups):
        at = slice(klass * size, klass * size + count)
        tables[at] = 2.0 * luts.tables[place : place + count] - 1
        wires[at] = luts.wires[place : place + count]
        place += count
    return {
        "config": {"n": luts.fan_in, "num_classes": len(groups), "layers": [len(tables)], "thermometer_bits": levels},
        "state_dict": {"0.luts": torch.from_numpy(tables), "0.mapping": torch.from_numpy(wires)},
        "thermometer": {"thresholds": torch.from_numpy((rows - 1) / 256).to(torch.float32)},
        "run_name": network.name,
    }


def theirs(network: Network, folder: Path, progress: Progress) -> tuple[int, int, str]:
    """LUTs of dwn2rtl's design of `network`, those of its encoder, and what its own simulation said.

    Raises RuntimeError if it computes other classes, or if its simulation fails.
    """
    import dwn2rtl
    from dwn2rtl import extract

    given = checkpoint(network, network.input.size)
    report = dwn2rtl.build(given, str(folder), input_bits=8)
    normal = dwn2rtl.normalize(given)
    frames = np.random.default_rng(1).integers(0, 256, (300, *network.input.shape)).astype(np.uint8)
    bits = extract.encode(
        frames.reshape(len(frames), -1).astype(np.int64),
        extract.quantize_thresholds(normal["thermometer"]["thresholds"].numpy(), report.precision.frac_bits),
    )
    tables = extract.extract_tables(normal["state_dict"], 0)
    wiring = extract.extract_wiring(normal["state_dict"], 0, normal["config"]["n"])[0]
    classes, _ = extract.forward(bits, [(tables, wiring, "fixed")], normal["config"]["num_classes"])
    if (classes != golden.classify(network, frames)).any():
        raise RuntimeError("dwn2rtl: its model does not tell the network's classes")
    simulated = "not simulated: no Icarus Verilog"
    if shutil.which("iverilog"):
        verified = dwn2rtl.verify(str(folder))
        if not verified.ok:
            raise RuntimeError(f"dwn2rtl: its simulation fails: {verified}")
        simulated = "its own simulation passes"
    files = sorted(folder.glob("*.v"))
    counts = synthesize_verilog(files, _TOP, family=XC7, kept=[_ENCODER], progress=progress)
    return counts[_TOP].luts, counts[_ENCODER].luts, f"{simulated}; a frame a cycle"


def ours(network: Network, folder: Path, progress: Progress) -> tuple[int, str]:
    """LUTs of bitwright's design of `network`, everything counted, and its interval."""
    design = generate(network, Plan(layers=(), data_bits=64, target=XC7.name), folder)
    top = design.manifest.top
    counts = synthesize_verilog(design.verilog, top, family=XC7, kept=[f"{top}.control"], progress=progress)
    registers = counts[f"{top}.control"].luts
    return counts[top].luts, f"{registers} of them registers; a frame every {design.manifest.interval_cycles} cycles"


def sides(neurons: int, folder: Path, data: Path, seconds: float, progress: Progress) -> tuple[list[Side], str]:
    """bitwright's network and dwn2rtl's of `neurons` tables, each trained for about `seconds`; and why dwn2rtl's is
    missing, if it is."""
    found, skipped = [], ""
    for quantiles in (False, True):
        if quantiles and not is_here():
            skipped = HOW
            continue
        which = config(neurons, quantiles=quantiles)
        report = train(which, folder / which.name, data_dir=data, seconds=seconds, progress=progress)
        taught = f"{len(load_dataset('mnist', data).test_labels):,} test frames, {report.best_epoch} epochs"
        if quantiles:
            luts, encoder, note = theirs(report.network, folder / f"dwn2rtl_{neurons}", progress)
            note = f"{encoder} of them its encoder; {note}"
        else:
            luts, note = ours(report.network, folder / f"design_{neurons}", progress)
        name = "dwn2rtl" if quantiles else "bitwright"
        found.append(
            Side(
                what=f"{neurons} tables by {name}",
                accuracy=100 * report.test_accuracy,
                luts=luts,
                note=f"{note}; {taught}",
            )
        )
    return found, skipped
