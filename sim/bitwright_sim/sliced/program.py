"""A design as a program: control functions, the functions of each part, and the order in which a cycle calls them."""

from dataclasses import dataclass, field

from bitwright_sim.sliced.control_words import ControlRom
from bitwright_sim.sliced.part import Part
from bitwright_sim.sliced.part_pieces import Function

Place = tuple[str, int]  # (array, index) of a vector: an array is "in", "zero", "ones", or "S0", "T3" of part 0, 3


@dataclass(slots=True)
class Observed:
    """Signals that the harness reads: `valid` a control bit's expression, `data` the place of each vector, and the
    functions (with the part of each) that fill those places."""

    valid: str
    data: list[Place]
    functions: list[tuple[int, Function]]


@dataclass(slots=True)
class Program:
    """Everything that is generated for a design, without what the harness adds."""

    parts: list[Part] = field(default_factory=list)
    words: dict[int, list[str]] = field(default_factory=dict)  # of a part: the control words that it reads
    imports: dict[int, list[Place]] = field(default_factory=dict)
    exports: list[tuple[int, Function]] = field(default_factory=list)
    updates: list[tuple[int, Function]] = field(default_factory=list)
    units: list[Function] = field(default_factory=list)
    control: list[str] = field(default_factory=list)  # texts of functions comb_0, comb_1, ...
    edge: list[str] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)  # control inputs: the first limb of each in `in`
    input_limbs: int = 0
    observed: list[Observed] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)  # control outputs as expressions
    register_limbs: int = 0
    comb_limbs: int = 0
    rom_limbs: int = 0
    roms: list[tuple[ControlRom, int]] = field(default_factory=list)
    register_start: list[tuple[int, int]] = field(default_factory=list)
    data_bits: int = 0
    start_rows: list[tuple[int, int, list[int]]] = field(default_factory=list)  # part, place in D, columns that are 1
