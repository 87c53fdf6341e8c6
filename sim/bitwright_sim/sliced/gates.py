"""A network of two-input gates over vectors of frames, built with sharing.

A *literal* is twice a node's number, plus one where it is complemented; 0 and 1 are the constants. Nodes are leaves
(what the code reads: registers, inputs, masks of control bits, memories) and AND and XOR gates. Equal gates are one.
"""

from collections.abc import Sequence
from typing import Any

FALSE, TRUE = 0, 1


class Gates:
    """The nodes of one function. `gates[n]` is (kind, a, b) with literals a < b, or a leaf's description."""

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = [("false",)]
        self.known: dict[object, int] = {}
        self._leaves: set[int] = {0}

    def leaf(self, *what: object) -> int:
        key = ("leaf", *what)
        if key not in self.known:
            self.known[key] = len(self.nodes)
            self._leaves.add(len(self.nodes))
            self.nodes.append(what)
        return 2 * self.known[key]

    def is_leaf(self, node: int) -> bool:
        return node in self._leaves

    def _gate(self, kind: str, a: int, b: int) -> int:
        key = (kind, a, b)
        node = self.known.get(key)
        if node is None:
            node = self.known[key] = len(self.nodes)
            self.nodes.append(key)
        return 2 * node

    def has_xor(self, a: int, b: int) -> bool:
        a, b = a & ~1, b & ~1
        return ("xor", min(a, b), max(a, b)) in self.known

    def and_(self, a: int, b: int) -> int:
        if a > b:
            a, b = b, a
        if a == FALSE or a ^ 1 == b:
            return FALSE
        if a in (TRUE, b):
            return b
        return self._gate("and", a, b)

    def or_(self, a: int, b: int) -> int:
        return self.and_(a ^ 1, b ^ 1) ^ 1

    def xor(self, a: int, b: int) -> int:
        sign = (a ^ b) & 1
        a, b = a & ~1, b & ~1
        if a > b:
            a, b = b, a
        if a == b:
            return sign
        if a == FALSE:
            return b ^ sign
        return self._gate("xor", a, b) ^ sign

    def mux(self, select: int, one: int, zero: int) -> int:
        """`one` where `select` is 1, else `zero`."""
        if one == zero:
            return one
        if one ^ 1 == zero:
            return self.xor(select, zero)
        if select in (one, FALSE):
            return self.or_(select, zero) if select == one else zero
        if select == zero:
            return self.and_(select, one)
        if select ^ 1 == one:
            return self.and_(select ^ 1, zero)
        if select ^ 1 == zero:
            return self.or_(select ^ 1, one)
        return self.or_(self.and_(select, one), self.and_(select ^ 1, zero))

    def full_adder(self, a: int, b: int, c: int) -> tuple[int, int]:
        """Sum and carry of three bits, in five gates."""
        a, b, c = sorted((a, b, c), key=lambda literal: literal >> 1)
        if not self.has_xor(a, b):  # a pair that was added already costs a gate less
            if self.has_xor(a, c):
                b, c = c, b
            elif self.has_xor(b, c):
                a, c = c, a
        half = self.xor(a, b)
        known = half <= 1 or a <= 1 or b <= 1
        carry = self.mux(half, c, a) if known else self.or_(self.and_(a, b), self.and_(half, c))
        return self.xor(half, c), carry

    def add(self, a: Sequence[int], b: Sequence[int], carry: int = FALSE) -> list[int]:
        """a + b + carry, as wide as a; both have one width."""
        result = []
        for x, y in zip(a, b, strict=True):
            total, carry = self.full_adder(x, y, carry)
            result.append(total)
        return result

    def less(self, a: Sequence[int], b: Sequence[int], signed: bool) -> int:
        """a < b; both have one width."""
        a, b = list(a), list(b)
        if signed and a:
            a[-1], b[-1] = a[-1] ^ 1, b[-1] ^ 1
        below = FALSE
        for x, y in zip(a, b, strict=True):
            below = self.mux(self.xor(x, y), y, below)
        return below

    def all_of(self, literals: Sequence[int]) -> int:
        result = list(literals)
        while len(result) > 1:
            result = [
                self.and_(result[i], result[i + 1]) if i + 1 < len(result) else result[i]
                for i in range(0, len(result), 2)
            ]
        return result[0] if result else TRUE

    def any_of(self, literals: Sequence[int]) -> int:
        return self.all_of([literal ^ 1 for literal in literals]) ^ 1

    def parity(self, literals: Sequence[int]) -> int:
        result = FALSE
        for literal in literals:
            result = self.xor(result, literal)
        return result
