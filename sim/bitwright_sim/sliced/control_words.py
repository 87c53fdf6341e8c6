"""The words in which control lives: their places in C++, expressions of their bits, and the code made of them.

A word is an output of a cell: limbs of 64 bits, upper bits zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

MASK = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class Word:
    """An output of a cell: `name` is a C++ lvalue of a single limb, or an array of limbs."""

    name: str
    width: int
    array: bool  # whether `name` is an array, also of one limb

    @property
    def limbs(self) -> int:
        return max(1, -(-self.width // 64))

    def limb(self, index: int) -> str:
        return f"{self.name}[{index}]" if self.array else self.name


@dataclass(slots=True, eq=False)
class ControlRom:
    """Contents of a memory of control words."""

    name: str
    width: int
    depth: int
    words: dict[int, int]

    @property
    def limbs(self) -> int:
        return max(1, -(-self.width // 64))


@dataclass(slots=True, eq=False)
class ControlCode:
    """Statements of C++: `comb` in order, then `edge` at the clock edge; then registers take their values."""

    words: dict[int, tuple[Word, int]] = field(default_factory=dict)  # bit: its word and place
    comb: list[str] = field(default_factory=list)
    edge: list[str] = field(default_factory=list)
    registers: list[tuple[Word, int]] = field(default_factory=list)  # with their initial values
    memories: list[ControlRom] = field(default_factory=list)


class Naming:
    """Where words lie. This one numbers limbs of arrays `w` (and `next`, for registers); subclasses do otherwise."""

    def __init__(self) -> None:
        self.registers = 0
        self.limbs = 0

    def register(self, width: int) -> tuple[Word, Word]:
        at, limbs = self.registers, max(1, -(-width // 64))
        self.registers += limbs
        return Word(f"(w + {at})", width, True), Word(f"(next + {at})", width, True)

    def comb(self, width: int) -> tuple[Word, str]:
        """The word, and its declaration (none for one that lives on)."""
        at, limbs = self.limbs, max(1, -(-width // 64))
        self.limbs += limbs
        return Word(f"(c + {at})", width, True), ""

    def memory(self, rom: ControlRom) -> str:
        raise NotImplementedError


class WordLookup(Protocol):
    """Looks up the word that holds a bit, and the bit's place in it; None for a bit that is 0."""

    def get(self, bit: int, /) -> tuple[Word, int] | None: ...


def expression(words: WordLookup, bits: Sequence[int]) -> str:
    """A C++ expression of at most 64 bits of `words`."""
    terms: list[str] = []
    constant = at = 0
    while at < len(bits):
        found = words.get(bits[at]) if bits[at] > 1 else None
        if found is None:
            constant |= (1 if bits[at] == 1 else 0) << at
            at += 1
            continue
        word, place = found
        length = 1
        while at + length < len(bits) and (place + length) % 64:
            if words.get(bits[at + length]) != (word, place + length):
                break
            length += 1
        term = word.limb(place // 64)
        if place % 64:
            term = f"({term} >> {place % 64})"
        if place % 64 + length < min(64, word.width - place // 64 * 64):
            term = f"({term} & {(1 << length) - 1:#x}ull)"
        if at:
            term = f"({term} << {at})"
        terms.append(term)
        at += length
    if constant or not terms:
        terms.append(f"{constant:#x}ull")
    return terms[0] if len(terms) == 1 else "(" + " | ".join(terms) + ")"
