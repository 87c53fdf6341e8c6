"""What the cells of a synthesized netlist occupy, for each FPGA family."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from bitwright.errors import ToolError

Family = Literal["xc7", "ecp5"]
FAMILIES: tuple[Family, ...] = ("xc7", "ecp5")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Resources. `luts` holds `lutram`, the LUTs that serve as memories and shift registers. `block_rams` are
    RAMB36 (an RAMB18 is half of one) or ECP5's EBR."""

    luts: int = 0
    lutram: int = 0
    ffs: int = 0
    block_rams: float = 0
    dsps: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            luts=self.luts + other.luts, lutram=self.lutram + other.lutram, ffs=self.ffs + other.ffs,
            block_rams=self.block_rams + other.block_rams, dsps=self.dsps + other.dsps,
        )  # fmt: skip

    def __sub__(self, other: "Counts") -> "Counts":
        return self + Counts(**{f.name: -getattr(other, f.name) for f in fields(self)})

    def to_dict(self, family: Family) -> dict[str, Any]:
        """JSON's keys: `bram36` for xc7, `ebr` for ecp5."""
        memory = {"bram36": self.block_rams} if family == "xc7" else {"ebr": int(self.block_rams)}
        return {"luts": self.luts, "ffs": self.ffs, **memory, "lutram": self.lutram, "dsps": self.dsps}


@dataclass(frozen=True, kw_only=True)
class LayerCounts:
    """What a layer's engine, and the queue in front of it (a hardwired layer behind another has none), take."""

    name: str
    engine: Counts
    queue: Counts

    @property
    def total(self) -> Counts:
        return self.engine + self.queue


def _logic(luts: int) -> Counts:
    return Counts(luts=luts)


def _memory(luts: int) -> Counts:
    return Counts(luts=luts, lutram=luts)


_FREE = Counts()
_NOTES = r"\$scopeinfo"  # Yosys' notes on the modules that it flattened

# A cell's name, as a whole, and what it occupies. 7-series: UG474 tables of the SLICEM's memories; a carry chain and
# the wide multiplexers lie beside the LUTs. ECP5 (FPGA-TN-02235): a carry cell takes both LUT4 of a slice;
# 16 x 4 bits take four LUT4 and, for the write port, the inputs of two more.
_CELLS: dict[Family, tuple[tuple[str, Counts], ...]] = {
    "xc7": (
        (r"LUT[1-6]|LUT6_2|INV", _logic(1)),
        (r"SRL16E|SRLC16E|SRLC32E|RAM(16|32|64)X1S", _memory(1)),
        (r"RAM(16|32|64)X1D|RAM32X2S|RAM128X1S", _memory(2)),
        (r"RAM32M|RAM64M|RAM128X1D|RAM256X1S", _memory(4)),
        (r"RAM256X1D|RAM512X1S", _memory(8)),
        (r"FD[RSCP]E(_1)?", Counts(ffs=1)),
        (r"RAMB36E1", Counts(block_rams=1)),
        (r"RAMB18E1", Counts(block_rams=0.5)),
        (r"DSP48E1", Counts(dsps=1)),
        (r"CARRY4|MUXF[78]|BUFG|[IO]BUF|GND|VCC|" + _NOTES, _FREE),
    ),
    "ecp5": (
        (r"LUT4", _logic(1)),
        (r"CCU2C", _logic(2)),
        (r"TRELLIS_DPR16X4", _memory(6)),
        (r"TRELLIS_FF", Counts(ffs=1)),
        (r"DP16KD|PDPW16KD", Counts(block_rams=1)),
        (r"MULT(9X9|18X18)D", Counts(dsps=1)),
        (r"PFUMX|L6MUX21|TRELLIS_IO|GSR|PUR|VLO|VHI|" + _NOTES, _FREE),
    ),
}


def count_cells(cells: Mapping[str, int], family: Family) -> Counts:
    """What `cells`, a number of each type, occupy. Raises ToolError for a type that it does not know."""
    total = Counts()
    for kind, number in cells.items():
        for pattern, counts in _CELLS[family]:
            if re.fullmatch(pattern, kind):
                total += Counts(**{f.name: number * getattr(counts, f.name) for f in fields(Counts)})
                break
        else:
            raise ToolError(f"the netlist for {family} has {number} {kind}, which bitwright cannot count as LUTs")
    return total
