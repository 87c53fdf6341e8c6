"""Proofs about values that are taken twice, and values that meet."""

from functools import reduce
from operator import and_

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from bitwright_core.network import LaneRule, NumberType, Operand
from bitwright_hw.fork import Fork
from bitwright_hw.join import Join, JoinInput, JoinParams
from bitwright_hw.lane_unit import LaneParams, LaneUnit
from tests.proofs.spec import Spec, credits, moves_within


def fork(spec: Spec, *, branches: int) -> None:
    """Fork: a token is one of every branch's, and waits for nothing else."""
    m = spec.m
    m.submodules.fork = fork = Fork(branches=branches)
    ready, valid = spec.free("ready"), spec.free("valid", branches)
    m.d.comb += [fork.space.ready.eq(ready), *(grant.valid.eq(valid[k]) for k, grant in enumerate(fork.grants))]
    given = fork.space.valid & ready
    spec.claim("a token is there when every branch has one", fork.space.valid == valid.all())
    for k, grant in enumerate(fork.grants):
        spec.claim(f"branch {k} gives its token with the others, or keeps it", (grant.ready & valid[k]) == given)
    spec.cover("a token is taken", given)


class _Units:
    """What is in a join of one input: its writer, who has tokens, and the units that have come and not left."""

    def __init__(self, spec: Spec, join: Join, k: int, leave: Value):
        m, each = spec.m, join.params.inputs[k]
        words = -(-each.bits // each.in_width)
        i, space = getattr(join, f"i_{k}"), getattr(join, f"space_{k}")
        take, send, data = spec.free(f"take_{k}"), spec.free(f"send_{k}"), spec.free(f"data_{k}", each.in_width)
        drop = spec.free(f"drop_{k}")
        word, sends, ends = Signal(range(words + 1)), Signal(), Signal()
        frame, whole, before = Signal(each.bits), Signal(each.bits), Signal(each.bits)
        begins = sends & (word == 0)
        tokens = credits(spec, f"tokens_{k}", taken=take & space.valid, used=begins, most=each.capacity)
        m.d.comb += [
            space.ready.eq(take),
            sends.eq(send & ((tokens != 0) | (word != 0))),
            ends.eq(sends & (word == words - 1)),
            i.valid.eq(sends),
            whole.eq(frame),
            getattr(join, f"drop_{k}").eq(drop),
        ]
        with m.Switch(word):
            for at in range(words):
                with m.Case(at):
                    part = slice(at * each.in_width, min(each.bits, (at + 1) * each.in_width))
                    m.d.comb += [whole[part].eq(data), i.payload.eq(data[: part.stop - part.start])]
        with m.If(sends):
            m.d.sync += [frame.eq(whole), word.eq(Mux(ends, 0, word + 1))]
        done = getattr(join, f"done_{k}")
        if each.in_width < each.out_width:
            m.d.sync += before.eq(whole)
        else:
            m.d.comb += before.eq(whole)
        # the units inside, the oldest lowest
        most = each.capacity + 2
        self.inside = inside = Signal(range(most + 1))
        held = [Signal(each.bits, name=f"held_{k}_{n}") for n in range(most + 1)]
        enter = done & ~drop
        m.d.sync += inside.eq(inside + enter - leave)
        for n in range(most):
            with m.If(enter & (inside - leave == n)):
                m.d.sync += held[n].eq(before)
            with m.Elif(leave):
                m.d.sync += held[n].eq(held[n + 1])
        self.oldest = held[0]
        spec.claim(f"input {k}: no more units than there is room for", tokens + (word != 0) + inside <= most)
        self.idle = (tokens == 0) & (word == 0) & (inside == 0)
        self.space = space.valid


def join(spec: Spec, *, inputs: tuple[tuple[int, int, int], ...], beside: bool, capacity: int) -> None:
    """Join: tokens for each unit, words at any pace, some units dropped; grants at any time. `inputs` has the width in,
    the width out and the bits of each."""
    m: Module = spec.m
    sizes = [JoinInput(in_width=a, out_width=b, bits=bits, capacity=capacity) for a, b, bits in inputs]
    params = JoinParams(inputs=tuple(sizes), beside=beside)
    m.submodules.join = join = Join(params=params)
    grant = spec.free("grant")
    m.d.comb += join.grant.valid.eq(grant)
    out, leave = Signal(range(params.words + 1)), Signal()
    m.d.comb += leave.eq(join.o.valid & (out == params.words - 1))
    with m.If(join.o.valid):
        m.d.sync += out.eq(Mux(leave, 0, out + 1))
    units = [_Units(spec, join, k, leave) for k in range(len(sizes))]
    granted = credits(spec, "granted", taken=grant & join.grant.ready, used=leave, most=4)
    expected = Signal(params.out_width)
    words = [
        Array([unit.oldest[at * each.out_width : (at + 1) * each.out_width] for at in range(each.words)])
        for unit, each in zip(units, sizes, strict=True)
    ]
    if beside:
        m.d.comb += expected.eq(Cat(word[out] for word in words))
    else:
        every = [word for part in words for word in part]
        m.d.comb += expected.eq(Array(every)[out])
    there = reduce(and_, (unit.inside != 0 for unit in units))
    spec.claim("no word without a unit of each input", ~join.o.valid | there)
    spec.claim("no unit without its grant", ~join.o.valid | (granted != 0))
    spec.claim("each word is right and in order", ~join.o.valid | (join.o.payload == expected))
    spec.claim("the words of a unit follow each other", (out == 0) | join.o.valid)
    moves_within(
        spec, "units that are there go", waiting=there & (grant | (granted != 0)), moves=join.o.valid, cycles=6
    )
    for k, unit in enumerate(units):
        moves_within(spec, f"input {k}: room comes back", waiting=unit.idle & ~unit.space, moves=unit.space, cycles=4)
    spec.cover("a unit leaves", leave)
    spec.cover("a unit is dropped", join.done_0 & join.drop_0)


def lanes(
    spec: Spec,
    *,
    operands: tuple[tuple[str, int, tuple[int, ...]], ...],
    size: int,
    lanes: int,
    gives: tuple[str, int],
    offsets: tuple[int, ...] = (0,),
    levels: tuple[tuple[int, ...], ...] | None = None,
    base: int = 0,
) -> None:
    """LaneUnit: each word, and what it becomes by a table of all values. `operands` has kind, bits, scales of each."""
    m = spec.m
    numbers = [NumberType(kind=kind, bits=bits) for kind, bits, _ in operands]
    rule = LaneRule(
        operands=tuple(Operand(number=n, scales=scales) for n, (_, _, scales) in zip(numbers, operands, strict=True)),
        offsets=offsets,
        levels=levels,
        base=base,
        gives=NumberType(kind=gives[0], bits=gives[1]),
    )
    params = LaneParams(rule=rule, size=size, lanes=lanes)
    m.submodules.unit = unit = LaneUnit(params=params)
    send, data = spec.free("send"), spec.free("data", params.in_width)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(data)]
    word, before, sent, was = Signal(range(params.words + 1)), Signal(params.in_width), Signal(), Signal(4)
    m.d.sync += [sent.eq(send), before.eq(data), was.eq(word)]
    with m.If(send):
        m.d.sync += word.eq(Mux(word == params.words - 1, 0, word + 1))
    spec.claim("a word comes a cycle later, and no other", unit.o.valid == sent)
    widths = [number.bits for number in numbers]
    for lane in range(lanes):
        lows = [lanes * sum(widths[:k]) + lane * width for k, width in enumerate(widths)]
        code = Cat(before[low : low + width] for low, width in zip(lows, widths, strict=True))
        due = Signal(rule.gives.bits, name=f"due_{lane}")
        with m.Switch(was):
            for at in range(params.words):
                with m.Case(at):
                    table = [_worth(rule, at * lanes + lane, size, value) for value in range(1 << sum(widths))]
                    mask = (1 << rule.gives.bits) - 1
                    m.d.comb += due.eq(Array(Const(entry & mask, rule.gives.bits) for entry in table)[code])
        part = unit.o.payload[lane * rule.gives.bits : (lane + 1) * rule.gives.bits]
        spec.claim(f"lane {lane} is what the rule says", ~sent | (part == due))
    spec.cover("the last word of a unit", sent & (was == params.words - 1))


def _worth(rule: LaneRule, channel: int, size: int, code: int) -> int:
    """What a channel becomes whose operands' lanes hold `code`, the first one's lowest."""
    if channel >= size:
        return 0
    total = rule.offsets[channel % len(rule.offsets)]
    for operand in rule.operands:
        bits = operand.number.bits
        lane, code = code & ((1 << bits) - 1), code >> bits
        stored = sum(plane for k, plane in enumerate(operand.number.planes) if lane >> k & 1)
        total += operand.scales[channel % len(operand.scales)] * operand.number.value(stored)
    if rule.levels is None:
        return total
    return rule.base + sum(total >= level for level in rule.levels[channel])
