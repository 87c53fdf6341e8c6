"""What an engine on two bits takes beside that of one bit of the same lanes, counted by Yosys."""

from pathlib import Path
from tempfile import TemporaryDirectory

from designs import few_bit_layer

from bitwright_core.network import BINARY, NumberType
from bitwright_core.numbers import signed_type, unsigned_type
from bitwright_core.plan import LayerPlan, Plan, Planes, fold_of
from bitwright_hw.emit import emit
from bitwright_hw.engines import FOLDED
from bitwright_hw.families import XC7
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.matrix import MatrixStage
from bitwright_hw.synth import synthesize_verilog

# inputs, outputs, PE and SIMD: folds that divide, and primes that do not
SHAPES = (
    (211, 97, 7, 31),
    (331, 128, 8, 32),
    (509, 61, 5, 61),
    (576, 64, 8, 36),
    (512, 64, 4, 64),
    (1009, 127, 3, 97),
    (1024, 1024, 4, 128),
)
TYPES = {"W1A1": (BINARY, BINARY), "W1A2": (BINARY, unsigned_type(2)), "W2A2": (signed_type(2), unsigned_type(2))}
GOALS = {"W1A2": 2.1, "W2A2": 4.2}


SERIAL_SHAPES = ((331, 128, 8, 32), (509, 61, 5, 61), (512, 64, 4, 64))
SERIAL_TYPES = {
    "W1A2": TYPES["W1A2"],
    "W2A2": TYPES["W2A2"],
    "W1A4": (BINARY, unsigned_type(4)),
    "W4A4": (signed_type(4), unsigned_type(4)),
}


def engine_luts(
    types: tuple[NumberType, NumberType], shape: tuple[int, int, int, int], planes: Planes = "parallel"
) -> int:
    """The LUTs of the whole engine for weights and values of these types, threshold stage and control included, its
    weights in block RAM, at 100 MHz."""
    stage = engine_stage(types, shape, planes)
    engine = stage.component(RowPool())
    with TemporaryDirectory(prefix="bitwright-few-bits-") as folder:
        file = Path(folder) / "engine.v"
        file.write_text(emit(engine, "engine", shared=engine.shared))
        return synthesize_verilog([file], "engine", family=XC7)["engine"].luts


def engine_stage(
    types: tuple[NumberType, NumberType], shape: tuple[int, int, int, int], planes: Planes = "parallel"
) -> MatrixStage:
    """The stage of that engine."""
    inputs, outputs, pe, simd = shape
    layer = few_bit_layer(*types, inputs, outputs)
    choice = LayerPlan(name="layer", pe=pe, simd=simd, memory="block", planes=planes)
    return FOLDED.stage(
        "engine", layer, fold_of(layer, pe, simd, planes), choice, Plan(layers=(choice,), target=XC7.name), ()
    )
