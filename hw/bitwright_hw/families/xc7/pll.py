"""The PLL of 7-series (PLLE2_BASE, UG472): which dividers give a clock, and the cells that have them.

Limits of speed grade -1: AMD DS181, "PLL Switching Characteristics": phase detector 19 to 450 MHz, oscillator 800 to
1,600 MHz. Loop and output are as UG472 draws them: the feedback stays in the PLL, the output passes a BUFG.
"""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal

from bitwright_hw.families.pll import near

DETECTOR_MHZ = (19.0, 450.0)
OSCILLATOR_MHZ = (800.0, 1600.0)
INPUT_DIVS = range(1, 57)
MULTIPLIERS = range(2, 65)
OUTPUT_DIVS = range(1, 129)
_MIDDLE_MHZ = sum(OSCILLATOR_MHZ) / 2


@dataclass(frozen=True, kw_only=True)
class Xc7Pll:
    """Dividers of input and output, and the multiplier between them."""

    input_mhz: float
    input_div: int
    multiplier: int
    output_div: int

    @property
    def oscillator_mhz(self) -> float:
        return self.input_mhz * self.multiplier / self.input_div

    @property
    def mhz(self) -> float:
        """What comes out."""
        return self.oscillator_mhz / self.output_div

    def instance(self, clock: Signal, output: Signal, locked: Signal) -> Module:
        """The cells: `clock` in, `output` and `locked` out."""
        m = Module()
        feedback, raw = Signal(), Signal(name="raw")
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_BANDWIDTH="OPTIMIZED",
            p_CLKIN1_PERIOD=1000 / self.input_mhz,
            p_DIVCLK_DIVIDE=self.input_div,
            p_CLKFBOUT_MULT=self.multiplier,
            p_CLKOUT0_DIVIDE=self.output_div,
            p_STARTUP_WAIT="FALSE",
            i_CLKIN1=clock,
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=raw,
            o_LOCKED=locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=raw, o_O=output)
        return m


def choose_pll(input_mhz: float, mhz: float) -> Xc7Pll:
    """The PLL with the fastest output that is not above `mhz`. Raises BoardError if there is none near: within 10 %."""
    found = [
        Xc7Pll(input_mhz=input_mhz, input_div=input_div, multiplier=multiplier, output_div=output_div)
        for input_div in INPUT_DIVS
        if DETECTOR_MHZ[0] <= input_mhz / input_div <= DETECTOR_MHZ[1]
        for multiplier in MULTIPLIERS
        if OSCILLATOR_MHZ[0] <= input_mhz * multiplier / input_div <= OSCILLATOR_MHZ[1]
        for output_div in OUTPUT_DIVS
    ]
    below = [pll for pll in found if pll.mhz <= mhz * (1 + 1e-9)]
    best = min(below, key=lambda pll: (-pll.mhz, pll.input_div, abs(pll.oscillator_mhz - _MIDDLE_MHZ)), default=None)
    return near(best, input_mhz, mhz)
