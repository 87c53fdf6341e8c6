"""The top of an open board: clock, reset, serial link and an emitted accelerator."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitwright_core.design import Manifest
from bitwright_core.framing import RESULT_BITS
from bitwright_core.serial_link import BREAK_BITS
from bitwright_hw.control import AxiLiteSignature
from bitwright_hw.families.pll import Pll
from bitwright_hw.serial.link import LinkParams, SerialLink
from bitwright_hw.serial.uart import BreakDetector

RESET_CYCLES = 16
LEDS = ("ready", "busy", "refused")


class SerialTop(wiring.Component):
    """Clock `clk` of the board's oscillator, serial line `rx` and `tx`, and the first of the LEDs: ready, busy, a
    packet was refused. `inverted_leds` has a value for each LED that there is.

    The accelerator is an instance of `manifest.top`, whose Verilog goes beside this. Without `pll` it runs on `clk`.
    Everything is reset until RESET_CYCLES after the PLL's lock, and as long as there is a break on the line.
    """

    def __init__(self, *, manifest: Manifest, link: LinkParams, pll: Pll | None, inverted_leds: tuple[bool, ...]):
        if not 1 <= len(inverted_leds) <= len(LEDS):
            raise ValueError(f"1 to {len(LEDS)} LEDs, not {len(inverted_leds)}")
        self.manifest = manifest
        self.link = link
        self.pll = pll
        self.inverted_leds = inverted_leds
        super().__init__({"clk": In(1), "rx": In(1), "tx": Out(1, init=1), "led": Out(len(inverted_leds))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.start = ClockDomain(reset_less=True)
        m.domains.sync = ClockDomain()
        clock, locked = Signal(), Signal(name="locked", init=1)
        m.d.comb += [ClockSignal("start").eq(clock), ClockSignal("sync").eq(clock)]
        if self.pll is None:
            m.d.comb += [clock.eq(self.clk), locked.eq(1)]
        else:
            m.submodules.pll = self.pll.instance(self.clk, clock, locked)
        in_lock = Signal()
        m.submodules.lock = FFSynchronizer(locked, in_lock, o_domain="start")
        detector = BreakDetector(cycles=BREAK_BITS * self.link.divisor)
        m.submodules.breaks = DomainRenamer("start")(detector)
        m.d.comb += detector.rx.eq(self.rx)
        left = Signal(range(RESET_CYCLES), init=RESET_CYCLES - 1)
        reset = Signal(init=1)
        m.d.start += reset.eq(left != 0)
        with m.If(~in_lock | detector.found):
            m.d.start += left.eq(RESET_CYCLES - 1)
        with m.Elif(left != 0):
            m.d.start += left.eq(left - 1)
        m.d.comb += ResetSignal("sync").eq(reset)

        m.submodules.link = link = SerialLink(params=self.link)
        refused = Signal()
        with m.If(link.refused):
            m.d.sync += refused.eq(1)
        inverted = sum(1 << k for k, invert in enumerate(self.inverted_leds) if invert)
        lit = Cat(~reset, link.busy, refused)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx), self.led.eq(lit ^ inverted)]
        m.submodules.accelerator = self._accelerator(m, clock, reset, link)
        return m

    def _accelerator(self, m: Module, clock: Signal, reset: Signal, link: SerialLink) -> Instance:
        keep, last = Signal(RESULT_BITS // 8), Signal(name="last")
        control = {}
        for name, member in AxiLiteSignature().members.items():
            prefix = "i" if member.flow == In else "o"
            control[f"{prefix}_s_axi_control_{name}"] = getattr(link.bus, name)
        aresetn = Signal()
        m.d.comb += aresetn.eq(~reset)
        return Instance(
            self.manifest.top,
            i_aclk=clock,
            i_aresetn=aresetn,
            i_s_axis_tdata=link.o.payload.data,
            i_s_axis_tkeep=link.o.payload.keep,
            i_s_axis_tvalid=link.o.valid,
            o_s_axis_tready=link.o.ready,
            i_s_axis_tlast=link.o.payload.last,
            o_m_axis_tdata=link.i.payload,
            o_m_axis_tkeep=keep,
            o_m_axis_tvalid=link.i.valid,
            i_m_axis_tready=link.i.ready,
            o_m_axis_tlast=last,
            **control,
        )
