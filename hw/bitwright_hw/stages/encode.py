"""From values of beats to bits or integers: the encoder, or the register that takes its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from bitwright_core.framing import InputFormat
from bitwright_core.network import Network
from bitwright_hw.beat_bits import BeatBits
from bitwright_hw.cells import Counts
from bitwright_hw.encoder import Encoder, TableEncoder, lanes_in, values_in
from bitwright_hw.encoder_counts import LaneCosts, encoder_counts
from bitwright_hw.families.costs import Costs
from bitwright_hw.input_bits import InputBits
from bitwright_hw.padding_mask import PaddingMask
from bitwright_hw.row_encoder import RowEncoder, RowTableEncoder
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words


@dataclass(frozen=True, kw_only=True)
class EncodeStage(Stage):
    """Encodes each beat in a cycle, in which the frame's verdict reaches the queue's side.

    Beats that the host has encoded, and values that the source of an image looks up, pass a register in its place.
    With `kept`, some values are compared behind the frame, and their bits are kept.
    """

    network: Network
    format: InputFormat
    kept: InputBits | None = None

    def component(self, rows: RowPool) -> wiring.Component | None:
        encoding, format = self.network.encoding, self.format
        beat_bits, value_bits = values_in(format) * format.value_bits, format.value_bits
        thresholds, values = encoding.rows.tolist(), format.values
        if encoding.tables is None:
            if format.encoded:
                return None
            if self.kept is not None:
                return BeatBits(
                    beat_bits=beat_bits,
                    value_bits=value_bits,
                    input_bits=self.network.input.bits,
                    rows=thresholds,
                    values=values,
                    levels=self.kept.levels,
                    raw=self.kept.raw,
                )
            if len(thresholds) == 1:
                return Encoder(beat_bits=beat_bits, value_bits=value_bits, thresholds=thresholds[0])
            return RowEncoder(beat_bits=beat_bits, value_bits=value_bits, rows=thresholds, values=values)
        if self.network.takes_images:
            return None
        bits, tables = encoding.number.bits, thresholds
        if len(tables) == 1:
            return TableEncoder(beat_bits=beat_bits, value_bits=value_bits, table=tables[0], out_bits=bits)
        return RowTableEncoder(beat_bits=beat_bits, value_bits=value_bits, rows=tables, values=values, out_bits=bits)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        (giver,) = givers
        if unit is None:
            valid, payload = Signal(name="beat_valid"), Signal(len(giver.payload), name="beat")
            m.d.sync += [valid.eq(giver.valid), payload.eq(giver.payload)]
            return Giver(valid, payload, giver.grant)
        assert isinstance(unit, Encoder | TableEncoder | RowEncoder | RowTableEncoder | BeatBits)
        m.d.comb += [unit.i.valid.eq(giver.valid), unit.i.payload.eq(giver.payload)]
        return Giver(unit.o.valid, unit.o.payload, giver.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0].later(Encoder.LATENCY)

    def cost(self, costs: Costs) -> Counts:
        if self.kept is not None:
            priced = LaneCosts(self.network, self.format, costs, self.network.input.bits, masked=False)
            return Counts(luts=priced.of(self.kept.early), ffs=self.kept.width + 1)
        return Counts(ffs=lanes_in(self.network, self.format) + 1) + encoder_counts(self.network, self.format, costs)


@dataclass(frozen=True, kw_only=True)
class PaddingStage(Stage):
    """Makes the lanes of a frame's last beat that only pad 0, where the encoder makes something of a 0.

    Encoders with several rows know where a frame ends, and one threshold never makes 1 of a 0.
    """

    width: int
    bits: int

    def component(self, rows: RowPool) -> PaddingMask:
        return PaddingMask(width=self.width, bits=self.bits)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, PaddingMask)
        (giver,) = givers
        m.d.comb += [unit.i.valid.eq(giver.valid), unit.i.payload.eq(giver.payload)]
        return Giver(unit.o.valid, unit.o.payload, giver.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0]

    def cost(self, costs: Costs) -> Counts:
        """Nothing: the model leaves it out."""
        return Counts()
