"""ECP5's PLL (EHXPLLL): which dividers give a clock, and the cell that has them.

Limits: Lattice FPGA-DS-02012, "sysCLOCK PLL Timing": phase detector 3.125 to 400 MHz, oscillator 400 to 800 MHz. The
loop is closed over CLKOP, as ecppll of Project Trellis does it.
"""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Signal

from bitwright_hw.families.pll import near

DIVISORS = range(1, 129)
DETECTOR_MHZ = (3.125, 400.0)
OSCILLATOR_MHZ = (400.0, 800.0)
_MIDDLE_MHZ = sum(OSCILLATOR_MHZ) / 2


@dataclass(frozen=True, kw_only=True)
class EcpPll:
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
        """The cell: `clock` in, `output` and `locked` out."""
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.input_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=self.input_div,
            p_CLKFB_DIV=self.feedback_div,
            p_CLKOP_DIV=self.output_div,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=self.output_div - 1,
            p_CLKOP_FPHASE=0,
            i_CLKI=clock,
            i_CLKFB=output,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=output,
            o_LOCK=locked,
        )


def choose_pll(input_mhz: float, mhz: float) -> EcpPll:
    """The PLL with the fastest output that is not above `mhz`. Raises BoardError if there is none near: within 10 %."""
    best: EcpPll | None = None
    for input_div in DIVISORS:
        if not DETECTOR_MHZ[0] <= input_mhz / input_div <= DETECTOR_MHZ[1]:
            continue
        feedback_div = min(DIVISORS[-1], int(mhz * input_div / input_mhz * (1 + 1e-9)))
        if feedback_div < 1:
            continue
        for output_div in DIVISORS:
            pll = EcpPll(input_mhz=input_mhz, input_div=input_div, feedback_div=feedback_div, output_div=output_div)
            if OSCILLATOR_MHZ[0] <= pll.oscillator_mhz <= OSCILLATOR_MHZ[1] and (best is None or _better(pll, best)):
                best = pll
    return near(best, input_mhz, mhz)


def _better(pll: EcpPll, other: EcpPll) -> bool:
    def cost(pll: EcpPll) -> tuple[float, int, float]:
        return -pll.mhz, pll.input_div, abs(pll.oscillator_mhz - _MIDDLE_MHZ)

    return cost(pll) < cost(other)
