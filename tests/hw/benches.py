"""What the component tests share: random layers, and a bench run on emitted Verilog."""

from pathlib import Path

import pytest

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
