"""The end of a network that gives bits: its queue, and the beats of the output stream."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from bitwright_core.design import ScoreProbe
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.stages.queue import QueueStage
from bitwright_hw.stages.stage import Giver, WayOut


@dataclass(frozen=True, kw_only=True)
class BitsStage(QueueStage):
    """The queue at the end of a network that gives bits. Its words are beats of the output; it takes no token."""

    @property
    def probe(self) -> ScoreProbe | None:
        """None: there are no scores to see."""
        return None

    def finish(self, m: Module, unit: wiring.Component | None, giver: Giver, way_out: WayOut) -> None:
        """Connects bits to the output stream."""
        assert isinstance(unit, FrameQueue)
        o, tags = way_out.o, way_out.tags
        beat = Signal(range(max(2, self.cycles)))
        last = Signal()
        m.d.comb += [
            unit.grant.valid.eq(1),
            last.eq(beat == self.cycles - 1),
            o.valid.eq(unit.o.valid & tags.r_rdy),
            o.payload.data.eq(unit.o.payload),
            o.payload.last.eq(last & tags.r_data),
            unit.o.ready.eq(o.ready & tags.r_rdy),
            way_out.finished.eq(o.valid & o.ready & last),
            tags.r_en.eq(way_out.finished),
        ]
        with m.If(o.valid & o.ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last):
                m.d.sync += beat.eq(0)

    def cost(self, costs: Costs) -> Counts:
        return super().cost(costs) + Counts(luts=costs.result_beats, ffs=counter_bits(self.cycles))
