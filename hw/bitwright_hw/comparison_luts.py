"""How many LUTs comparisons of one value with several constants take: counted, not fitted.

value >= T looks at the bits from the lowest 1 of T on, each of which joins what the bits below it say by an AND or an
OR (`encoder.at_least`). So the last LUT takes as many of the highest bits as it has room for, beside what a LUT for the
lower ones says, and so on; thresholds that are alike in their lower bits share those LUTs. Where all thresholds are
alike in their highest bits, one LUT or two may say for all of them whether these are above or as in the thresholds.
"""

from collections.abc import Iterable
from functools import lru_cache

from bitwright_core.plan import ceil_div

Lut = tuple[int, int, int, bool]  # the bits from .. to that it decides on, what they are compared with, and the mask


def comparisons_luts(thresholds: Iterable[int], bits: int, inputs: int, *, masked: bool) -> int:
    """LUTs of `inputs` inputs for a value's comparisons with `thresholds`; a single bit and a constant take none.

    With `masked`, each result is 0 where one more bit is 1.
    """
    return _luts(tuple(sorted({t for t in thresholds if 0 < t < 1 << bits})), bits, inputs, masked)


@lru_cache(maxsize=1 << 14)
def _luts(thresholds: tuple[int, ...], bits: int, inputs: int, masked: bool) -> int:
    apart = {lut for threshold in thresholds for lut in _chain(threshold, bits, inputs, masked)}
    fewest = len(apart)
    for low in range(1, bits - 1):
        highest = {threshold >> low for threshold in thresholds}
        if len(highest) > 1:
            continue
        count = bits - low
        said = 1 if highest <= {0, (1 << count) - 1} else 2  # signals: above, as in the thresholds
        behind: set[object] = set()
        for threshold in thresholds:
            rest = threshold & (1 << low) - 1
            behind.update(_chain(rest, low, inputs - said, masked) or [rest])
        fewest = min(fewest, said * ceil_div(count - 1, inputs - 1) + len(behind))
    return fewest


def _chain(threshold: int, bits: int, inputs: int, masked: bool) -> list[Lut]:
    """The LUTs of one comparison, the last one first."""
    lowest = (threshold & -threshold).bit_length() - 1 if threshold else bits
    found: list[Lut] = []
    while bits - lowest > 1:
        found.append((lowest, bits, threshold >> lowest & (1 << bits - lowest) - 1, masked))
        room = inputs - masked
        if bits - lowest <= room:
            break
        bits, masked = bits - room + 1, False
    return found
