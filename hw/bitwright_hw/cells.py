"""Resources of an FPGA, as they are counted."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class BlockRam:
    """What a family's block RAMs are called."""

    key: str  # in JSON
    title: str  # in tables
    halves: bool = False  # whether half of one is counted


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Resources. `luts` holds `lutram`, the LUTs that serve as memories and shift registers. `block_rams` are the
    family's blocks: RAMB36 (an RAMB18 is half of one), or EBR; `ultra_rams` are UltraRAMs, which UltraScale+ has."""

    luts: int = 0
    lutram: int = 0
    ffs: int = 0
    block_rams: float = 0
    ultra_rams: int = 0
    dsps: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            luts=self.luts + other.luts,
            lutram=self.lutram + other.lutram,
            ffs=self.ffs + other.ffs,
            block_rams=self.block_rams + other.block_rams,
            ultra_rams=self.ultra_rams + other.ultra_rams,
            dsps=self.dsps + other.dsps,
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return self + Counts(**{f.name: -getattr(other, f.name) for f in fields(self)})

    def to_dict(self, memory: BlockRam) -> dict[str, Any]:
        """JSON's keys; block RAMs go by the name of `memory`, and UltraRAMs are told where there are some."""
        blocks = self.block_rams if memory.halves else int(self.block_rams)
        ultra = {"uram": self.ultra_rams} if self.ultra_rams else {}
        return {
            "luts": self.luts,
            "ffs": self.ffs,
            memory.key: blocks,
            **ultra,
            "lutram": self.lutram,
            "dsps": self.dsps,
        }


@dataclass(frozen=True, kw_only=True)
class LayerCounts:
    """What a layer's engine, and the queue in front of it (a hardwired layer behind another has none), take."""

    name: str
    engine: Counts
    queue: Counts

    @property
    def total(self) -> Counts:
        return self.engine + self.queue


def logic_luts(luts: int) -> Counts:
    """LUTs of logic."""
    return Counts(luts=luts)


def memory_luts(luts: int) -> Counts:
    """LUTs that serve as memory."""
    return Counts(luts=luts, lutram=luts)


def counter_bits(count: int) -> int:
    """Bits of a counter with `count` states."""
    return max(1, (count - 1).bit_length())
