"""The Tcl of a project: package the accelerator, draw the block design, make the bitstream; each from its template.

What a template writes is a bare Tcl word, or it is quoted there; anything else is refused. Checked without Vivado by
tests/boards, which run it in tclsh and look at what it asks for.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bitwright_boards.block_design import (
    ACCELERATOR_SIZE,
    ADDRESS_BLOCK,
    CONTROL_INTERFACE,
    IP_LIBRARY,
    IP_VENDOR,
    IP_VERSION,
    BlockDesign,
    registers,
)
from bitwright_boards.vivado.interfaces import interfaces
from bitwright_boards.vivado.wrapper import wrapper_name
from bitwright_core.board_build import SerialBuild
from bitwright_core.design import Manifest
from bitwright_core.ports import CLOCK, RESET
from bitwright_core.registers import DATA_BITS

DRAWING = "overlay"  # the block design's name in Vivado


class _Tcl(str):
    """Text that is Tcl already."""


def _quoted(value: object) -> _Tcl:
    """`value` as one Tcl word of one line. The one place where values are quoted. Raises ValueError if it cannot be."""
    text = str(value)
    if any(sign in text for sign in '{}\\"$[]') or not text.isprintable():
        raise ValueError(f"{text!r} cannot be quoted in braces")
    return _Tcl("{" + text + "}")


def _word(value: object) -> str:
    """`value` where Tcl takes it bare, or within a longer word. Raises ValueError for what would not stay one."""
    text = str(value)
    if not isinstance(value, _Tcl) and not re.fullmatch(r"[A-Za-z0-9_.:/-]+", text):
        raise ValueError(f"{text!r} is no bare Tcl word")
    return text


def _settings(values: Mapping[str, object]) -> _Tcl:
    """Lines of names and values, one below the other."""
    width = max(map(len, values))
    return _Tcl("\n".join(f"    {_word(name):<{width}} {_quoted(value)}" for name, value in values.items()))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("bitwright_boards", "vivado/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_word,
        autoescape=False,  # Tcl, not HTML: `finalize` refuses what is neither a word nor quoted
    )
    environment.filters |= {"quoted": _quoted, "settings": _settings}
    return environment


def package_ip(manifest: Manifest, part: str, *, families: tuple[str, ...], folder: str) -> str:
    """package_ip.tcl: the wrapper as an IP for `families`, with its interfaces and registers, in `folder`."""
    wrapper = wrapper_name(manifest)
    return (
        _templates()
        .get_template("package_ip.tcl")
        .render(
            part=part,
            folder=folder,
            families=" ".join(f"{family} Production" for family in families),
            sources=[*(f"../design/{name}" for name in manifest.verilog), f"../rtl/{wrapper}.v"],
            wrapper=wrapper,
            vendor=IP_VENDOR,
            library=IP_LIBRARY,
            version=IP_VERSION,
            top=manifest.top,
            network=manifest.name,
            interfaces=interfaces(manifest),
            clock=CLOCK,
            reset=RESET,
            control=CONTROL_INTERFACE,
            address_block=ADDRESS_BLOCK,
            address_range=ACCELERATOR_SIZE,
            data_bits=DATA_BITS,
            registers=registers(manifest),
        )
    )


def ip_build(folder: str) -> str:
    """build.tcl of an IP: packages it in `folder`."""
    return _templates().get_template("ip.tcl").render(folder=folder)


def serial_build(build: SerialBuild, part: str, sources: list[str]) -> str:
    """build.tcl of a board with a serial link: from `sources` to its bitstream, or an error: also for timing."""
    return (
        _templates()
        .get_template("serial.tcl")
        .render(
            name=Path(build.bitstream).stem,
            part=part,
            sources=sources,
            constraints=build.constraints,
            top=build.top,
            project="serial",
            mhz=f"{build.clock_mhz:g}",
        )
    )


def block_design(design: BlockDesign, preset: Mapping[str, str]) -> str:
    """block_design.tcl: every cell, connection and address of `design`; `preset` goes to the processing system."""
    return _templates().get_template("block_design.tcl").render(name=DRAWING, design=design, preset=preset)


def build(design: BlockDesign, part: str) -> str:
    """build.tcl: all of it, to NAME.bit and NAME.hwh, or an error: also where timing is not met."""
    return (
        _templates()
        .get_template("build.tcl")
        .render(name=design.name, part=part, drawing=DRAWING, project=DRAWING, mhz=f"{design.clock_mhz:g}")
    )
