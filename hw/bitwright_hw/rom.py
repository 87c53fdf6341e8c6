"""Read-only memories, and where memories lie: in block RAM, in LUTs or in UltraRAM."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import unsigned
from amaranth.lib import memory

from bitwright_core.plan import Memory, ceil_div
from bitwright_hw.cells import Counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.memory_contents import Contents
from bitwright_hw.memory_places import Place

WIDE_WORDS = 16  # words of a weight memory up to which a bit takes no more than one LUT4
NARROW_WORDS = 64  # of a narrow one, whose block RAM would lie empty: one LUT6 a bit

LOGIC_ROM = {"ram_style": "registers", "rom_style": "distributed"}  # of a read-only memory in LUTs


def rom_place(memory: Memory, depth: int, *, limit: int = WIDE_WORDS) -> Place:
    """Where a read-only memory of `depth` words goes: `memory`, or what its depth asks for if that is auto."""
    if memory == "auto":
        return "block" if depth > limit else "distributed"
    return memory


def rom_attributes(memory: Memory, depth: int, *, limit: int = WIDE_WORDS) -> dict[str, str]:
    """The Verilog attributes that put it there, so that every tool decides as the estimate does.

    Vivado takes rom_style, one of "block" and "distributed" (UG901). Yosys reads ram_style first; it keeps its LUT
    memories for what is written, too, and makes logic of a read-only one if told so, in UG901's word "registers".
    """
    if rom_place(memory, depth, limit=limit) == "block":
        return {"rom_style": "block"}
    return dict(LOGIC_ROM)


BLOCK_LUTS = 256  # LUTs of a buffer that half a block RAM (18 kbit) is worth


def ram_place(width: int, depth: int) -> Place:
    """Where a buffer of `depth` words with a write and a read port goes: to LUTs while that is a few."""
    luts = 4 * (ceil_div(width, 6) if depth <= 32 else ceil_div(width, 3) * ceil_div(depth, 64))
    return "block" if luts >= BLOCK_LUTS * ceil_div(width, 36) * ceil_div(depth, 512) else "distributed"


def ram_attributes(width: int, depth: int) -> dict[str, str]:
    """The Verilog attribute that puts a buffer there."""
    return {"ram_style": ram_place(width, depth)}


class Blank(memory.Memory):
    """Amaranth's Memory, in whose words Verilog puts nothing: they must be written before they are read."""

    def __init__(self, width: int, depth: int, *, attrs: dict[str, str]):
        super().__init__(shape=unsigned(width), depth=depth, init=[], attrs=attrs)


class Rom(memory.Memory):
    """Amaranth's Memory with `contents`, which nothing writes: ask it for read ports.

    Its words become Amaranth's when it is elaborated on no platform, as for simulation. The emitter's platform
    (bitwright_hw.marked_memories) takes them as they are.
    """

    def __init__(self, contents: Contents, *, attrs: dict[str, str]):
        super().__init__(shape=unsigned(contents.width), depth=contents.depth, init=[], attrs=attrs)
        self.contents = contents

    @classmethod
    def of(cls, width: int, words: Sequence[int], *, attrs: dict[str, str]) -> "Rom":
        """A memory of `words`, unsigned integers of `width` bits."""
        return cls(Contents.of(width, words), attrs=attrs)

    def elaborate(self, platform: Any) -> Any:
        if not hasattr(platform, "get_memory"):
            self.init = self.contents.words
        return super().elaborate(platform)


def ram_counts(width: int, depth: int, costs: Costs) -> Counts:
    """A memory with a write and a clocked read port, in LUTs or in block RAM."""
    if ram_place(width, depth) == "block":
        return Counts(block_rams=costs.block_rams(width, depth))
    return costs.buffer(width, depth)
