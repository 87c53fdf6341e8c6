"""Specs of the arithmetic: counters and rows of every family, engines, hardwired layers, encoders, memories in LUTs."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Const, Instance, Mux, Signal, Value, signed

from bitwright_core.network import Dense, NumberType, Scores, Thresholds
from bitwright_core.plan import Fold, fold_of
from bitwright_hw.arithmetic.compressor import Counter
from bitwright_hw.arithmetic.tree import adder_tree, agreeing
from bitwright_hw.beat_bits import BeatBits
from bitwright_hw.encoder import Encoder, TableEncoder
from bitwright_hw.engine import MatrixEngine
from bitwright_hw.families import GENERIC, Family
from bitwright_hw.families.chains import ChainOperand
from bitwright_hw.families.ecp5.chains import CHAINS as ECP5_CHAINS
from bitwright_hw.families.gowin.chains import CHAINS as GOWIN_CHAINS
from bitwright_hw.families.xc7 import popcount as xc7
from bitwright_hw.families.xc7.lut_rom import LutRom
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.integer_row import row_stages
from bitwright_hw.levels import LevelUnit
from bitwright_hw.popcount import AccumulateRow, XnorPopcount
from bitwright_hw.popcount.product_row import product_lanes
from bitwright_hw.preloads import Borders, Preloads
from bitwright_hw.products import Products
from bitwright_hw.row_encoder import RowEncoder, RowTableEncoder
from bitwright_hw.row_pool import RowPool
from tests.proofs.spec import START, Follower, Spec


def population(bits: Sequence[Value], width: int) -> Value:
    """The number of ones, added one after the other."""
    total: Value = Const(0, width)
    for bit in bits:
        total = (total + bit)[:width]
    return total


def xc7_counter(spec: Spec, *, lanes: int, bits: int) -> None:
    """A counter in LUTs: the number of agreeing lanes (x, w in turn) and set bits."""
    outputs = (lanes + bits).bit_length()
    i = spec.free("i", 2 * lanes + bits)
    counter = Counter(weight=0, outputs=tuple(range(outputs)), cost=0)
    made = Cat(*xc7.make_counter(spec.m, counter, [*i[: 2 * lanes]], [*i[2 * lanes :]]))
    values = [~(i[2 * k] ^ i[2 * k + 1]) for k in range(lanes)] + [*i[2 * lanes :]]
    spec.claim("it counts", made == population(values, outputs))


def ecp5_chain(spec: Spec) -> None:
    """Three additions in one carry chain."""
    i = spec.free("i", 11)
    chains = ECP5_CHAINS.chains(spec.m)
    bit = [ChainOperand.bit(value) for value in i]
    lanes = [ChainOperand.different(i[k], i[k + 1]) for k in (0, 2, 4)]
    one = chains.add(lanes[:1], lanes[1:2], lanes[2], 2)
    two = chains.add(bit[6:8], bit[8:9], ChainOperand.zero(), 3)
    three = chains.add([ChainOperand.either(i[9], i[10])], [*map(ChainOperand.bit, one)], bit[5], 2)
    chains.close()
    first = Signal(2)
    spec.m.d.comb += first.eq((i[0] ^ i[1]) + (i[2] ^ i[3]) + (i[4] ^ i[5]))
    spec.claim("the first adds", Cat(*one) == first)
    spec.claim("the second adds", Cat(*two) == (i[6:8] + i[8])[:3])
    spec.claim("the third adds", Cat(*three) == ((i[9] | i[10]) + first + i[5])[:2])


def gowin_chain(spec: Spec) -> None:
    """Four additions in one carry chain: lanes that meet, ANDs, a complemented preload."""
    i = spec.free("i", 14)
    chains = GOWIN_CHAINS.chains(spec.m)
    bit = [ChainOperand.bit(value) for value in i]
    lanes = [ChainOperand.equal(i[k], i[k + 1]) for k in (0, 2, 4)]
    one = chains.add(lanes[:1], lanes[1:2], lanes[2], 2)
    two = chains.add(bit[6:8], bit[8:9], ChainOperand.zero(), 3)
    three = chains.add([*map(ChainOperand.bit, one)], [ChainOperand.both(i[9], i[10])], bit[5], 3)
    four = chains.add([ChainOperand.inverse(i[11])] * 2, [ChainOperand.both(i[12], i[13])], lanes[0], 2)
    chains.close()
    first = Signal(2)
    spec.m.d.comb += first.eq(~(i[0] ^ i[1]) + ~(i[2] ^ i[3]) + ~(i[4] ^ i[5]))
    spec.claim("the first adds", Cat(*one) == first)
    spec.claim("the second adds", Cat(*two) == (i[6:8] + i[8])[:3])
    spec.claim("the third adds", Cat(*three) == (first + (i[9] & i[10]) + i[5])[:3])
    spec.claim("the fourth adds", Cat(*four) == (~i[11].replicate(2) + (i[12] & i[13]) + ~(i[0] ^ i[1]))[:2])


def small_rows(spec: Spec, *, simd: int, of: Family) -> None:
    """A family's popcount and accumulation of `simd` lanes, without registers, beside plain adders."""
    m, width = spec.m, simd.bit_length()
    x, w = spec.free("x", simd), spec.free("w", simd)
    bits, kept = width + 2, 0 if simd == 5 else width + 2
    preload, accumulator = spec.free("preload", bits), spec.free("accumulator", kept)
    plain = adder_tree(m, agreeing(m, x, ~w if of.rows.inverted_weights else w), 0)
    alone = of.rows.counted(m, x, w, width, 0)
    spec.claim("lanes are counted", alone == plain)
    values = [~(x[k] ^ w[k] ^ int(of.rows.inverted_weights)) for k in range(simd)]
    spec.claim("the plain count is the number of agreeing lanes", plain == population(values, width))
    merged = of.rows.accumulated(m, x, w, accumulator, _given(spec, of, accumulator, preload), 0)
    spec.claim("they are added", merged[:bits] == ((preload | accumulator) + plain)[:bits])


