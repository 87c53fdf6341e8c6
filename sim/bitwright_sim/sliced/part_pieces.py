"""What a part is made of and gives: functions, memories, units that it instantiates, and the words that it reads."""

from dataclasses import dataclass, field
from hashlib import sha256

from bitwright_sim.sliced.control_words import Word, WordLookup
from bitwright_sim.sliced.emission import ARGUMENTS
from bitwright_sim.sliced.netlist import Cell


@dataclass(frozen=True, slots=True)
class Function:
    """A C++ function with a name made of its text."""

    name: str
    text: str

    @staticmethod
    def of(body: str, kind: str) -> "Function":
        name = f"{kind}_{sha256(body.encode()).hexdigest()[:20]}"
        return Function(name, f'extern "C" void {name}({ARGUMENTS}) {{\n{body}\n}}\n')

    def call(self, *arguments: str) -> str:
        return f"{self.name}({', '.join(arguments)});"


@dataclass(frozen=True, slots=True)
class UnitShape:
    """A unit as the parts see it that instantiate it."""

    functions: tuple[Function, ...]
    inputs: tuple[tuple[str, int], ...]  # data inputs, in the order of X
    control: tuple[tuple[str, int], ...]  # control inputs and the limb at which each begins
    control_limbs: int
    outputs: dict[tuple[str, int], int]  # data outputs: the slot of each
    slots: int
    temporaries: int
    state: int  # limbs of K
    ones: tuple[int, ...]  # slots that start as ones
    state_start: tuple[tuple[int, int], ...]  # limbs of K that do not start as 0


@dataclass(slots=True)
class Memory:
    cell: Cell
    columns: list[int]  # of a word, those that carry data
    base: int  # in D
    depth: int
    place: dict[int, int] = field(default_factory=dict)


def write_port(cell: Cell, port: int, columns: list[int]) -> tuple[list[int], list[int], tuple[int, ...]]:
    """The data and enable bits of the columns, and the address, of a write port."""
    width, abits = cell.integer("WIDTH"), cell.integer("ABITS")
    data = cell.connections["WR_DATA"][port * width : (port + 1) * width]
    enable = cell.connections["WR_EN"][port * width : (port + 1) * width]
    address = cell.connections["WR_ADDR"][port * abits : (port + 1) * abits]
    return [data[c] for c in columns], [enable[c] for c in columns], address


def data_inputs(cell: Cell, unit: UnitShape) -> list[int]:
    bits = cell.connections
    return [bits[port][index] if index < len(bits.get(port, ())) else 0 for port, index in unit.inputs]


class PartWords:
    """Control words as a part reads them: by the pointers C, numbered in the order in which it first reads each."""

    def __init__(self, words: WordLookup):
        self.words = words
        self.names: dict[str, Word] = {}
        self.order: list[str] = []

    def get(self, bit: int, /) -> tuple[Word, int] | None:
        found = self.words.get(bit)
        if found is None:
            return None
        word, place = found
        if word.name not in self.names:
            self.names[word.name] = Word(f"C[{len(self.order)}]", word.width, True)
            self.order.append(word.name)
        return self.names[word.name], place
