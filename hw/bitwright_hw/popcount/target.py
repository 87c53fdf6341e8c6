"""The targets for which there is a popcount."""

from bitwright.families import FamilyName

Target = FamilyName
TARGETS = ("generic", "xc7", "ecp5")


def check(simd: int, stages: int, target: str) -> None:
    """Raises ValueError for what no popcount can be."""
    if simd < 1:
        raise ValueError(f"simd must be at least 1, not {simd}")
    if stages < 0:
        raise ValueError(f"stages must be at least 0, not {stages}")
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