def _given(spec: Spec, of: Family, accumulator: Value, preload: Value) -> Value:
    """`preload` as the family's rows take it. Those that want it complemented rely on what rows guarantee: it or the
    accumulator is 0."""
    if not of.rows.inverted_preload:
        return preload
    spec.assume((accumulator == 0) | (preload == 0))
    return ~preload


def product_rows(spec: Spec, *, simd: int, takes: NumberType, weights: NumberType, of: Family) -> None:
    """A family's sum of the products of bit-planes, without registers: the dot product and `excess`, modulo 32."""
    products = Products(takes=takes, weights=weights)
    x, w = spec.free("x", simd * takes.bits), spec.free("w", simd * weights.bits)
    bits = 5
    preload, accumulator = spec.free("preload", bits), spec.free("accumulator", bits)
    lanes = product_lanes(products, products.word(x, simd), ~w if weights.xnor and of.rows.inverted_weights else w)
    total = of.rows.weighted(spec.m, lanes, accumulator, _given(spec, of, accumulator, preload), 0)
    expected: Value = (preload | accumulator) + Const(products.excess(np.ones((1, simd), np.int8)).item(), 16)
    for k in range(simd):
        lane = x[k * takes.bits : (k + 1) * takes.bits]
        weight = Cat(w[q * simd + k] for q in range(weights.bits))
        value = lane.as_signed() if takes.signed else lane
        worth = 2 * value - 1 if takes.xnor else value
        expected = expected + (Mux(weight, worth, -worth) if weights.xnor else worth * weight.as_signed())
        # the excess depends on the row's weights: that of a weight of 1 is counted above
        expected = expected + _excess_beyond_one(products, weight)
    spec.claim("products are added", total[:bits] == expected[:bits])


def _excess_beyond_one(products: Products, weight: Value) -> Value:
    """What the excess of a lane with this weight has beyond that of a weight of 1."""
    one = products.excess(np.ones((1, 1), np.int8)).item()
    low, high = products.weights.stored
    found: Value = Const(0, signed(16))
    for stored in range(low, high + 1):
        more = products.excess(np.array([[stored]], np.int8)).item() - one
        found = Mux(weight == stored % (1 << products.weights.bits), Const(more, signed(16)), found)
    return found


