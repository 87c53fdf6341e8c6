"""Checks of what every popcount is given."""


def check(simd: int, stages: int) -> None:
    """Raises ValueError unless `simd` is at least 1 lane and `stages` at least 0 registers."""
    if simd < 1:
        raise ValueError(f"simd must be at least 1, not {simd}")
    if stages < 0:
        raise ValueError(f"stages must be at least 0, not {stages}")
