"""Arithmetic of each lane by itself, between two other stages."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import wiring

from bitwright_core.network import LaneRule, MatrixLayer, Operand
from bitwright_core.numbers import signed_type
from bitwright_hw.cells import Counts, counter_bits
from bitwright_hw.families.costs import Costs, LaneCost
from bitwright_hw.lane_unit import LaneParams, LaneUnit
from bitwright_hw.row_pool import RowPool
from bitwright_hw.stages.stage import Giver, Stage, Timing, Words


@dataclass(frozen=True, kw_only=True)
class LaneStage(Stage):
    """Passes words on, each lane as its rule says; tokens pass it."""

    params: LaneParams

    def component(self, rows: RowPool) -> LaneUnit:
        return LaneUnit(params=self.params)

    def connect(self, m: Module, unit: wiring.Component | None, givers: Sequence[Giver]) -> Giver:
        assert isinstance(unit, LaneUnit)
        (giver,) = givers
        m.d.comb += [unit.i.valid.eq(giver.valid), unit.i.payload.eq(giver.payload)]
        return Giver(unit.o.valid, unit.o.payload, giver.grant)

    def times(self, timing: Timing, words: Sequence[Words]) -> Words:
        return words[0].later(self.delay)

    @property
    def delay(self) -> int:
        return LaneUnit.LATENCY

    def cost(self, costs: Costs) -> Counts:
        """Adders and comparisons, a LUT a bit; constants that differ from word to word; the register."""
        p, rule, cost = self.params, self.params.rule, costs.lanes
        added = sum(p.sum_bits if each.number.signed else _added(each, p.sum_bits, cost) for each in rule.operands[1:])
        if rule.levels is None and set(rule.offsets) != {0}:
            added += p.sum_bits
        multiplied = sum(len({abs(s) & (abs(s) - 1) for s in each.scales} - {0}) > 0 for each in rule.operands)
        levels = 0 if rule.levels is None else len(rule.levels[0])
        compared = levels * (cost.compared if p.words == 1 else cost.chosen)
        lane = added + p.sum_bits * (2 * multiplied + compared)
        tables = 0
        if p.words > 1:
            differ = sum(len(set(values)) > 1 for values in (rule.offsets, *(each.scales for each in rule.operands)))
            tables = p.sum_bits * (differ + levels) * (1 if p.words > 4 else 0)
        luts = round(p.lanes * (lane + tables))
        return Counts(luts=luts, ffs=p.out_width + 1 + counter_bits(p.words))


def _added(operand: Operand, sum_bits: int, cost: LaneCost) -> float:
    """LUTs that add an unsigned operand to a sum."""
    bits = min(operand.number.bits, sum_bits)
    return bits + cost.above * (sum_bits - bits)


def sums_stage(name: str, layer: MatrixLayer, bits: int, lanes: int) -> LaneStage:
    """What makes sums of an engine's counts, signed numbers of so many bits."""
    scale, offset = layer.output.arrays()["scale"], layer.output.arrays()["offset"]
    rule = LaneRule(
        operands=(Operand(number=signed_type(bits), scales=_fewest(scale.tolist())),),
        offsets=_fewest(offset.tolist()),
        levels=None,
        base=0,
        gives=layer.edge.number,
    )
    return LaneStage(name=name, params=LaneParams(rule=rule, size=layer.outputs, lanes=lanes))


def _fewest(values: Sequence[int]) -> tuple[int, ...]:
    return (values[0],) if len(set(values)) == 1 else tuple(values)