def levels(
    spec: Spec,
    *,
    others: tuple[tuple[tuple[int, ...], ...], ...],
    bits: int,
    middle: int,
    base: int,
    code_bits: int,
    apart: int,
    rows: tuple[int, ...] = (),
    columns: tuple[int, ...] = (),
) -> None:
    """LevelUnit: each pass's codes come as the latency says, if passes are so far apart and totals stay."""
    m, pe = spec.m, len(others[0])
    borders = Borders(rows=rows, columns=columns) if rows else None
    m.submodules.levels = unit = LevelUnit(
        bits=bits,
        middle=middle,
        others=others,
        base=base,
        code_bits=code_bits,
        passes_apart=apart,
        borders=borders,
    )
    comes, totals = spec.free("comes"), spec.free("totals", pe * bits)
    pause, valid, held = Signal(range(apart + 1)), Signal(), Signal(pe * bits)
    fresh = Signal(init=1)  # the cycle behind a reset
    m.d.sync += fresh.eq(0)
    m.d.comb += [valid.eq(comes & (pause == 0) & ~fresh), unit.valid.eq(valid)]
    m.d.comb += unit.totals.eq(Mux(valid, totals, held))
    m.d.sync += pause.eq(Mux(valid, apart - 1, Mux(pause == 0, 0, pause - 1)))
    with m.If(valid):
        m.d.sync += held.eq(totals)
    blocks = [y + x for y in rows for x in columns] if borders else [0]
    passes = len(others) // (max(blocks) + 1)
    order = [block * passes + k for block in blocks for k in range(passes)]
    at, wanted = Signal(range(max(2, len(order)))), Signal(pe * code_bits)
    with m.If(valid):
        m.d.sync += at.eq(Mux(at == len(order) - 1, 0, at + 1))
    with m.Switch(at):
        for k, word in enumerate(order):
            with m.Case(k):
                codes = []
                for row, compared in enumerate(others[word]):
                    total = totals[row * bits : (row + 1) * bits]
                    reached = population([total[-1], *(total >= level for level in compared)], code_bits + 1)
                    codes.append((reached + base)[:code_bits])
                m.d.comb += wanted.eq(Cat(*codes))
    ended = delayed(spec, Cat(valid, wanted), unit.latency, "ended")
    spec.claim("codes come as the latency says", unit.o_valid == ended[0])
    spec.claim("they count the levels", ~unit.o_valid | (unit.o == ended[1:]))
    spec.cover("a pass ends", unit.o_valid)


def delayed(spec: Spec, value: Value, cycles: int, name: str, init: int = 0) -> Value:
    """`value` of `cycles` cycles ago."""
    for k in range(cycles):
        register = Signal(len(value), name=f"{name}_{k}", init=init)
        spec.m.d.sync += register.eq(value)
        value = register
    return value


def accumulate_row(spec: Spec, *, simd: int, stages: int, of: Family = GENERIC, single: bool = False) -> None:
    """An AccumulateRow: passes of any length, with pauses, beside a loop."""
    m = spec.m
    bits = simd.bit_length() + 1
    m.submodules.row = row = AccumulateRow(simd=simd, bits=bits, family=of, stages=stages, single=single)
    x, w, preload = spec.free("x", simd), spec.free("w", simd), spec.free("preload", bits)
    valid, last = spec.free("valid"), spec.free("last")
    spec.assume(~last | valid)
    if single:
        spec.assume(last == valid)
    flags = delayed(spec, Cat(valid, last, preload), row.preload_delay, "flags")
    m.d.comb += [
        row.x.eq(x),
        row.w.eq(~w if row.inverted_weights else w),
        Cat(row.valid, row.last, row.preload).eq(flags ^ Cat(C(0, 2), C(-1 if row.inverted_preload else 0, bits))),
    ]
    inside, total, now = Signal(), Signal(bits), Signal(bits)
    m.d.comb += now.eq(Mux(inside, total, preload) + population([~(x[k] ^ w[k]) for k in range(simd)], bits))
    with m.If(valid):
        m.d.sync += [inside.eq(~last), total.eq(now)]
    ended = delayed(spec, Cat(last, now), row.latency, "ended")
    held, known = Signal(bits), Signal()
    with m.If(ended[0]):
        m.d.sync += [held.eq(ended[1:]), known.eq(1)]
    found = row.o.as_unsigned()
    spec.claim("o is the sum of the pass that ended", ~ended[0] | (found == ended[1:]))
    spec.claim("it stays until the next one ends", ended[0] | ~known | (found == held))
    spec.cover("a pass ends", ended[0])


