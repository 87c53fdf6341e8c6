"""Modules that are instantiated often, compiled once: their outputs are registers, so that one call moves an instance.

A unit is compiled for a set of inputs that carry data; instances with another set are another shape of it.
"""

from collections.abc import Callable

from bitwright_sim.sliced.control import ControlCompiler
from bitwright_sim.sliced.control_words import ControlCode, ControlRom, Naming, Word
from bitwright_sim.sliced.gates import Gates
from bitwright_sim.sliced.netlist import Cell, Flat, Source, UnsupportedError
from bitwright_sim.sliced.part import Part
from bitwright_sim.sliced.part_pieces import Function, UnitShape
from bitwright_sim.sliced.taint import REGISTERS, tainted_bits

_CELLS = 12  # a module of fewer cells is not worth a call
Inputs = frozenset[tuple[str, int]]


class _UnitNaming(Naming):
    """All words of a unit lie in the instance's K; its tables are constants of the code."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[str] = []

    def memory(self, rom: ControlRom) -> str:
        values = []
        for address in range(rom.depth):
            word = rom.words.get(address, 0)
            values += [f"{word >> 64 * limb & (1 << 64) - 1:#x}ull" for limb in range(rom.limbs)]
        self.tables.append(f"static const uint64_t t{len(self.tables)}[] = {{{', '.join(values)}}};")
        return f"t{len(self.tables) - 1}"


class Units:
    """The units of a design, compiled on demand."""

    def __init__(self, source: Source, top: str):
        self.source = source
        self.flat: dict[str, Flat] = {}
        self.clock: dict[str, str] = {}
        self.shapes: dict[tuple[str, Inputs], UnitShape] = {}
        self._taints: dict[tuple[str, Inputs], tuple[set[int], Inputs]] = {}
        for module, count in source.instances.items():
            if count > 1 and module != top and self._fits(module):
                self.flat[module] = self._opened(module)

    def _opened(self, module: str) -> Flat:
        return self.source.flatten(module)

    def _fits(self, module: str) -> bool:
        """Whether every output is a register's or a constant, all registers have one clock, and there is no memory."""
        try:
            flat = self._opened(module)
        except UnsupportedError:
            return False
        if len(flat.cells) < _CELLS or any(cell.kind == "$mem_v2" for cell in flat.cells):
            return False
        clocks = {cell.connections["CLK"] for cell in flat.cells if cell.kind in REGISTERS}
        held = {bit for cell in flat.cells if cell.kind in REGISTERS for bit in cell.connections["Q"]}
        ports = {bits: name for name, bits in flat.ports.items()}
        if len(clocks) != 1 or (clock := next(iter(clocks))) not in ports:
            return False
        self.clock[module] = ports[clock]
        outputs = (bits for name, bits in flat.ports.items() if name not in flat.inputs)
        return all(bit < 2 or bit in held for bits in outputs for bit in bits)

    def drop(self, module: str) -> None:
        del self.flat[module]

    @property
    def kept(self) -> frozenset[str]:
        return frozenset(self.flat)

    def taint(self, module: str, inputs: Inputs) -> Inputs:
        """The output bits that data of `inputs` reach."""
        return self._taint(module, inputs)[1]

    def _taint(self, module: str, inputs: Inputs) -> tuple[set[int], Inputs]:
        key = (module, inputs)
        if key not in self._taints:
            flat = self.flat[module]
            tainted = tainted_bits(flat, (flat.ports[port][i] for port, i in inputs), lambda *_: frozenset())
            outputs = frozenset(
                (port, i)
                for port, bits in flat.ports.items()
                if port not in flat.inputs
                for i, bit in enumerate(bits)
                if bit in tainted
            )
            self._taints[key] = tainted, outputs
        return self._taints[key]

    def shape_of(self, cell: Cell, tainted: set[int]) -> UnitShape:
        """The compiled unit of an instance, for the bits that carry data around it."""
        inputs = frozenset(
            (port, i)
            for port in self.flat[cell.kind].inputs
            for i, bit in enumerate(cell.connections.get(port, ()))
            if bit in tainted
        )
        key = (cell.kind, inputs)
        if key not in self.shapes:
            self.shapes[key] = self._compile(cell.kind, inputs)
        return self.shapes[key]

    def _compile(self, module: str, inputs: Inputs) -> UnitShape:
        flat = self.flat[module]
        tainted, outputs = self._taint(module, inputs)
        driver = {
            bit: (cell, port, i)
            for cell in flat.cells
            for port in cell.outputs
            for i, bit in enumerate(cell.connections.get(port, ()))
            if bit > 1
        }
        data_inputs = tuple(
            (port, i) for port in flat.inputs for i in range(len(flat.ports[port])) if (port, i) in inputs
        )
        place = {flat.ports[port][i]: k for k, (port, i) in enumerate(data_inputs)}
        control_of, control_ports, limbs = self._control(module, tainted)

        def kind_of(bit: int) -> str:
            if bit in place:
                return "input"
            if bit in tainted:
                return "own"
            return "control" if bit in driver or bit in control_of else "none"

        part = _UnitPart(module, driver, kind_of, place, flat)
        for cell in flat.cells:
            if cell.kind in REGISTERS:
                places = [i for i, bit in enumerate(cell.connections["Q"]) if bit in tainted]
                if places:
                    part.add_register(cell, places)
        part.lower()
        naming = _UnitNaming()
        compiler = ControlCompiler(flat, tainted, naming, control_of)
        code = compiler.compile(part.control)
        part.prepare(code.words)
        return UnitShape(
            functions=_functions(part.bodies(), code, naming),
            inputs=data_inputs,
            control=control_ports,
            control_limbs=limbs,
            outputs={(port, i): part.slot_of[flat.ports[port][i]] for port, i in outputs},
            slots=part.slots,
            temporaries=part.temporaries,
            state=2 * naming.registers + naming.limbs,
            ones=tuple(part.ones),
            state_start=_start(code),
        )

    def _control(
        self, module: str, tainted: set[int]
    ) -> tuple[dict[int, tuple[Word, int]], tuple[tuple[str, int], ...], int]:
        """Where each bit of the inputs that are control lies; these ports, each with its first limb; all limbs."""
        control_of: dict[int, tuple[Word, int]] = {}
        control_ports: list[tuple[str, int]] = []
        limbs = 0
        flat = self.flat[module]
        for port in flat.inputs:
            bits = flat.ports[port]
            if any(bit not in tainted for bit in bits) and port != self.clock[module]:
                control_ports.append((port, limbs))
                word = Word(f"(C[0] + {limbs})", len(bits), True)
                control_of.update({bit: (word, i) for i, bit in enumerate(bits) if bit not in tainted})
                limbs += word.limbs
        return control_of, tuple(control_ports), limbs


