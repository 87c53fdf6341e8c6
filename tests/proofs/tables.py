"""Specs of what networks of lookup tables are made of."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Signal

from bitwright_core.framing import input_format
from bitwright_core.network import Input, Luts, Network, ThresholdEncoding
from bitwright_core.plan import Plan, ceil_div
from bitwright_hw.comparing_neurons import ComparingNeurons
from bitwright_hw.families import Family
from bitwright_hw.frame_collector import FrameCollector
from bitwright_hw.group_sums import GroupSums
from bitwright_hw.input_bits import input_bits
from bitwright_hw.luts import LutNeurons
from tests.proofs.arithmetic import after, delayed, population
from tests.proofs.spec import Spec


def frame_collector(spec: Spec, *, in_width: int, bits: int, ahead: int) -> None:
    """A FrameCollector: tokens, words, drops and grants in any cycle."""
    m = spec.m
    words = ceil_div(bits, in_width)
    m.submodules.collect = unit = FrameCollector(in_width=in_width, bits=bits, ahead=ahead)
    take, send, data = spec.free("take"), spec.free("send"), spec.free("data", in_width)
    drop, grant = spec.free("drop"), spec.free("grant")
    inside, held = Signal(range(ahead + 2)), Signal(range(ahead + 2))  # frames with a token; tokens of theirs
    word, frame, whole = Signal(range(words)), Signal(bits), Signal(bits)
    taken, granted, sends, ends = Signal(), Signal(), Signal(), Signal()
    m.d.comb += [
        unit.space.ready.eq(take),
        unit.grant.valid.eq(grant),
        unit.drop.eq(drop),
        taken.eq(take & unit.space.valid),
        granted.eq(grant & unit.grant.ready),
        sends.eq(send & (inside != 0)),
        ends.eq(sends & (word == words - 1)),
        unit.i.valid.eq(sends),
        unit.i.payload.eq(data),
        whole.eq(frame),
    ]
    with m.Switch(word):
        for k in range(words):
            with m.Case(k):
                m.d.comb += whole[k * in_width : (k + 1) * in_width].eq(data)
    m.d.sync += [inside.eq(inside + taken - ends), held.eq(held + granted - (ends & ~drop))]
    with m.If(sends):
        m.d.sync += [frame.eq(whole), word.eq(word + 1)]
        with m.If(ends):
            m.d.sync += word.eq(0)
    kept, due = Signal(), Signal(bits)
    m.d.sync += kept.eq(ends & ~drop)
    with m.If(ends):
        m.d.sync += due.eq(whole)
    spec.claim("a frame is done with its last word", unit.done == ends)
    spec.claim("each frame that is kept comes out, no other", unit.o.valid == kept)
    spec.claim("it comes out right", ~unit.o.valid | (unit.o.payload == due))
    spec.claim("each frame has its grant", (held >= inside) & (held <= ahead))
    spec.claim("a grant is taken with a frame's token alone", ~granted | taken)
    waits = (inside != ahead) & (grant | (held > inside))
    spec.claim("no frame waits for nothing", unit.space.valid == waits)
    spec.cover("a frame takes the token of a dropped one", taken & ~granted)


def lut_layer(spec: Spec, *, seed: int, inputs: int, outputs: int, fan_in: int) -> None:
    """LutNeurons of random tables, each beside the sum of the products of its true addresses."""
    m = spec.m
    rng = np.random.default_rng(seed)
    wires, tables = rng.integers(0, inputs, (outputs, fan_in)), rng.integers(0, 2, (outputs, 1 << fan_in))
    wires[-1], tables[-1] = wires[0], tables[0]
    layer = Luts(name="luts", inputs=inputs, wires=wires, tables=tables)
    m.submodules.luts = unit = LutNeurons(layer=layer)
    send, word = spec.free("send"), spec.free("word", inputs)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]
    plain = []
    for row, table in zip(wires.tolist(), tables.tolist(), strict=True):
        true = Const(0, 1)
        for address in np.flatnonzero(table).tolist():
            read = [word[wire] == (address >> k & 1) for k, wire in enumerate(row)]
            true = true | Cat(read).all()
        plain.append(true)
    settled = after(spec, LutNeurons.LATENCY)
    spec.claim("a word comes out for each", ~settled | (unit.o.valid == delayed(spec, send, 1, "sent")))
    spec.claim("each neuron's bit is its table's", ~settled | (unit.o.payload == delayed(spec, Cat(plain), 1, "plain")))


def comparing_neurons(
    spec: Spec, *, seed: int, values: int, bits: int, thresholds: Sequence[int], outputs: int, fan_in: int
) -> None:
    """ComparingNeurons of random tables, beside the sums of their products of plain comparisons."""
    m = spec.m
    rng = np.random.default_rng(seed)
    lanes = values * len(thresholds)
    wires, entries = rng.integers(0, lanes, (outputs, fan_in)), rng.integers(0, 2, (outputs, 1 << fan_in))
    network = Network(
        name="compared",
        input=Input(shape=(values,), bits=bits),
        encoding=ThresholdEncoding(thresholds=np.array(thresholds)),
        layers=(Luts(name="luts", inputs=lanes, wires=wires, tables=entries),),
    )
    plan = Plan(layers=(), data_bits=8, comparators="tables")
    kept = input_bits(network, plan, input_format(network, plan))
    assert kept is not None and kept.width == len(kept.raw[0])
    m.submodules.luts = unit = ComparingNeurons(inputs=kept.bits, compared=kept.compared, neurons=kept.neurons)
    send, word = spec.free("send"), spec.free("word", values * bits)
    each = [word[k * bits : (k + 1) * bits] for k in range(values)]
    m.d.comb += [
        unit.i.valid.eq(send),
        unit.i.payload.eq(Cat(value[bit] for value in each for bit in kept.raw[0])),
    ]
    lane = Signal(lanes)
    m.d.comb += lane.eq(Cat(value >= threshold for value in each for threshold in thresholds))
    plain = []
    for row, table in zip(wires.tolist(), entries.tolist(), strict=True):
        true = Const(0, 1)
        for address in np.flatnonzero(table).tolist():
            true = true | Cat(lane[wire] == (address >> k & 1) for k, wire in enumerate(row)).all()
        plain.append(true)
    settled = after(spec, ComparingNeurons.LATENCY)
    spec.claim("a word comes out for each", ~settled | (unit.o.valid == delayed(spec, send, 1, "sent")))
    spec.claim("each neuron's bit is its table's", ~settled | (unit.o.payload == delayed(spec, Cat(plain), 1, "plain")))


def group_sums(spec: Spec, *, groups: Sequence[int], stages: int, of: Family) -> None:
    """GroupSums beside plain sums, `latency` cycles later."""
    m = spec.m
    m.submodules.sums = unit = GroupSums(groups=tuple(groups), target=of, stages=stages)
    send, word = spec.free("send"), spec.free("word", sum(groups))
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]
    plain, start = [], 0
    for size in groups:
        plain.append(population([word[k] for k in range(start, start + size)], unit.width))
        start += size
    settled = after(spec, unit.latency)
    spec.claim("a word comes out for each", ~settled | (unit.o.valid == delayed(spec, send, unit.latency, "sent")))
    spec.claim("the ones are counted", ~settled | (unit.o.payload == delayed(spec, Cat(plain), unit.latency, "plain")))
