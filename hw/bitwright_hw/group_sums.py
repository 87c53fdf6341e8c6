"""The bits of each class's group of neurons, counted."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.families import Family
from bitwright_hw.timing import valid_after


def count_bits(groups: tuple[int, ...]) -> int:
    """Bits of a count as a signed number, so that whoever looks at it needs not know that none is below 0."""
    return max(groups).bit_length() + 1


class GroupSums(wiring.Component):
    """How many bits of each of `groups` are 1, all groups at a time.

    `i` brings the bits of a frame in one word, at any pace, the groups one after the other; `o` gives a count of
    `width` bits for each, group 0 lowest. Counters and adders are the family's (its `sums.ones`).

    Latency: `latency` = stages + 1 cycles. Throughput: a word a cycle. Reset: forgets the words inside.
    """

    def __init__(self, *, groups: tuple[int, ...], target: Family, stages: int):
        if not groups or min(groups) < 1:
            raise ValueError(f"groups must be at least one of at least 1 bit, not {groups}")
        if stages < 0:
            raise ValueError(f"stages must not be negative, not {stages}")
        self.groups = groups
        self.target = target
        self.stages = stages
        super().__init__(
            {
                "i": In(stream.Signature(sum(groups), always_ready=True)),
                "o": Out(stream.Signature(self.width * len(groups), always_ready=True)),
            }
        )

    @property
    def width(self) -> int:
        """Bits of a count."""
        return count_bits(self.groups)

    @property
    def latency(self) -> int:
        return self.stages + 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.valid.eq(valid_after(m, self.i.valid, self.latency))
        start = 0
        for k, size in enumerate(self.groups):
            m.submodules[f"group_{k}"] = part = Module()
            ones = self.target.sums.ones(part, self.i.payload[start : start + size], size.bit_length(), self.stages)
            m.d.sync += self.o.payload[k * self.width : (k + 1) * self.width].eq(ones)
            start += size
        return m
