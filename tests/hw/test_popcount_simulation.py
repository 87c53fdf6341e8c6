# amaranth: UnusedElaboratable=no
"""Rows of every target and many widths in Icarus and Verilator, against a loop over the lanes."""

import itertools
import subprocess

import pytest

from bitwright_core.errors import ToolError
from bitwright_core.numbers import BINARY, signed_type, unsigned_type
from bitwright_hw.families import ECP5, GENERIC, GOWIN, XC7
from bitwright_hw.families.xc7 import popcount as xc7
from bitwright_hw.popcount import AccumulateRow, ProductRow
from bitwright_hw.products import Products
from bitwright_sim.tools import Icarus, Verilator
from tests.hw.popcount_support import row_benches

CYCLES = 160


def shapes(target):
    rows = [
        AccumulateRow(simd=simd, bits=12, family=target, stages=stages)
        for simd in (1, 2, 3, 13, 32, 49, 97)
        for stages in (0, 1, 2, 4)
    ]
    rows += [AccumulateRow(simd=simd, bits=11, family=target, single=True) for simd in (5, 32, 256)]
    rows += [
        AccumulateRow(simd=7, bits=3, family=target),
        AccumulateRow(simd=1024, bits=14, family=target, stages=3, single=True),
    ]
    return {f"row_{k}": row for k, row in enumerate(rows)}


def simulate(rows, folder, cycles=CYCLES):
    """Runs the benches in Icarus: of each row, wrong cycles and passes."""
    try:
        icarus = Icarus.find()
    except ToolError as error:
        pytest.skip(f"Icarus Verilog: {error}")
    files = row_benches(rows, folder, cycles)
    command = [str(icarus.executable), "-g2005", "-s", "top", "-o", "bench.vvp", *map(str, files)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["vvp", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("row_")]
    return {name: (int(bad), int(passes)) for name, bad, passes in lines}


@pytest.mark.parametrize("target", [GENERIC, XC7, ECP5, GOWIN], ids=lambda family: family.name)
def test_rows_sum_passes_with_pauses(target, tmp_path):
    rows = shapes(target)
    results = simulate(rows, tmp_path)
    assert results.keys() == rows.keys()
    for name, (bad, passes) in results.items():
        row = rows[name]
        assert bad == 0, f"{target.name} simd {row.simd} stages {row.stages}: {bad} wrong cycles"
        assert passes > CYCLES / 12


TYPES = (
    (unsigned_type(2), BINARY),
    (unsigned_type(4), BINARY),
    (signed_type(3), BINARY),
    (BINARY, signed_type(2)),
    (unsigned_type(2), signed_type(2)),
    (signed_type(2), signed_type(3)),
)


@pytest.mark.parametrize(
    "target",
    [GENERIC, XC7, GOWIN, pytest.param(ECP5, marks=pytest.mark.slow)],
    ids=lambda family: family.name,
)
def test_rows_of_few_bits_sum_products(target, tmp_path):
    rows = {
        f"row_{k}": ProductRow(
            simd=simd, products=Products(takes=takes, weights=weights), bits=13, family=target, stages=stages
        )
        for k, ((takes, weights), (simd, stages)) in enumerate(
            itertools.product(TYPES, ((1, 0), (2, 1), (7, 2), (32, 1), (49, 4)))
        )
    }
    rows["row_narrow"] = ProductRow(
        simd=9, products=Products(takes=unsigned_type(3), weights=BINARY), bits=4, family=target, single=True
    )
    for name, (bad, passes) in simulate(rows, tmp_path).items():
        row = rows[name]
        assert bad == 0, f"{target.name} simd {row.simd} {row.products} stages {row.stages}: {bad} wrong cycles"
        assert passes > CYCLES / 12


def test_the_bench_finds_a_wrong_table(tmp_path, monkeypatch):
    monkeypatch.setattr(xc7, "half_is_one", lambda *five: int(sum(five) == 2))
    results = simulate({"row_0": AccumulateRow(simd=32, bits=12, family=XC7)}, tmp_path)
    assert results["row_0"][0] > 0


@pytest.mark.parametrize("family", [XC7, ECP5, GOWIN], ids=lambda family: family.name)
def test_models_are_clean_in_verilator(family):
    verilator = Verilator.find()
    (model,) = family.simulation_models
    command = [str(verilator.executable), "--lint-only", "-Wall", "-Wno-MULTITOP", "-Wno-DECLFILENAME", str(model)]
    done = subprocess.run(command, env=verilator.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
