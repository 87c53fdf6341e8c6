"""Where a memory may lie, and how many of the large blocks of UltraScale+, its UltraRAMs, one takes."""

from typing import Literal

from bitwright_core.plan import ceil_div

Place = Literal["block", "distributed", "ultra"]

ULTRA_BITS = 72  # of a word of URAM288 (AMD UG573)
ULTRA_WORDS = 4096


def ultra_rams(width: int, depth: int) -> int:
    """UltraRAMs of a memory with a read and a write port, as Yosys maps it: words have one width alone, and what is
    deeper than one lies in banks side by side."""
    return ceil_div(width * ceil_div(depth, ULTRA_WORDS), ULTRA_BITS)
