"""What no popcount can be."""


def check(simd: int, stages: int) -> None:
    """Raises ValueError for lanes or registers that cannot be."""
    if simd < 1:
        raise ValueError(f"simd must be at least 1, not {simd}")
    if stages < 0:
        raise ValueError(f"stages must be at least 0, not {stages}")
