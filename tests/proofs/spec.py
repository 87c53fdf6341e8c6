"""What a proof is about: a small design with free inputs, what they keep to, and what must then hold.

A spec starts in any state at all, of registers and memories alike. Then comes one cycle of reset, and resets may come
in any later cycle. So what is proven holds after any reset, whatever was there before it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from amaranth.back import rtlil
from amaranth.hdl import C, Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal, Value, ValueLike
from amaranth.lib import wiring

from bitwright_hw.emit import ports, without_brackets

START = "proof_start"  # the attribute of registers that do start with their initial value


@dataclass(kw_only=True)
class Shared:
    """Modules that a spec instantiates by name: components, and Verilog."""

    components: dict[str, wiring.Component] = field(default_factory=dict)
    verilog: list[str] = field(default_factory=list)


class Spec:
    """Collects the statements of a proof in `m`, whose domain `sync` is reset as told above.

    `claim` must hold in every cycle but the first, as long as each `assume` has held in it and in all before. `cover`
    is what the solver must be able to reach, so that assumptions which leave nothing do not pass unseen. If not
    `resets`, the reset of the first cycle is the only one; if not `start`, there is none.
    """

    def __init__(self, *, resets: bool = True, start: bool = True):
        self.m = m = Module()
        self.shared = Shared()
        self.inputs: dict[str, Signal] = {}
        self.claims: dict[str, Value] = {}
        self.covers: dict[str, Value] = {}
        self._assumed: list[Value] = []
        m.domains.sync = ClockDomain()
        m.domains.ever = ClockDomain(reset_less=True)
        self.clock = Signal(name="proof_clock")
        self.first = Signal(init=1, attrs={START: 1}, name="proof_first")
        self.reset = self.free("reset") if resets else C(0, 1)
        self.restarts = Signal(name="proof_restarts")  # resets `sync` as well; a spec may drive it
        m.d.ever += self.first.eq(0)
        m.d.comb += [
            ClockSignal("sync").eq(self.clock),
            ClockSignal("ever").eq(self.clock),
            ResetSignal("sync").eq(self.reset | self.first | self.restarts if start else 0),
        ]

    def free(self, name: str, shape: object = 1) -> Signal:
        """An input that has any value in any cycle."""
        if name in self.inputs:
            raise ValueError(f"there is an input {name} already")
        self.inputs[name] = Signal(shape, name=name)
        return self.inputs[name]

    def assume(self, value: ValueLike) -> None:
        self._assumed.append(Value.cast(value).bool())

    def claim(self, name: str, value: ValueLike) -> None:
        if name in self.claims:
            raise ValueError(f"there is a claim {name} already")
        self.claims[name] = Value.cast(value).bool()

    def cover(self, name: str, value: ValueLike) -> None:
        if name in self.covers:
            raise ValueError(f"there is a cover {name} already")
        self.covers[name] = Value.cast(value).bool()

    def rtlil(self) -> dict[str, str]:
        """The spec's modules as RTLIL, the top `spec` last. Its output `wrong` has a bit for each claim that does not
        hold, `seen` one for each cover, in order."""
        m = self.m
        kept, so_far = Signal(name="proof_kept"), Signal(init=1, attrs={START: 1}, name="proof_so_far")
        wrong = Signal(max(1, len(self.claims)), name="wrong")
        seen = Signal(max(1, len(self.covers)), name="seen")
        m.d.comb += kept.eq(so_far & Cat(self._assumed).all() if self._assumed else so_far)
        m.d.ever += so_far.eq(kept)
        for k, value in enumerate(self.claims.values()):
            m.d.comb += wrong[k].eq(kept & ~self.first & ~value)
        for k, value in enumerate(self.covers.values()):
            m.d.comb += seen[k].eq(kept & ~self.first & value)
        found = {
            name: without_brackets(rtlil.convert(part, name=name, ports=ports(part), emit_src=False))
            for name, part in self.shared.components.items()
        }
        tops = [self.clock, *self.inputs.values(), wrong, seen]
        text = rtlil.convert(m, name="spec", ports={s.name: (s, None) for s in tops}, emit_src=False)
        return {**found, "spec": without_brackets(text)}


def holds_back(spec: Spec, name: str, port: wiring.PureInterface) -> None:
    """Claims of an output stream: once valid, it and its payload stay until it is taken."""
    m = spec.m
    waits, before = Signal(name=f"{name}_waits"), Signal(len(Value.cast(port.payload)), name=f"{name}_before")
    m.d.sync += [waits.eq(port.valid & ~port.ready), before.eq(port.payload)]
    spec.claim(f"{name}: valid holds", ~waits | port.valid)
    spec.claim(f"{name}: payload is stable", ~waits | (Value.cast(port.payload) == before))


def moves_within(spec: Spec, name: str, *, waiting: ValueLike, moves: ValueLike, cycles: int) -> None:
    """Claims that what waits moves within `cycles` cycles."""
    late = Signal(range(cycles + 1), name=f"late_{len(spec.claims)}")
    with spec.m.If(moves | ~Value.cast(waiting).bool()):
        spec.m.d.sync += late.eq(0)
    with spec.m.Elif(late != cycles):
        spec.m.d.sync += late.eq(late + 1)
    spec.claim(name, late != cycles)


class Follower:
    """Follows one frame, whichever the solver marks, from its words in to its words out; all frames are like it.

    A frame is `words_in` words, of which `entering` is high with each and `word` holds it, and becomes `words_out`
    words, with which `leaving` is high. Word k out is `expected(k, frame)` (frame: the words in), and comes only
    when `needs(k)` words of its frame are in. At most `most` frames lie between.

    `offered` is high while a word is shown (an output stream's valid), which `leaving` takes. Bits of word k out that
    are 0 in `mask(k)` stand for nothing.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        entering: ValueLike,
        word: ValueLike,
        words_in: int,
        offered: ValueLike,
        leaving: ValueLike,
        result: ValueLike,
        words_out: int,
        expected: Callable[[int, list[Value]], ValueLike],
        needs: Callable[[int], int],
        most: int,
        mask: Callable[[int], int] | None = None,
        name: str = "",
    ):
        m = spec.m
        pre = f"{name}_" if name else ""
        result = Value.cast(result).as_unsigned()
        entering, leaving, offered = (Value.cast(v).bool() for v in (entering, leaving, offered))
        mark = spec.free(f"{pre}mark")
        count_in, count_out = Signal(range(words_in + 1)), Signal(range(words_out + 1))
        self.count_in, self.count_out = count_in, count_out
        self.begins, self.ends = Signal(name=f"{pre}begins"), Signal(name=f"{pre}ends")
        m.d.comb += [
            self.begins.eq(entering & (count_in == 0)),
            self.ends.eq(leaving & (count_out == words_out - 1)),
        ]
        with m.If(entering):
            m.d.sync += count_in.eq(Mux(count_in == words_in - 1, 0, count_in + 1))
        with m.If(leaving):
            m.d.sync += count_out.eq(Mux(count_out == words_out - 1, 0, count_out + 1))
        inside, now = Signal(range(most + 2)), Signal(range(most + 3))
        m.d.comb += now.eq(inside + self.begins)
        m.d.sync += inside.eq(now - self.ends)
        self.inside = now

        marked, gone, marks = Signal(), Signal(), Signal(name=f"{pre}marks")
        ahead, ahead_now, due = Signal(range(most + 2)), Signal(range(most + 2)), Signal(name=f"{pre}due")
        m.d.comb += [
            marks.eq(mark & self.begins & ~marked),
            ahead_now.eq(Mux(marks, inside, ahead)),
            due.eq((marked | marks) & ~gone & (ahead_now == 0)),
        ]
        with m.If(marks):
            m.d.sync += marked.eq(1)
        with m.If(marks | marked):
            m.d.sync += [ahead.eq(ahead_now - (self.ends & (ahead_now != 0))), gone.eq(gone | (self.ends & due))]

        got, got_now = Signal(range(words_in + 1)), Signal(range(words_in + 1))
        open_, takes = Signal(), Signal()  # words that come belong to the marked frame
        m.d.comb += [open_.eq(marks | (marked & (got != words_in))), takes.eq(open_ & entering)]
        m.d.comb += got_now.eq(got + takes)
        m.d.sync += got.eq(got_now)
        value = Value.cast(word)
        frame: list[Value] = []
        for k in range(words_in):
            held, current = Signal(len(value), name=f"{pre}held_{k}"), Signal(len(value), name=f"{pre}word_{k}")
            m.d.comb += current.eq(Mux(takes & (got == k), value, held))
            m.d.sync += held.eq(current)
            frame.append(current)
        want, need = Signal(len(result), name=f"{pre}want"), Signal(range(words_in + 1))
        counts = Signal.like(want, name=f"{pre}counts", init=-1)
        with m.Switch(count_out):
            for k in range(words_out):
                with m.Case(k):
                    m.d.comb += [want.eq(expected(k, frame)), need.eq(needs(k))]
                    m.d.comb += counts.eq(-1 if mask is None else mask(k))
        spec.claim(f"{pre}no word without its frame", ~offered | (now != 0))
        spec.claim(f"{pre}no word before what it stands for", ~(offered & due) | (got_now >= need))
        spec.claim(f"{pre}each word is right and in order", ~(offered & due) | (((result ^ want) & counts) == 0))
        spec.claim(f"{pre}no more frames than there is room for", now <= most)
        spec.cover(f"{pre}a marked frame leaves", gone)
        self.due, self.gone, self.need, self.got = due, gone, need, got_now


