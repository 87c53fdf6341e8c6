"""From a netlist to a program: which cells are control, which are data of which part, and where each value lies."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from bitwright_sim.sliced.control import ControlCompiler, initial_words
from bitwright_sim.sliced.control_words import ControlCode, ControlRom, Naming, Word
from bitwright_sim.sliced.exports import export_levels
from bitwright_sim.sliced.needed import looked_up, needed_bits
from bitwright_sim.sliced.netlist import Cell, Source, UnsupportedError
from bitwright_sim.sliced.order import components
from bitwright_sim.sliced.part import Part
from bitwright_sim.sliced.part_pieces import Function, Memory, PartWords, UnitShape
from bitwright_sim.sliced.program import Observed, Place, Program
from bitwright_sim.sliced.taint import REGISTERS, tainted_bits
from bitwright_sim.sliced.units import Units

_CONTROL_LINES = 400  # of a control function


class _GlobalNaming(Naming):
    def __init__(self) -> None:
        super().__init__()
        self.rom_limbs = 0
        self.roms: list[tuple[ControlRom, int]] = []

    def memory(self, rom: ControlRom) -> str:
        at = self.rom_limbs
        self.roms.append((rom, at))
        self.rom_limbs += rom.limbs * rom.depth
        return f"(rom + {at})"


class NetlistCompiler:
    """Compiles one design. `observe` names (valid, data) pairs of signals; `data_in` the input that carries data,
    `clock` the clock; control outputs are those in `control_out`."""

    def __init__(
        self,
        source: Source,
        top: str,
        *,
        clock: str,
        data_in: str,
        control_out: Sequence[str],
        observe: Sequence[tuple[str, str]],
    ):
        self.source, self.top = source, top
        self.units = Units(source, top)
        names = [name for pair in observe for name in pair]
        while True:
            self.flat = source.flatten(top, self.units.kept, names=names)
            self.tainted = tainted_bits(self.flat, self.flat.ports[data_in], self.units.taint)
            wrong = {cell.kind for cell in self.flat.cells if cell.kind in self.units.kept and self._unfit(cell)}
            if not wrong:
                break
            for module in wrong:
                self.units.drop(module)
        self.clock = self.flat.ports[clock][0]
        self.data_in = self.flat.ports[data_in]
        self.observe = [(self._signal(valid), self._signal(data)) for valid, data in observe]
        self.control_out = control_out
        self._check_control(observe)
        self.driver: dict[int, tuple[Cell, str, int]] = {}
        for cell in self.flat.cells:
            for port in cell.outputs:
                for i, bit in enumerate(cell.connections.get(port, ())):
                    if bit > 1:
                        self.driver[bit] = (cell, port, i)
        self.program = Program(data_bits=len(self.data_in))
        self.part_index: dict[str, int] = {}
        self.input_words: dict[int, tuple[Word, int]] = {}

    def _signal(self, name: str) -> tuple[int, ...]:
        found = self.flat.ports.get(name) or self.flat.names.get(name)
        if found is None:
            raise UnsupportedError(f"it has no signal {name}")
        return found

    def _unfit(self, cell: Cell) -> bool:
        """An instance that is all control, or has outputs that are, is opened up."""
        flat = self.units.flat[cell.kind]
        bits = cell.connections
        if not any(bit in self.tainted for port in flat.inputs for bit in bits.get(port, ())):
            return True
        return any(
            bit not in self.tainted
            for port in flat.ports
            if port not in flat.inputs
            for bit in bits.get(port, ())
            if bit > 1
        )

    def _check_control(self, observe: Sequence[tuple[str, str]]) -> None:
        for name in self.control_out:
            if any(bit in self.tainted for bit in self.flat.ports[name]):
                raise UnsupportedError(f"data reaches the handshake signal {name}")
        for (valid, _), (bits, _) in zip(observe, self.observe, strict=True):
            if bits[0] in self.tainted:
                raise UnsupportedError(f"data reaches {valid}, which says when a value is there")
        for cell in self.flat.cells:
            if cell.kind in REGISTERS:
                clocks: tuple[int, ...] = cell.connections["CLK"]
            elif cell.kind == "$mem_v2":
                clocks = cell.connections["WR_CLK"] if cell.integer("WR_PORTS") else ()
            elif cell.kind in self.units.kept:
                clocks = cell.connections[self.units.clock[cell.kind]]
            else:
                continue
            ports = [bit for bit in clocks if bit != self.flat.ports["aclk"][0] and bit > 1]
            if ports:
                raise UnsupportedError(f"{cell.name} has a clock other than aclk")

    # ---- parts

    def compile(self) -> Program:
        self._make_parts()
        for _, data in self.observe:  # before anything is fixed: what is observed may ask for imports and control bits
            for owner, bit in self._homes(data):
                self.program.parts[owner].data.value(bit)
        self._settle_exports()
        control = self._compile_control()
        self._emit_parts(control)
        return self.program

    def _make_parts(self) -> None:
        needed = needed_bits((bit for _, data in self.observe for bit in data), self.tainted, self.driver)
        by_part: dict[str, list[Cell]] = defaultdict(list)
        for cell in self.flat.cells:
            outputs = (bit for port in cell.outputs for bit in cell.connections.get(port, ()))
            if any(bit in needed for bit in outputs):
                by_part[cell.part].append(cell)
        if not by_part:
            by_part[""] = []  # frames change nothing that is observed: a part alone for the control bits that are
        for name, cells in by_part.items():
            self.part_index[name] = len(self.program.parts)
            part = Part(name, self.driver, self._kind_of(name), self._unit_of, self.flat)
            self.program.parts.append(part)
            for cell in cells:
                if cell.kind in REGISTERS:
                    part.add_register(cell, [i for i, bit in enumerate(cell.connections["Q"]) if bit in needed])
                elif cell.kind == "$mem_v2" and not looked_up(cell, self.tainted):
                    width = cell.integer("WIDTH")
                    part.add_memory(
                        cell, sorted({i % width for i, bit in enumerate(cell.connections["RD_DATA"]) if bit in needed})
                    )
                elif cell.kind in self.units.kept:
                    part.add_instance(cell)
        for part in self.program.parts:
            part.lower()

    def _unit_of(self, cell: Cell) -> UnitShape:
        return self.units.shape_of(cell, self.tainted)

    def _kind_of(self, name: str) -> Callable[[int], str]:
        def kind(bit: int) -> str:
            if bit in self.tainted:
                driven = self.driver.get(bit)
                return "own" if driven is not None and driven[0].part == name else "foreign"
            if bit in self.driver or bit in self.inputs:
                return "control"
            return "none"

        self.inputs = {
            bit for port in self.flat.inputs for bit in self.flat.ports[port] if bit not in self.tainted and bit > 1
        }
        return kind

    def _owner(self, bit: int) -> int | None:
        """The part that drives a data bit; None for an input."""
        driven = self.driver.get(bit)
        return None if driven is None else self.part_index[driven[0].part]

    def _is_state(self, bit: int) -> bool:
        owner = self._owner(bit)
        return owner is not None and bit in self.program.parts[owner].slot_of

    def _settle_exports(self) -> None:
        """Which values parts give to others through T, and which stay where they are, in S."""
        parts = self.program.parts
        done: dict[int, int] = dict.fromkeys(range(len(parts)), 0)
        while any(done[k] < len(part.imports) for k, part in enumerate(parts)):
            for k, part in enumerate(parts):
                new, done[k] = part.imports[done[k] :], len(part.imports)
                for bit in new:
                    owner = self._owner(bit)
                    if owner is not None and not self._is_state(bit):
                        parts[owner].export(bit)
        # registers that are read from elsewhere are read before their part moves, or exported too
        before: list[list[int]] = [[] for _ in parts]
        for k, part in enumerate(parts):
            for bit in part.imports:
                owner = self._owner(bit)
                if owner is not None and self._is_state(bit) and owner != k:
                    before[owner].append(k)
        self.order = []
        for group in components(before):
            members = set(group)
            if len(group) > 1:
                for k in group:
                    for bit in parts[k].imports:
                        owner = self._owner(bit)
                        if owner in members and self._is_state(bit):
                            parts[owner].export(bit)
            self.order += group

    # ---- control

    def _compile_control(self) -> ControlCode:
        program = self.program
        limbs = 0
        for port in self.flat.inputs:
            bits = self.flat.ports[port]
            if bits == self.data_in or bits[0] == self.clock:
                continue
            word = Word(f"(in + {limbs})", len(bits), True)
            program.inputs[port] = limbs
            self.input_words.update({bit: (word, i) for i, bit in enumerate(bits) if bit > 1})
            limbs += word.limbs
        program.input_limbs = limbs
        needed = {bit for part in program.parts for bit in part.control}
        needed |= {bit for name in self.control_out for bit in self.flat.ports[name]}
        needed |= {valid[0] for valid, _ in self.observe}
        needed |= {bit for _, data in self.observe for bit in data if bit not in self.tainted}
        naming = _GlobalNaming()
        self.control = ControlCompiler(self.flat, self.tainted, naming, self.input_words)
        code = self.control.compile(sorted(needed))
        program.register_limbs, program.comb_limbs = naming.registers, naming.limbs
        program.rom_limbs, program.roms = naming.rom_limbs, naming.roms
        for word, initial in code.registers:
            at = int(re.findall(r"\d+", word.name)[0])
            for limb in range(word.limbs):
                if value := initial >> 64 * limb & (1 << 64) - 1:
                    program.register_start.append((at + limb, value))
        for lines, texts in ((code.comb, program.control), (code.edge, program.edge)):
            for at in range(0, len(lines), _CONTROL_LINES):
                texts.append("\n".join("    " + line for line in lines[at : at + _CONTROL_LINES]))
        program.outputs = {name: self.control.text.run(self.flat.ports[name]) for name in self.control_out}
        return code

    # ---- code of the parts

    def _emit_parts(self, control: ControlCode) -> None:
        program = self.program
        imported = []
        for part in program.parts:
            imported.append(PartWords(control.words))
            part.prepare(imported[-1])
        for k, bits in export_levels(program.parts, self._is_state):
            part = program.parts[k]
            program.exports += [(k, f) for f in part.store(bits, [part.exports[bit] for bit in bits], {})]
        for valid, data in self.observe:
            program.observed.append(self._observed(valid[0], data))
        for k in self.order:
            program.updates += [(k, function) for function in program.parts[k].update()]
        for k, part in enumerate(program.parts):
            program.words[k] = imported[k].order
            program.imports[k] = [self._place(bit) for bit in part.imports]
            for memory in part.memories.values():
                self._start_rows(k, memory)
        seen: dict[str, Function] = {}
        for shape in self.units.shapes.values():
            seen.update({function.name: function for function in shape.functions})
        program.units = list(seen.values())

    def _start_rows(self, k: int, memory: Memory) -> None:
        width = len(memory.columns)
        for address, word in initial_words(self.flat, memory.cell).items():
            ones = [c for c, column in enumerate(memory.columns) if word >> column & 1]
            if ones and address < memory.depth:
                self.program.start_rows.append((k, memory.base + address * width, ones))

    def _place(self, bit: int) -> Place:
        owner = self._owner(bit)
        if owner is None:
            return ("in", self.data_in.index(bit))
        part = self.program.parts[owner]
        if bit in part.exports:
            return (f"T{owner}", part.exports[bit])
        return (f"S{owner}", part.slot_of[bit])

    def _homes(self, data: Sequence[int]) -> list[tuple[int, int]]:
        """The part in which each observed bit is found: that of its driver, for control bits that of another."""
        owners = [self._owner(bit) if bit in self.tainted else None for bit in data]
        home = next((owner for owner in owners if owner is not None), 0)
        return [
            (home if owner is None else owner, bit)
            for owner, bit in zip(owners, data, strict=True)
            if bit > 1 and not (bit in self.tainted and owner is None)
        ]

    def _observed(self, valid: int, data: Sequence[int]) -> Observed:
        """Where the bits lie, and what fills those places that are made for the observer alone."""
        places: list[Place | None] = []
        fill: dict[int, list[tuple[int, int]]] = defaultdict(list)
        home_of = {bit: owner for owner, bit in self._homes(data)}
        for bit in data:
            if bit < 2:
                places.append(("ones" if bit else "zero", 0))
                continue
            owner = home_of.get(bit)
            if owner is None:
                places.append(self._place(bit))
                continue
            part = self.program.parts[owner]
            if bit in self.tainted and (self._is_state(bit) or bit in part.exports):
                places.append(self._place(bit))
                continue
            slot = part.new_slot()
            fill[owner].append((bit, slot))
            places.append((f"T{owner}", slot))
        functions = []
        for number, pairs in fill.items():
            part = self.program.parts[number]
            known = {part.data.value(bit): slot for bit, slot in part.exports.items()}
            found = part.store([bit for bit, _ in pairs], [slot for _, slot in pairs], known)
            functions += [(number, function) for function in found]
        return Observed(self.control.text.bit(valid), [place for place in places if place is not None], functions)
