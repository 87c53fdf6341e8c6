"""What the PLLs of all families have in common."""

from typing import Protocol, TypeVar

from amaranth.hdl import Instance, Module, Signal

from bitwright_core.errors import BoardError

LEAST_SHARE = 0.9  # of the clock that is asked for


class Pll(Protocol):
    """A PLL whose dividers are chosen."""

    @property
    def mhz(self) -> float:
        """What comes out."""
        ...

    def instance(self, clock: Signal, output: Signal, locked: Signal) -> Instance | Module:
        """The cells: `clock` in, `output` and `locked` out."""
        ...


_Chosen = TypeVar("_Chosen", bound=Pll)


def near(best: _Chosen | None, input_mhz: float, mhz: float) -> _Chosen:
    """The best PLL that was found below `mhz`. Raises BoardError if there is none, or none within 10 %."""
    if best is None or best.mhz < LEAST_SHARE * mhz:
        raise BoardError(
            f"the PLL cannot make {mhz:g} MHz from {input_mhz:g} MHz"
            + ("" if best is None else f"; the nearest is {best.mhz:g} MHz")
        )
    return best
