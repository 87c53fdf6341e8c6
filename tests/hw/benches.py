"""What the component tests share: random layers, and a bench run on emitted Verilog."""

from pathlib import Path

import numpy as np
import pytest

from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_hw.emit import emit, ports
from bitwright_sim.bench import run_bench

HERE = Path(__file__).parent
SIMULATORS = ("verilator", "icarus")
SEED = 20261121


def words_of(bits, width):
    """0/1 values to words of `width` bits, bit 0 first, the last one padded with zeros."""
    bits = [int(bit) for bit in bits]
    return [sum(bit << k for k, bit in enumerate(bits[start : start + width])) for start in range(0, len(bits), width)]


def fields_of(values, width):
    """Integers to one word, field 0 lowest, in two's complement of `width` bits."""
    return sum((int(value) & ((1 << width) - 1)) << (k * width) for k, value in enumerate(values))


def bench(component, tmp_path, simulator, bench_file="streams_bench.py", **parameters):
    """Emits `component`, runs a bench on it and fails with the bench's own words and the seed."""
    file = tmp_path / "dut.v"
    file.write_text(emit(component, "dut", shared=getattr(component, "shared", None)))
    models = [Path(model) for model in getattr(component, "simulation_models", [])]
    if simulator == "icarus":
        require_icarus()
    parameters["ports"] = sorted(ports(component))
    report = run_bench([*models, file], "dut", HERE / bench_file, simulator=simulator, parameters=parameters, seed=SEED)
    return report.check()


def require_icarus():
    from bitwright_core.errors import ToolError
    from bitwright_sim.tools import Icarus

    try:
        Icarus.find()
    except ToolError as error:
        pytest.skip(f"Icarus Verilog: {error}")


def random_layer(rng, inputs, outputs, *, scores=False, name="dense_0"):
    """A dense layer whose popcounts fall on both sides of its thresholds."""
    if scores:
        output = Scores(scale=rng.integers(0, 40, outputs), offset=rng.integers(-300, 300, outputs))
    else:
        middle = inputs // 2 + rng.integers(-2, 3, (outputs, 1))
        edge = rng.integers(0, inputs + 2, (outputs, 1))
        output = Thresholds(values=np.where(rng.random((outputs, 1)) < 0.8, middle.clip(0, inputs + 1), edge))
    return Dense(name=name, weights=rng.integers(0, 2, (outputs, inputs)), output=output)


def random_network(rng, *, inputs, sizes, levels=1, bits=8, scores=True, name="t"):
    """A network of dense layers of `sizes` outputs; the last one gives scores, or bits."""
    thresholds = np.sort(rng.choice(np.arange(1, 1 << bits), levels, replace=False))
    layers, width = [], inputs * levels
    for k, outputs in enumerate(sizes):
        last = k == len(sizes) - 1
        layers.append(random_layer(rng, width, outputs, scores=scores and last, name=f"dense_{k}"))
        width = outputs
    return Network(
        name=name,
        input=Input(shape=(inputs,), bits=bits),
        encoding=ThresholdEncoding(thresholds=thresholds),
        layers=tuple(layers),
    )
