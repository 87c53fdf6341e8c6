"""FPGA families, a folder each: see docs/howto/add-a-family.md.

`FAMILIES` is all of them. Names become objects here, where plans, manifests and options come in, and nowhere else.
"""

from bitwright_hw.cells import BlockRam
from bitwright_hw.families.ecp5 import ECP5
from bitwright_hw.families.family import Delays, Family
from bitwright_hw.families.generic import GENERIC
from bitwright_hw.families.gowin import GOWIN
from bitwright_hw.families.ice40 import ICE40
from bitwright_hw.families.xc7 import XC7

__all__ = [
    "COUNTED",
    "ECP5",
    "FAMILIES",
    "GENERIC",
    "GOWIN",
    "ICE40",
    "XC7",
    "BlockRam",
    "Delays",
    "Family",
    "family_named",
]

FAMILIES: tuple[Family, ...] = (GENERIC, XC7, ECP5, ICE40, GOWIN)
COUNTED = tuple(family for family in FAMILIES if family.synthesis is not None)


def family_named(name: str) -> Family:
    """The family called `name`. Raises ValueError, with the names there are, for another."""
    for family in FAMILIES:
        if family.name == name:
            return family
    raise ValueError(f"a family must be one of {', '.join(family.name for family in FAMILIES)}, not {name!r}")