def xnor_popcount(spec: Spec, *, simd: int, stages: int, of: Family) -> None:
    """An XnorPopcount beside a plain sum, `stages` cycles later."""
    m = spec.m
    m.submodules.count = unit = XnorPopcount(simd=simd, family=of, stages=stages)
    x, w = spec.free("x", simd), spec.free("w", simd)
    m.d.comb += [unit.x.eq(x), unit.w.eq(w)]
    plain = population([~(x[k] ^ w[k] ^ int(of.rows.inverted_weights)) for k in range(simd)], simd.bit_length())
    old = Signal(range(stages + 1))
    m.d.sync += old.eq(Mux(old == stages, stages, old + 1))
    spec.claim("the agreeing lanes are counted", (old != stages) | (unit.o == delayed(spec, plain, stages, "plain")))


def dense(*, seed: int, outputs: int, inputs: int, scores: bool, bits: int = 1) -> Dense:
    """A random layer on bits, or on signed integers of `bits` bits."""
    rng = np.random.default_rng(seed)
    least, most = (0, inputs) if bits == 1 else (-inputs << bits - 1, inputs << bits - 1)
    output: Scores | Thresholds
    if scores:
        output = Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
    else:
        output = Thresholds(values=rng.integers(least, most + 2, (outputs, 1)))
    takes = NumberType(kind="binary") if bits == 1 else NumberType(kind="signed", bits=bits)
    return Dense(name="layer", weights=rng.integers(0, 2, (outputs, inputs), np.uint8), output=output, takes=takes)


def count_of(layer: Dense, row: int, lanes: Sequence[Value], width: int) -> Value:
    """popcount or dot product of one neuron, less its threshold: added one lane after the other."""
    total: Value = Const(0, signed(width))
    for lane, weight in zip(lanes, layer.weights[row].tolist(), strict=True):
        if layer.counts_bits:
            term: Value = lane if weight else ~lane
            total = (total + term[:1])[:width]
        else:
            total = (total + lane.as_signed() if weight else total - lane.as_signed())[:width].as_signed()
    threshold = layer.output.values[row, 0].item() if isinstance(layer.output, Thresholds) else 0
    return (total - threshold)[:width]


def engine(
    spec: Spec,
    *,
    seed: int,
    outputs: int,
    inputs: int,
    pe: int,
    simd: int,
    memory: str = "block",
    of: Family = GENERIC,
    stages: int = 0,
    read_latency: int = 1,
    scores: bool = False,
    bits: int = 1,
) -> None:
    """A MatrixEngine behind a writer that pauses at any time: each pass gives what its neurons stand for."""
    m = spec.m
    layer = dense(seed=seed, outputs=outputs, inputs=inputs, scores=scores, bits=bits)
    fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    if bits > 1:
        stages = row_stages(simd)
    rows = RowPool()
    m.submodules.engine = unit = MatrixEngine(
        layer=layer, fold=fold, memory=memory, family=of, stages=stages, rows=rows, read_latency=read_latency
    )
    spec.shared.components.update(rows.modules)
    send, word = spec.free("send"), spec.free("word", simd * bits)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]
    passes, words = fold.neuron_folds, fold.synapse_folds

    def expected(k: int, frame: list[Value]) -> Value:
        lanes = Cat(*frame[k * words : (k + 1) * words])
        values = [lanes[n * bits : (n + 1) * bits] for n in range(inputs)]
        numbers = range(k * pe, min(outputs, (k + 1) * pe))
        return Cat(*(count_of(layer, row, values, unit.bits) for row in numbers))

    follower = Follower(
        spec,
        entering=send,
        word=word,
        words_in=passes * words,
        offered=unit.o.valid,
        leaving=unit.o.valid,
        result=unit.o.payload.as_value(),
        words_out=passes,
        expected=expected,
        needs=lambda k: (k + 1) * words,
        most=unit.latency + 1,
        mask=lambda k: (1 << unit.bits * min(pe, outputs - k * pe)) - 1,
    )
    position = follower.count_in
    ends = Signal()
    m.d.comb += ends.eq(0)
    for k in range(passes):
        with m.If(position == (k + 1) * words - 1):
            m.d.comb += ends.eq(send)
    spec.claim("a pass ends as the latency says", unit.o.valid == delayed(spec, ends, unit.latency, "ends"))
    if used := inputs - (words - 1) * simd:
        for k in range(passes):
            last = (position == (k + 1) * words - 1) & (used < simd)
            spec.assume(~last | (word[used * bits :] == 0) if used < simd else 1)
    if unit.biased:
        signs = Cat(~Value.cast(unit.o.payload[row])[-1] for row in range(pe))
        spec.claim("activations are the signs", ~unit.o.valid | (unit.activations == signs))


