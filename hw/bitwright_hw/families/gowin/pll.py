"""Gowin's PLL (rPLL): which dividers give a clock, and the cell that has them.

The limits are those that the GW1NR-9C of speed grade C6/I5 and the GW2A-18C of C8/I7 have in common, as apycula's
gowin_pack checks them (Gowin DS117 and DS226, "PLL Switching Characteristics"): phase detector 3 to 400 MHz, oscillator
500 to 1200, output 3.90625 to 600. The loop is closed inside.
"""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Signal

from bitwright_hw.families.pll import near

DIVISORS = range(1, 65)  # of the input and of the feedback
OUTPUT_DIVISORS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)  # between oscillator and output
DETECTOR_MHZ = (3.0, 400.0)
OSCILLATOR_MHZ = (500.0, 1200.0)
OUTPUT_MHZ = (3.91, 600.0)


@dataclass(frozen=True, kw_only=True)
class GowinPll:
    """Dividers: the input's, the feedback's, the output's."""

    input_mhz: float
    input_div: int
    feedback_div: int
    output_div: int

    @property
    def mhz(self) -> float:
        """What comes out."""
        return self.input_mhz * self.feedback_div / self.input_div

    @property
    def oscillator_mhz(self) -> float:
        return self.mhz * self.output_div

    def instance(self, clock: Signal, output: Signal, locked: Signal) -> Instance:
        """The cell: `clock` in, `output` and `locked` out. Its parameters count divisors from 0."""
        return Instance(
            "rPLL",
            p_FCLKIN=f"{self.input_mhz:g}",
            p_IDIV_SEL=self.input_div - 1,
            p_FBDIV_SEL=self.feedback_div - 1,
            p_ODIV_SEL=self.output_div,
            p_CLKFB_SEL="internal",
            i_CLKIN=clock,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=output,
            o_LOCK=locked,
        )


def choose_pll(input_mhz: float, mhz: float) -> GowinPll | None:
    """The PLL with the fastest output that is not above `mhz`, and None where that is the input. Raises BoardError if
    there is none near: within 10 %."""
    if mhz == input_mhz:
        return None
    found = [
        pll
        for pll in (
            _with(input_mhz, mhz, input_div, output_div) for input_div in DIVISORS for output_div in OUTPUT_DIVISORS
        )
        if pll.feedback_div >= 1
        and DETECTOR_MHZ[0] <= input_mhz / pll.input_div <= DETECTOR_MHZ[1]
        and OSCILLATOR_MHZ[0] <= pll.oscillator_mhz <= OSCILLATOR_MHZ[1]
        and OUTPUT_MHZ[0] <= pll.mhz <= OUTPUT_MHZ[1]
    ]
    best = min(found, key=lambda pll: (-pll.mhz, pll.input_div, pll.output_div), default=None)
    return near(best, input_mhz, mhz)


def _with(input_mhz: float, mhz: float, input_div: int, output_div: int) -> GowinPll:
    feedback_div = min(DIVISORS[-1], int(mhz * input_div / input_mhz * (1 + 1e-9)))
    return GowinPll(input_mhz=input_mhz, input_div=input_div, feedback_div=feedback_div, output_div=output_div)
