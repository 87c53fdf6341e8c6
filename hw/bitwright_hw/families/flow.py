"""What lies between a netlist and a bitstream, as objects that a family puts together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bitwright_hw.families.pll import Pll
from bitwright_hw.netlist import Netlist


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A port of the top (with index, for `led`), its site, whether the board inverts it, and its attributes."""

    port: str
    site: str
    inverted: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Pins:
    """The pins of a board's top, and its oscillator."""

    clock_mhz: float
    pins: tuple[Pin, ...]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel that brings nextpnr for one family, and the extra of bitwright that has it."""

    package: str
    module: str
    nextpnr: str  # the module's function that runs it
    extra: str


@dataclass(frozen=True, kw_only=True)
class Device:
    """The part that `bitwright synth --place` places on. `constraints` are the name and text of a file for nextpnr.

    `spread`, where there is one, draws a placement apart over the whole device, in nextpnr's own JSON.
    """

    title: str
    options: tuple[str, ...]  # nextpnr's
    constraints: tuple[str, str] | None = None
    spread: Callable[[Netlist, str], int] | None = None


@dataclass(frozen=True, kw_only=True)
class TopFlow:
    """What a board's top needs of its family, whatever tool makes the bitstream."""

    constraints_file: str
    constraints: Callable[[Pins], str]
    bitstream_suffix: str
    # of the oscillator's MHz and those wanted, None where the oscillator has them; None: no PLL is used
    choose_pll: Callable[[float, float], Pll | None] | None


@dataclass(frozen=True, kw_only=True)
class BoardPart:
    """An FPGA as a board's description names it: its maker's number, and words of its own for nextpnr."""

    number: str
    device: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Packer:
    """What makes a bitstream of a placed and routed netlist: a name, the wheel that brings it, and how it is run.

    `code` is Python that runs it with the arguments of its own process, `arguments(part, placed file, bitstream)`.
    """

    name: str
    package: str
    code: str
    arguments: Callable[[BoardPart, str, str], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class BoardFlow(TopFlow):
    """From a netlist to the bitstream of a board, by nextpnr.

    `options(part, MHz)` are nextpnr's for a part whose accelerator runs at so many MHz: the part, the constraints, and
    `placed_file`, which it writes.
    """

    options: Callable[[BoardPart, float], tuple[str, ...]]
    placed_file: str
    packer: Packer


@dataclass(frozen=True, kw_only=True)
class Flow:
    """nextpnr for a family, and what goes around it.

    `pads` are Yosys' commands that give the ports of a flat netlist their pads, where nextpnr does not. `steps` change
    module `top` of that netlist on its way to nextpnr, so that it comes out smaller or faster with the same function.
    `device` is what designs are placed on for their clock alone, `board` what makes bitstreams.
    """

    wheel: Wheel
    pads: tuple[str, ...] = ()
    steps: tuple[Callable[[Netlist, str], int], ...] = ()
    device: Device | None = None
    board: BoardFlow | None = None