def serial_engine(
    spec: Spec,
    *,
    seed: int,
    outputs: int,
    inputs: int,
    pe: int,
    simd: int,
    takes: NumberType,
    weights: NumberType,
    of: Family = GENERIC,
    stages: int = 0,
    scores: bool = False,
) -> None:
    """A plane-serial MatrixEngine behind a writer that pauses at any time, and sends a window as often as it should."""
    m, rng = spec.m, np.random.default_rng(seed)
    stored = rng.integers(weights.stored[0], weights.stored[1] + 1, (outputs, inputs))
    output: Scores | Thresholds = Scores(scale=np.ones(outputs, np.int64), offset=np.zeros(outputs, np.int64))
    if not scores:
        output = Thresholds(values=rng.integers(-1, 3, (outputs, 1)))
    layer = Dense(name="layer", weights=stored, output=output, takes=takes, weight_type=weights)
    fold = fold_of(layer, pe, simd, "serial")
    rows = RowPool()
    m.submodules.engine = unit = MatrixEngine(
        layer=layer, fold=fold, memory="block", family=of, stages=stages, rows=rows, read_latency=1
    )
    spec.shared.components.update(rows.modules)
    bits, words, passes = takes.bits, fold.synapse_folds, fold.neuron_folds
    send, word = spec.free("send"), spec.free("word", simd * bits)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]

    def expected(k: int, frame: list[Value]) -> Value:
        lanes = Cat(*frame[k * fold.pass_words : k * fold.pass_words + words])
        totals: list[Value] = []
        for row in range(k * pe, min(outputs, (k + 1) * pe)):
            total: Value = Const(0, signed(unit.bits))
            for n, weight in enumerate(weights.integers(stored[row]).tolist()):
                lane = lanes[n * bits : (n + 1) * bits]
                value = lane.as_signed() if takes.signed else lane
                worth = 2 * value - 1 if takes.xnor else value
                total = (total + worth * weight)[: unit.bits].as_signed()
            threshold = 0 if scores else output.values[row, 0].item()
            totals.append((total - threshold)[: unit.bits])
        return Cat(*totals)

    follower = Follower(
        spec,
        entering=send,
        word=word,
        words_in=passes * fold.pass_words,
        offered=unit.o.valid,
        leaving=unit.o.valid,
        result=unit.o.payload.as_value(),
        words_out=passes,
        expected=expected,
        needs=lambda k: (k + 1) * fold.pass_words,
        most=unit.latency + 1,
        mask=lambda k: (1 << unit.bits * min(pe, outputs - k * pe)) - 1,
    )
    ends = Signal()
    used = inputs - (words - 1) * simd
    firsts = [Signal(len(word), name=f"first_{k}") for k in range(words)]
    for k in range(passes * fold.pass_words):
        here = follower.count_in == k
        if k % fold.pass_words == fold.pass_words - 1:
            with m.If(here):
                m.d.comb += ends.eq(send)
        if k % words == words - 1 and used < simd:
            spec.assume(~here | (word[used * bits :] == 0))
        first = firsts[k % words]
        if k % fold.pass_words < words:
            with m.If(send & here):
                m.d.sync += first.eq(word)
        else:
            spec.assume(~here | (word == first))
    spec.claim("a pass ends as the latency says", unit.o.valid == delayed(spec, ends, unit.latency, "ends"))


