"""Group sums: scores that count the bits of each class's own group of neurons.

As networks of lookup tables end (GroupSum of Petersen et al., Deep Differentiable Logic Gate Networks,
arXiv:2210.08277, and of DWN).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bitwright_core.checks import MAX_LANES, check_name, sizes
from bitwright_core.edge import Edge, Value
from bitwright_core.errors import NetworkError
from bitwright_core.numbers import BINARY, signed_bits, signed_type
from bitwright_core.ops.operator import Facts, Weightless, check_number, check_size
from bitwright_core.tensors import Tensors


class GroupSumFacts(Facts, omit_defaults=True, tag="group_sum"):
    """A group sum in the header of a network file."""

    groups: list[int]

    def build(self, tensors: Tensors) -> "GroupSum":
        return GroupSum(name=self.name, groups=tuple(self.groups))


@dataclass(frozen=True, kw_only=True)
class GroupSum(Weightless):
    """Scores: how many of the bits of each group are 1. The groups follow each other, `groups` says how large each is.

    It is the last layer of a classifier, or gives numbers (see `Network.values`).
    """

    kind: ClassVar[str] = "group_sum"
    facts_type: ClassVar[type[Facts]] = GroupSumFacts

    name: str
    groups: tuple[int, ...]  # bits of each class, at least 1

    def __post_init__(self) -> None:
        check_name(self.name, "layer name")
        count = len(self.groups) if isinstance(self.groups, Sequence | np.ndarray) else 1
        groups = sizes(self.groups, max(1, count), f"layer {self.name}: groups", 1)
        if sum(groups) > MAX_LANES:
            raise NetworkError(f"layer {self.name}: at most {MAX_LANES} inputs, not {sum(groups)}")
        object.__setattr__(self, "groups", groups)

    @property
    def inputs(self) -> int:
        return sum(self.groups)

    @property
    def outputs(self) -> int:
        """Classes."""
        return len(self.groups)

    @property
    def gives_scores(self) -> bool:
        return True

    @property
    def operations(self) -> int:
        """An addition for each bit."""
        return self.inputs

    @property
    def edge(self) -> Edge:
        return Edge(shape=(self.outputs,), number=signed_type(signed_bits(max(self.groups))))

    @property
    def size_text(self) -> str:
        return f"{self.outputs}sum"

    def infer(self, given: Sequence[Value]) -> Edge:
        (before,) = given
        check_size(self.name, self.inputs, before)
        check_number(self.name, BINARY, before)
        return self.edge

    def compute(self, *given: NDArray[np.integer]) -> NDArray[np.integer]:
        """The counts, (n, classes)."""
        bits = given[0].reshape(len(given[0]), self.inputs).astype(np.int64)
        starts = np.cumsum((0, *self.groups[:-1]))
        return np.add.reduceat(bits, starts, axis=1)

    @property
    def shows(self) -> int:
        """1: the counts."""
        return 1

    def facts(self) -> GroupSumFacts:
        return GroupSumFacts(name=self.name, groups=list(self.groups))

    def digest_parts(self) -> Iterator[bytes]:
        yield repr((self.kind, self.groups)).encode()
