"""How long functions are, and how many arguments they take: what is longer stands below, with its reason."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = 60  # of a body, without its docstring
ARGUMENTS = 8
LONG = {
    "boards/bitwright_boards/vivado/example.py example": "a module of Verilog, which is read as one text",
    "hw/bitwright_hw/window.py _words": "the counters and addresses of a pass, which share every signal",
    "hw/bitwright_hw/engine.py elaborate": "the rows' word, flags and preloads of one cycle, which share every signal",
}
MANY = {
    # each argument is an option of the command of that name, which users give by keyword
    "sw/bitwright/api/boards.py build": "bitwright build",
    "sw/bitwright/api/boards.py program": "bitwright program; those of login and job are objects",
    "sw/bitwright/api/designs.py verify": "bitwright verify",
    "sw/bitwright/api/loads.py verify_loads": "bitwright verify --load",
    "sim/bitwright_sim/verification.py verify": "bitwright verify",
    "sw/bitwright/api/reports.py report": "bitwright report",
    "sw/bitwright/api/networks.py import_onnx": "bitwright import onnx",
    "sw/bitwright/api/sizing.py size": "bitwright size",
    "sw/bitwright/api/sizing.py explore": "bitwright explore",
    "sw/bitwright/api/sizing.py explore_accuracy": "bitwright explore --accuracy",
    "sw/bitwright/api/searching.py search": "bitwright search",
    "sw/bitwright/api/networks.py train_features": "bitwright train --features",
    "sw/bitwright/api/networks.py train_network": "bitwright train",
    "sw/bitwright/api/networks.py train_generator": "bitwright train",
    "sw/bitwright_train/run.py train": "bitwright train",
    "sw/bitwright_train/run.py train_only": "bitwright train",
    "sw/bitwright_train/run.py _train": "bitwright train",
    "sw/bitwright_train/trainer.py __init__": "a training run's parts, of the configuration",
    "sim/bitwright_sim/bench.py run_bench": "cocotb's own options, and where a bench leaves what",
    # each argument is a part of what is made
    "sw/bitwright_core/layer.py conv_layer": "a convolution's parts, as a user gives them",
    "sw/bitwright_train/model.py __init__": "a model's parts, of the configuration",
    "sw/bitwright_train/layers.py __init__": "a convolution's parts, as torch names them",
    "sw/bitwright_train/modules.py __init__": "a convolution's parts, as torch names them",
}


@cache
def functions() -> list[tuple[str, int, int]]:
    """Each function of the packages: its file and name, the lines of its body and its arguments."""
    found = []
    for file in sorted(ROOT.glob("*/bitwright*/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                count = sum(1 for argument in arguments if argument.arg not in ("self", "cls"))
                found.append((f"{file.relative_to(ROOT)} {node.name}", lines, count))
    return found


def test_functions_are_found():
    assert len(functions()) > 1500


@pytest.mark.parametrize(("exceptions", "column", "most"), [(LONG, 1, LINES), (MANY, 2, ARGUMENTS)])
def test_functions_are_short_and_take_few_arguments(exceptions, column, most):
    beyond = {function[0] for function in functions() if function[column] > most}
    assert sorted(beyond - exceptions.keys()) == [], f"more than {most}: split it, or group what belongs together"
    assert sorted(exceptions.keys() - beyond) == [], "no longer an exception: take it off the list"
