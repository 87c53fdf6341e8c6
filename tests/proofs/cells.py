"""Specs of the families' cells: our simulation models beside those that come with Yosys, for every table."""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from amaranth.hdl import Cat, Instance, Signal

from bitwright_core.errors import ToolError
from bitwright_hw.families import Family
from tests.proofs.spec import Spec

_HEAD = r"module {name}\s*(?:#\(([^;]*?)\)\s*)?\("


def shared_folder() -> Path:
    """Yosys' own files. Raises ToolError if the wheel has none."""
    found = find_spec("pyosys")
    folder = Path(found.origin).parent / "share" if found and found.origin else None
    if folder is None or not folder.is_dir():
        raise ToolError("the wheel pyosys brings no folder share; get another: pip install -U pyosys")
    return folder


def module_text(text: str, name: str, prefix: str, tables: Sequence[str]) -> str:
    """Module `name` of Verilog `text`, called `prefix` and its name. The tables among its parameters become inputs, so
    that a solver may choose them."""
    found = re.search(rf"\bmodule {name}\b.*?\bendmodule\b", text, re.S)
    if found is None:
        raise ValueError(f"there is no module {name}")
    body = re.sub(r"\bspecify\b.*?\bendspecify\b", "", found[0], flags=re.S)
    declared = ""
    for table in tables:
        body, count = re.subn(rf"parameter (\[\d+:0\]) {table} = [^,;\n)]*[,;]?", rf"/*{table}*/", body)
        if count != 1:
            raise ValueError(f"module {name} has no parameter {table}")
        width = re.search(rf"parameter (\[\d+:0\]) {table} =", found[0])
        assert width is not None  # it was replaced just now
        declared += f"input {width[1]} {table}, "
    body = re.sub(r"#\(\s*(/\*\w+\*/\s*)+\)", "", body)  # no parameter is left
    body = re.sub(r"#\(\.INIT\(([^()]*)\)\) (\w+)\(", r"\2(.INIT(\1), ", body)  # tables of modules inside
    body = re.sub(r"\b(LUT[24]) (lut\w+)\(", rf"{prefix}\1 \2(", body)
    head = re.compile(rf"module {name}\s*((?:#\([^;]*?\))?\s*)\((?!\.)", re.S)
    return head.sub(rf"module {prefix}{name} \1({declared}", body, count=1)


def cell(
    spec: Spec,
    *,
    of: Family,
    name: str,
    theirs: str,
    inputs: dict[str, int],
    outputs: dict[str, int],
    tables: Sequence[tuple[str, int]] = (),
    inner: Sequence[tuple[str, str]] = (),
    settings: dict[str, str | int] | None = None,
) -> None:
    """The model of cell `name` in the family's file beside that in Yosys' file `theirs`; `inner` are modules that the
    latter instantiates, and their files. `tables` are parameters that the solver chooses, `settings` those that it does
    not."""
    m = spec.m
    ours = "\n".join(model.read_text() for model in of.simulation_models)
    parameters = [table for table, _ in tables]
    spec.shared.verilog.append(module_text(ours, name, "ours_", parameters))
    spec.shared.verilog.append(module_text((shared_folder() / theirs).read_text(), name, "theirs_", parameters))
    for module, file in inner:
        text = (shared_folder() / file).read_text()
        spec.shared.verilog.append(module_text(text, module, "theirs_", ["INIT"]))
    wires = {f"i_{port}": spec.free(port, width) for port, width in [*inputs.items(), *tables]}
    wires |= {f"p_{key}": value for key, value in (settings or {}).items()}
    both = []
    for prefix in ("ours_", "theirs_"):
        found = {port: Signal(width, name=f"{prefix}{port}") for port, width in outputs.items()}
        m.submodules[prefix] = Instance(prefix + name, **wires, **{f"o_{port}": wire for port, wire in found.items()})
        both.append(Cat(*found.values()))
    spec.claim("the models are equal", both[0] == both[1])
