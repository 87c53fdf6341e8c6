"""Addition of values: residual sums."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_INTEGER_BITS, MAX_VALUES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import NumberType, signed_bits, signed_type
from bitwright_core.ops.lanes import LaneRule, Operand
from bitwright_core.ops.number_facts import NumberFacts
from bitwright_core.ops.operator import Facts, JoinRule, Weightless, check_number, check_shape
from bitwright_core.tensors import Tensors

MAX_ADDED = 8  # values
MAX_SCALE = 1 << 15


class AddFacts(Facts, omit_defaults=True, tag="add"):
    """An addition in the header of a network file."""

    shape: list[int]
    takes: list[NumberFacts]
    scales: list[int]

    def build(self, tensors: Tensors) -> "Add":
        takes = tuple(NumberType(kind=number.kind, bits=number.bits) for number in self.takes)
        return Add(name=self.name, shape=tuple(self.shape), takes=takes, scales=tuple(self.scales))


@dataclass(frozen=True, kw_only=True)
class Add(Weightless):
    """The sum of values of one shape, each times a whole number: scales[0] * x0 + scales[1] * x1 and so on.

    What it gives is a signed integer, as wide as any sum of such values needs.
    """

    kind: ClassVar[str] = "add"
    facts_type: ClassVar[type[Facts]] = AddFacts

    name: str
    shape: tuple[int, ...]  # of each value: (height, width, channels), or flat
    takes: tuple[NumberType, ...]
    scales: tuple[int, ...] = ()  # 1 for each if it is empty

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        where = f"layer {self.name}"
        if len(self.shape) not in (1, 3):
            raise NetworkError(f"{where}: a shape is (height, width, channels) or flat, not {list(self.shape)}")
        object.__setattr__(self, "shape", sizes(self.shape, len(self.shape), f"{where}: the shape", 1))
        object.__setattr__(self, "takes", tuple(self.takes))
        scales = tuple(self.scales) or (1,) * len(self.takes)
        if not 2 <= len(self.takes) <= MAX_ADDED or len(scales) != len(self.takes):
            raise NetworkError(
                f"{where}: an addition takes 2 to {MAX_ADDED} values and a scale for each, not {len(self.takes)} and "
                f"{len(scales)}"
            )
        whole = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in scales)
        if not whole or not all(0 < abs(s) <= MAX_SCALE for s in scales):
            raise NetworkError(f"{where}: scales are whole numbers other than 0, at most {MAX_SCALE}, not {scales}")
        object.__setattr__(self, "scales", tuple(int(s) for s in scales))
        if math.prod(self.shape) > MAX_VALUES:
            raise NetworkError(f"{where}: an image may have at most {MAX_VALUES} values, not {list(self.shape)}")
        if self.edge.number.bits > MAX_INTEGER_BITS:
            raise NetworkError(f"{where}: sums take {self.edge.number.bits} bits, more than {MAX_INTEGER_BITS}")

    @property
    def input_names(self) -> tuple[str, ...]:
        """x0, x1 and so on."""
        return tuple(f"x{k}" for k in range(len(self.takes)))

    @property
    def join(self) -> JoinRule:
        pixels = math.prod(self.shape[:-1]) if len(self.shape) == 3 else None
        return JoinRule(sizes=(self.shape[-1],) * len(self.takes), pixels=pixels, beside=True)

    @property
    def lanes(self) -> LaneRule:
        operands = tuple(Operand(number=n, scales=(s,)) for n, s in zip(self.takes, self.scales, strict=True))
        return LaneRule(operands=operands, offsets=(0,), levels=None, base=0, gives=self.edge.number)

    @property
    def edge(self) -> Edge:
        """Shape and number type of what it gives."""
        ends = [
            sorted((scale * number.least, scale * number.largest))
            for number, scale in zip(self.takes, self.scales, strict=True)
        ]
        bits = max(signed_bits(sum(least for least, _ in ends)), signed_bits(sum(largest for _, largest in ends)))
        return Edge(shape=self.shape, number=signed_type(bits))

    @property
    def operations(self) -> int:
        return (len(self.takes) - 1) * math.prod(self.shape)

    @property
    def size_text(self) -> str:
        return f"add{len(self.takes)}"

    def infer(self, given: Sequence[Value]) -> Edge:
        for value, number in zip(given, self.takes, strict=True):
            check_shape(self.name, self.shape, value, "adds")
            check_number(self.name, number, value)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The sums, (n, *shape)."""
        total = np.zeros((len(given[0]), *self.shape), np.int64)
        for stored, number, scale in zip(given, self.takes, self.scales, strict=True):
            total += scale * number.integers(stored.reshape(total.shape))
        return total

    def facts(self) -> AddFacts:
        takes = [NumberFacts(kind=number.kind, bits=number.bits) for number in self.takes]
        return AddFacts(name=self.name, shape=list(self.shape), takes=takes, scales=list(self.scales))

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.shape, self.scales)).encode()
