"""The end of a network that gives bits or integers: its queue, and the beats of the output stream."""

from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import wiring

from bitwright_core.design import ScoreProbe
from bitwright_core.framing import OutputFormat
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.stages.queue import QueueStage
from bitwright_hw.stages.stage import Giver, WayOut


@dataclass(frozen=True, kw_only=True)
class BitsStage(QueueStage):
    """The queue at the end of a network that gives bits or integers: words are beats of the output, no token is taken.

    Whole frames wait here, so that broken ones are dropped. Of integers, `lane_bits` wide, a word has as many as a beat
    has room for by `format`.
    """

    format: OutputFormat
    lane_bits: int = 1

    @property
    def probe(self) -> ScoreProbe | None:
        """None: there are no scores to see."""
        return None

    def finish(self, m: Module, unit: wiring.Component | None, giver: Giver, way_out: WayOut) -> None:
        """Connects bits or integers to the output stream."""
        assert isinstance(unit, FrameQueue)
        o, tags = way_out.o, way_out.tags
        beat = Signal(range(max(2, self.cycles)))
        last = Signal()
        m.d.comb += [
            unit.grant.valid.eq(1),
            last.eq(beat == self.cycles - 1),
            o.valid.eq(unit.o.valid & tags.r_rdy),
            o.payload.data.eq(self._beat(unit.o.payload)),
            o.payload.last.eq(last & tags.r_data),
            unit.o.ready.eq(o.ready & tags.r_rdy),
            way_out.finished.eq(o.valid & o.ready & last),
            tags.r_en.eq(way_out.finished),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last):
                m.d.sync += beat.eq(0)

    def _beat(self, word: Value) -> Value:
        """The beat of a word: each integer made as wide as it is sent."""
        wide = self.format.value_bits
        if wide == 1:
            return word
        sent: list[Value] = []
        for at in range(0, self.out_width, self.lane_bits):
            lane = word[at : at + self.lane_bits]
            top = lane[-1] if self.format.signed else C(0, 1)
            sent += [lane, top.replicate(wide - self.lane_bits)]
        return Cat(sent)

    def cost(self, costs: Costs) -> Counts:
        return super().cost(costs) + Counts(luts=costs.result_beats, ffs=counter_bits(self.cycles))
