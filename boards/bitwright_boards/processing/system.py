"""What an overlay must know of a processing system: its ports, clock, reset, addresses, and its settings in Vivado."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from bitwright_boards.blocks import BlockCell, bus
from bitwright_core.errors import BoardError

MAX_DIVIDER = 63  # both dividers of a PL clock have 6 bits


@dataclass(frozen=True, kw_only=True)
class SystemPort:
    """An AXI port to the logic: its name, the pin of its clock, its width in bits."""

    name: str
    clock: str
    bits: int


@dataclass(frozen=True, kw_only=True)
class PlClock:
    """A clock for the logic: a PLL's over two dividers, the first one the larger."""

    source_mhz: float
    dividers: tuple[int, int]

    @property
    def mhz(self) -> float:
        return self.source_mhz / (self.dividers[0] * self.dividers[1])


@dataclass(frozen=True, kw_only=True)
class ProcessingSystem(ABC):
    """A processing system with one control port, one memory port, one clock and one reset for the logic.

    Subclasses say what its PLL gives, and how Vivado calls its settings.
    """

    title: str  # AMD's name of the devices
    family: str  # Vivado's
    presets: str  # the folder in data with its boards' settings
    name: str  # of the cell
    vlnv: str
    any_version: bool  # of the IP, which differs from Vivado to Vivado
    pins_outside: bool  # memory and fixed pins are ports of the block design
    control: SystemPort
    memory: SystemPort
    memory_map: str  # that address segments of the memory port are in
    memory_block: str
    memory_bytes: int  # of DDR from address 0, which the DMA reaches
    clock: str  # pin
    reset: str  # pin, active low
    dma_base: int
    accelerator_base: int
    highest_mhz: float

    @abstractmethod
    def source_mhz(self, settings: Mapping[str, str]) -> float:
        """The PLL that PL clock 0 comes from, on a board with these settings."""

    @abstractmethod
    def parameters(self, clock: PlClock) -> dict[str, str]:
        """What is set of it (without CONFIG.)."""

    @abstractmethod
    def derived(self, clock: PlClock) -> dict[str, str]:
        """What Vivado makes of the settings, as far as pynq reads it in the .hwh."""

    def pl_clock(self, wanted_mhz: float, settings: Mapping[str, str]) -> PlClock:
        """The fastest PL clock that is not above `wanted_mhz`. Raises BoardError if there is none."""
        source = self.source_mhz(settings)
        pairs = [(a, b) for b in range(1, MAX_DIVIDER + 1) for a in range(b, MAX_DIVIDER + 1)]
        reachable = [(a, b) for a, b in pairs if source / (a * b) <= wanted_mhz * (1 + 1e-6)]
        if not reachable or wanted_mhz > self.highest_mhz:
            lowest = math.ceil(100 * source / MAX_DIVIDER**2) / 100
            raise BoardError(
                f"a PL clock of {wanted_mhz:g} MHz cannot be had on {self.title}; "
                f"choose {lowest:g} to {self.highest_mhz:g} MHz"
            )
        return PlClock(source_mhz=source, dividers=min(reachable, key=lambda pair: (pair[0] * pair[1], pair[0])))

    def cell(self, clock: PlClock) -> BlockCell:
        """The block design's cell of it."""
        return BlockCell(
            name=self.name,
            vlnv=self.vlnv,
            interfaces=(bus(self.control.name, initiator=True), bus(self.memory.name)),
            clocks=(self.control.clock, self.memory.clock),
            resets=(),
            parameters=self.parameters(clock),
            derived=self.derived(clock),
            any_version=self.any_version,
        )