def plain_verilog(layer: Dense, bits: int) -> str:
    """A module `plain`, written without any of the generator: what the neurons of `layer` stand for, one by one."""
    lines = [f"module plain(input [{layer.inputs - 1}:0] x, output [{layer.outputs * bits - 1}:0] y);"]
    for row, weights in enumerate(layer.weights.tolist()):
        terms = " + ".join(f"{'' if weight else '!'}x[{k}]" for k, weight in enumerate(weights))
        threshold = layer.output.values[row, 0].item() if isinstance(layer.output, Thresholds) else 0
        lines.append(f"  wire signed [31:0] row_{row} = {terms} - {threshold};")
        lines.append(f"  assign y[{row * bits} +: {bits}] = row_{row};")
    return "\n".join([*lines, "endmodule", ""])


def hardwired(
    spec: Spec, *, seed: int, outputs: int, inputs: int, of: Family = GENERIC, stages: int = 0, scores: bool = False
) -> None:
    """A HardwiredEngine beside plain Verilog of its neurons, `latency` cycles later."""
    m = spec.m
    layer = dense(seed=seed, outputs=outputs, inputs=inputs, scores=scores)
    m.submodules.engine = unit = HardwiredEngine(layer=layer, family=of, stages=stages)
    send, word = spec.free("send"), spec.free("word", inputs)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]
    spec.shared.verilog.append(plain_verilog(layer, unit.bits))
    wanted = Signal(outputs * unit.bits)
    m.submodules.plain = Instance("plain", i_x=word, o_y=wanted)
    then = delayed(spec, Cat(send, wanted), unit.latency, "then")
    settled = after(spec, unit.latency)
    spec.claim("a frame leaves as the latency says", ~settled | (unit.o.valid == then[0]))
    values = unit.o.payload.as_value()
    spec.claim("each neuron is what its weights say", ~(settled & then[0]) | (values == then[1:]))
    if unit.biased:
        signs = Cat(~then[1 + (k + 1) * unit.bits - 1] for k in range(outputs))
        spec.claim("activations are the signs", ~(settled & then[0]) | (unit.activations == signs))
    spec.cover("a frame leaves", settled & then[0])


def after(spec: Spec, cycles: int) -> Value:
    """High from `cycles` cycles behind the start on."""
    count = Signal(range(cycles + 1), attrs={START: 1}, name="proof_age")
    spec.m.d.ever += count.eq(Mux(count == cycles, cycles, count + 1))
    return count == cycles


def lut_rom(spec: Spec, *, width: int, words: int, seed: int) -> None:
    """A LutRom beside a table."""
    m = spec.m
    contents = [int(n) for n in np.random.default_rng(seed).integers(0, 1 << width, words)]
    m.submodules.rom = rom = LutRom(width=width, words=contents)
    address, enable = spec.free("address", rom.addr.shape()), spec.free("enable")
    m.d.comb += [rom.addr.eq(address), rom.en.eq(enable)]
    spec.assume(address < words)
    value = Signal(width)
    with m.Switch(address):
        for k, word in enumerate(contents):
            with m.Case(k):
                m.d.comb += value.eq(word)
    held, known = Signal(width), Signal()
    with m.If(enable):
        m.d.sync += [held.eq(value), known.eq(1)]
    spec.claim("it has the word that was asked for last", ~known | (rom.data == held))