def sliced(bits: int, in_width: int, out_width: int) -> Callable[[int, list[Value]], Value]:
    """`expected` of a frame of `bits` bits that only changes its width: word k out, zeros beyond the frame."""

    def expected(k: int, frame: list[Value]) -> Value:
        whole = Cat(*(word[:in_width] for word in frame))[:bits]
        return whole[k * out_width : min(bits, (k + 1) * out_width)]

    return expected


def bits_needed(bits: int, in_width: int, out_width: int) -> Callable[[int], int]:
    """`needs` of such a frame."""
    return lambda k: -(-min(bits, (k + 1) * out_width) // in_width)


def zero_beyond(spec: Spec, follower_count: Value, words: int, bits: int, width: int, payload: Value) -> None:
    """Assumes that a last word's bits beyond its frame of `bits` bits are 0."""
    used = bits - (words - 1) * width
    if used < width:
        spec.assume((follower_count != words - 1) | (payload[used:] == 0))


class Tracker:
    """Follows one entry, whichever the solver marks, past those ahead of it: `enter`, `leave` are high in the cycles in
    which an entry comes and one goes.

    `inside` counts the entries between. `due` is high while the marked one is the next to go. So a proof about the
    marked one is a proof about each: that none is lost, doubled or overtaken.
    """

    def __init__(self, spec: Spec, *, enter: ValueLike, leave: ValueLike, most: int):
        m = spec.m
        mark = spec.free("mark")
        self.inside = Signal(range(most + 1))
        self.marks = Signal()  # the entry that comes now is the one to follow
        self.due = Signal()
        marked, gone = Signal(), Signal()
        ahead = Signal(range(most + 1))
        m.d.sync += self.inside.eq(self.inside + enter - leave)
        m.d.comb += [self.marks.eq(mark & enter & ~marked), self.due.eq(marked & ~gone & (ahead == 0))]
        with m.If(self.marks):
            m.d.sync += [marked.eq(1), ahead.eq(self.inside - leave)]
        with m.Elif(leave):
            m.d.sync += [ahead.eq(Mux(ahead == 0, 0, ahead - 1)), gone.eq(gone | self.due)]
        spec.cover("a marked entry leaves", gone)


def credits(spec: Spec, name: str, *, taken: ValueLike, used: ValueLike, most: int) -> Signal:
    """The tokens that were taken and not yet used."""
    count = Signal(range(most + 2), name=name)
    spec.m.d.sync += count.eq(count + taken - used)
    return count


class Elaborated(wiring.Component):
    """A component whose module is made at once, while names in it stand for something else."""

    def __init__(self, component: wiring.Component):
        self.module: Module = component.elaborate(None)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        return self.module
