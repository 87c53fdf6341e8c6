"""When the two ends of a simulated accelerator pause: from now and then to stretches longer than it can hold frames."""

from dataclasses import dataclass

from bitwright_core.design import Design
from bitwright_core.errors import DataError
from bitwright_core.plan import ceil_div


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Pauses of one run, as `NativeModel.run` takes them: the shares of cycles without input offered or output taken.

    A pause, and what lies between two, lasts up to `longest_in` and `longest_out` cycles; at 0 each cycle is drawn by
    itself. Long pauses begin with one.
    """

    seed: int = 0
    stall_in: float = 0.0
    stall_out: float = 0.0
    longest_in: int = 0
    longest_out: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.stall_in < 1 and 0 <= self.stall_out < 1):
            raise ValueError("a side may pause for a share of the time from 0 to less than 1")
        if min(self.longest_in, self.longest_out, self.seed) < 0:
            raise ValueError("seed and lengths of pauses must not be negative")


NO_STALLS = Pattern()
KINDS = 6  # of patterns


def holding_cycles(design: Design) -> int:
    """Cycles of a pause after which an accelerator that is fed has filled all its buffers, more or less.

    A buffer has room for its round trip, and for two frames at least.
    """
    manifest = design.manifest
    filling = ceil_div(manifest.latency_cycles, manifest.interval_cycles) + 1
    return manifest.latency_cycles + (filling + 2 * (len(manifest.layers) + 1)) * manifest.interval_cycles


def pattern(design: Design, seed: int, number: int) -> Pattern:
    """The pattern of run `number` in a verification with `seed`: long pauses of the output, of the input, of both, and
    short ones."""
    if seed < 0:
        raise DataError(f"a seed of stalls must be 0 or more, not {seed}")
    long, seed = 2 * holding_cycles(design), seed + number
    match number % KINDS:
        case 0:
            return Pattern(seed=seed, stall_out=0.5, longest_out=long)
        case 1:
            return Pattern(seed=seed, stall_in=0.5, stall_out=0.5, longest_in=long, longest_out=long)
        case 2:
            return Pattern(seed=seed, stall_in=0.5, longest_in=long)
        case 3:
            return Pattern(seed=seed, stall_in=0.3, stall_out=0.9)
        case 4:
            return Pattern(seed=seed, stall_in=0.8, stall_out=0.5, longest_out=long)
        case _:
            return Pattern(seed=seed, stall_in=0.5, stall_out=0.5)