def _functions(bodies: list[str], code: ControlCode, naming: "_UnitNaming") -> tuple[Function, ...]:
    """The unit's functions: before the first its control's words are made, behind the last comes the clock edge."""
    registers = naming.registers
    prelude = [
        *naming.tables,
        "uint64_t* const w = K; (void)w;",
        f"uint64_t* const next = K + {registers}; (void)next;",
        f"uint64_t* const c = K + {2 * registers}; (void)c;",
    ]
    head = "\n".join("    " + line for line in prelude)
    comb = "\n".join("    " + line for line in code.comb)
    edge = "\n".join("    " + line for line in [*code.edge, f"memcpy(w, next, {8 * registers});"])
    bodies[0] = comb + "\n" + bodies[0]
    bodies[-1] += "\n" + edge
    return tuple(Function.of(head + "\n" + body, "r") for body in bodies)


def _start(code: ControlCode) -> tuple[tuple[int, int], ...]:
    """Limbs of registers that do not start at 0, with their values."""
    start = []
    at = 0
    for word, initial in code.registers:
        for limb in range(word.limbs):
            if value := initial >> 64 * limb & (1 << 64) - 1:
                start.append((at + limb, value))
        at += word.limbs
    return tuple(start)


class _UnitPart(Part):
    """A unit's data: inputs come from X, and there is nothing foreign."""

    def __init__(
        self,
        name: str,
        driver: dict[int, tuple[Cell, str, int]],
        kind_of: Callable[[int], str],
        place: dict[int, int],
        flat: Flat,
    ):
        super().__init__(name, driver, kind_of, lambda _: _no_units(), flat)
        self.place = place

    def _leaf(self, gates: Gates, bit: int) -> int | None:
        if self.kind_of(bit) == "input":
            return gates.leaf("X", self.place[bit])
        return super()._leaf(gates, bit)

    def bodies(self) -> list[str]:
        from bitwright_sim.sliced.emission import Emitter
        from bitwright_sim.sliced.order import ordered

        emitter = Emitter(self.data.gates, self._leaf_text, self._prelude, self.new_slot, {})
        return emitter.functions(ordered(self.actions, self.cones)) or [""]


def _no_units() -> UnitShape:
    raise UnsupportedError("a unit holds another")
