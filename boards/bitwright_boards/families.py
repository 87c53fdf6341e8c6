"""The families of AMD FPGAs that designs suit, by Vivado's names, and the family of a part by its name.

Designs for xc7 have LUT6, LUT6_2 and CARRY4, 7-series cells that Vivado retargets to UltraScale+ (UG974); portable ones
have none. The names are those of the packager's `supported_families`, as cores that Vivado packaged carry them; parts
are named by DS180, DS190, DS889 to DS891 and DS987.
"""

import re

from bitwright_core.errors import BoardError
from bitwright_core.near import did_you_mean

# Vivado's family, and the parts of it
_PARTS = (
    ("artix7", r"xc7a\d+t"),
    ("kintex7", r"xc7k\d+t"),
    ("spartan7", r"xc7s\d+"),
    ("virtex7", r"xc7v[xh]?\d+t"),
    ("zynq", r"xc7z\d{3}"),
    ("artixuplus", r"xcau\d+p"),
    ("kintexuplus", r"xcku\d+p"),
    ("virtexuplusHBM", r"xcvu(3[1357]|4[57]|57)p"),
    ("virtexuplus", r"xcvu\d+p"),
    ("zynquplusRFSOC", r"xczu\d+dr"),
    ("zynquplus", r"xczu\d+(cg|eg|ev)|xck2[46]"),
)
FAMILIES = tuple(family for family, _ in _PARTS)
_REST = r"i?-?[a-z]{2,4}\d{3,4}[a-z0-9-]*"  # package, speed grade and temperature


def family_of(part: str) -> str:
    """The family of `part`, such as xc7a35tcpg236-1. Raises BoardError for one that is of none of FAMILIES."""
    for family, pattern in _PARTS:
        if re.fullmatch(f"({pattern}){_REST}", part.lower()):
            return family
    raise BoardError(
        f"{part!r} is no part of {', '.join(FAMILIES)}; a part is named in full, as xc7a35tcpg236-1 or "
        "xczu3eg-sbva484-1-i"
    )


def check_families(families: tuple[str, ...]) -> tuple[str, ...]:
    """`families` in the order of FAMILIES, each once. Raises BoardError for a name that is none of Vivado's."""
    for family in families:
        if family not in FAMILIES:
            raise BoardError(
                f"{family!r} is no family that an accelerator suits{did_you_mean(family, FAMILIES)}; there are "
                f"{', '.join(FAMILIES)}"
            )
    return tuple(family for family in FAMILIES if family in families)