def preloads(
    spec: Spec,
    *,
    values: tuple[tuple[int, ...], ...],
    bits: int,
    apart: int,
    rows: tuple[int, ...] = (),
    columns: tuple[int, ...] = (),
) -> None:
    """Preloads: each pass has its values when it begins, if passes are so far apart, and as long as it needs them."""
    m = spec.m
    borders = Borders(rows=rows, columns=columns) if rows else None
    m.submodules.preloads = unit = Preloads(values=values, bits=bits, passes_apart=apart, borders=borders)
    take = spec.free("take")
    pause, takes = Signal(range(apart + 1)), Signal()
    fresh = Signal(init=1)  # the cycle behind a reset, in which nothing may be taken
    m.d.sync += fresh.eq(0)
    m.d.comb += [takes.eq(take & (pause == 0) & ~fresh), unit.take.eq(takes)]
    m.d.sync += pause.eq(Mux(takes, apart - 1, Mux(pause == 0, 0, pause - 1)))
    passes = len(values) // unit.blocks
    blocks = [y + x for y in rows for x in columns] if borders else [0]
    order = [block * passes + k for block in blocks for k in range(passes)]
    at, wanted = Signal(range(max(2, len(order)))), Signal(len(unit.o))
    with m.If(takes):
        m.d.sync += at.eq(Mux(at == len(order) - 1, 0, at + 1))
    with m.Switch(at):
        for k, row in enumerate(order):
            with m.Case(k):
                m.d.comb += wanted.eq(Cat(Const(v % (1 << bits), bits) for v in values[row]))
    spec.claim("a pass has its values", (pause != 0) | (unit.o == wanted))


def encoder(
    spec: Spec,
    *,
    value_bits: int,
    lanes: int,
    rows: Sequence[Sequence[int]],
    values: int,
    table: int = 0,
    raw: Sequence[int] = (),
) -> None:
    """An encoder of thresholds, or of tables of `table` bits: a row for all values, or value i takes row i modulo
    their number; what lies beyond a frame of `values` values becomes 0 where there are several rows. With `raw`, these
    bits of each value are kept, too (BeatBits)."""
    m = spec.m
    beat_bits = lanes * value_bits
    unit: Encoder | TableEncoder | RowEncoder | RowTableEncoder | BeatBits
    shape = {"beat_bits": beat_bits, "value_bits": value_bits}
    if raw:
        levels = (range(len(rows[0])),) * lanes
        unit = BeatBits(**shape, input_bits=value_bits, rows=rows, values=values, levels=levels, raw=(raw,) * lanes)
    elif len(rows) > 1 and table:
        unit = RowTableEncoder(**shape, rows=rows, values=values, out_bits=table)
    elif len(rows) > 1:
        unit = RowEncoder(**shape, rows=rows, values=values)
    elif table:
        unit = TableEncoder(**shape, table=rows[0], out_bits=table)
    else:
        unit = Encoder(**shape, thresholds=rows[0])
    m.submodules.encoder = unit
    send, word = spec.free("send"), spec.free("word", beat_bits)
    m.d.comb += [unit.i.valid.eq(send), unit.i.payload.eq(word)]
    words = -(-values // lanes)
    fields = [word[k * value_bits : (k + 1) * value_bits] for k in range(lanes)]
    if table:  # a value has an entry
        for field in fields:
            spec.assume(field < len(rows[0]))

    def lane(k: int, number: int, value: Value) -> Value:
        row = rows[number % len(rows)]
        width = table or len(row)
        as_they_are = Cat(value[bit] for bit in raw)
        if number >= values and len(rows) > 1:
            return Cat(Const(0, width), as_they_are)
        if not table:
            return Cat(*(value >= threshold for threshold in row), as_they_are)
        found = Signal(width, name=f"entry_{k}_{number}")
        with m.Switch(value):
            for index, entry in enumerate(row):
                with m.Case(index):
                    m.d.comb += found.eq(entry)
        return found

    def expected(k: int, frame: list[Value]) -> Value:
        lanes_of = [frame[k][n * value_bits : (n + 1) * value_bits] for n in range(lanes)]
        return Cat(*(lane(k, k * lanes + n, value) for n, value in enumerate(lanes_of)))

    Follower(
        spec,
        entering=send,
        word=word,
        words_in=words,
        offered=unit.o.valid,
        leaving=unit.o.valid,
        result=unit.o.payload,
        words_out=words,
        expected=expected,
        needs=lambda k: k + 1,
        most=2,
    )
    spec.claim("a beat leaves a cycle after it came", unit.o.valid == delayed(spec, send, 1, "sent"))
