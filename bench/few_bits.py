"""What an engine on two bits takes beside that of one bit of the same lanes, counted by Yosys."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bitwright_core.network import BINARY, Dense, Thresholds
from bitwright_core.numbers import signed_type, unsigned_type
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.emit import emit
from bitwright_hw.engine import RowPool
from bitwright_hw.engines import FOLDED
from bitwright_hw.families import XC7
from bitwright_hw.synth import synthesize_verilog

# inputs, outputs, PE and SIMD: folds that divide, and primes that do not
SHAPES = (
    (331, 211, 29, 17),
    (576, 64, 16, 36),
    (1009, 127, 7, 97),
    (509, 251, 13, 61),
    (512, 256, 8, 128),
    (1024, 1024, 32, 32),
    (1024, 1024, 16, 64),
)
TYPES = {"W1A1": (BINARY, BINARY), "W1A2": (BINARY, unsigned_type(2)), "W2A2": (signed_type(2), unsigned_type(2))}
GOALS = {"W1A2": 2.1, "W2A2": 4.2}


def layer_of(name: str, inputs: int, outputs: int) -> Dense:
    """A random layer on activations of a bit or two, which gives such."""
    weights, takes = TYPES[name]
    rng = np.random.default_rng(inputs)
    stored = rng.integers(weights.stored[0], weights.stored[1] + 1, (outputs, inputs))
    middle = inputs // 2 if name == "W1A1" else 0
    spread = int(inputs**0.5) * takes.magnitude
    levels = np.sort(middle + rng.integers(-spread, spread, (outputs, takes.stored[1])), axis=1)
    return Dense(name="layer", weights=stored, weight_type=weights, takes=takes, output=Thresholds(values=levels))


def engine_luts(name: str, shape: tuple[int, int, int, int]) -> int:
    """The LUTs of the whole engine, threshold stage and control included, its weights in block RAM, at 100 MHz."""
    inputs, outputs, pe, simd = shape
    layer = layer_of(name, inputs, outputs)
    choice = LayerPlan(name="layer", pe=pe, simd=simd, memory="block")
    fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    stage = FOLDED.stage("engine", layer, fold, choice, Plan(layers=(choice,), target=XC7.name), ())
    engine = stage.component(RowPool())
    with TemporaryDirectory(prefix="bitwright-few-bits-") as folder:
        file = Path(folder) / "engine.v"
        file.write_text(emit(engine, "engine", shared=engine.shared))
        return synthesize_verilog([file], "engine", family=XC7)["engine"].luts
