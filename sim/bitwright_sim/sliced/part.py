"""One part of a design, or a unit, from its data cells to C++ functions."""

from collections.abc import Callable, Sequence
from typing import Any

from bitwright_sim.sliced.control import check_clock, check_write_port, initial_words
from bitwright_sim.sliced.control_words import WordLookup, expression
from bitwright_sim.sliced.data_gates import DataGates, Driver
from bitwright_sim.sliced.emission import Emitter
from bitwright_sim.sliced.gates import FALSE, Gates
from bitwright_sim.sliced.netlist import Cell, Flat, UnsupportedError
from bitwright_sim.sliced.order import Action, ordered, reads
from bitwright_sim.sliced.part_pieces import Function, Memory, UnitShape, data_inputs, write_port
from bitwright_sim.sliced.taint import REGISTERS

_GROUP = 16  # bits of a register that move together


class Part:
    """Collects what a part computes; `functions` turns it into code once the control words are known.

    `kind_of(bit)` tells of a bit: "control", "own" (its driver is a data cell of this part), or "foreign".
    """

    def __init__(
        self,
        name: str,
        driver: dict[int, Driver],
        kind_of: Callable[[int], str],
        unit_of: Callable[[Cell], UnitShape],
        flat: Flat,
    ):
        self.name = name
        self.driver = driver
        self.kind_of = kind_of
        self.unit_of = unit_of
        self.initial = flat.initial
        self.data = DataGates(driver, self._leaf, lambda cell: initial_words(flat, cell))
        self.slots = 0
        self.slot_of: dict[int, int] = {}
        self.ones: list[int] = []
        self.temporaries = 0
        self.data_size = 0
        self.state = 0
        self.state_start: list[tuple[int, int]] = []
        self.imports: list[int] = []
        self.masks: list[int] = []  # control bits that are spread over frames
        self.control: set[int] = set()  # all control bits that this part reads
        self.registers: list[tuple[Cell, list[int]]] = []  # with the places that carry data
        self.memories: dict[str, Memory] = {}
        self.instances: list[tuple[Cell, UnitShape, int, int]] = []  # slot and state base
        self.resource_of: dict[Any, int] = {}  # of a register's slot or an instance's
        self._resources = 0
        self.exports: dict[int, int] = {}  # bit: place in T
        self._known: dict[object, int] = {}

    # ---- collecting

    def add_register(self, cell: Cell, places: list[int]) -> None:
        check_clock(cell)
        for place in places:
            bit = cell.connections["Q"][place]
            self.slot_of[bit] = self.slots
            if self.initial.get(bit):
                self.ones.append(self.slots)
            self.slots += 1
        self.registers.append((cell, places))

    def add_memory(self, cell: Cell, columns: list[int]) -> None:
        if cell.integer("RD_CLK_ENABLE") or cell.integer("OFFSET"):
            raise UnsupportedError(f"memory {cell.name} has a clocked read port or an offset")
        memory = Memory(cell, columns, self.data_size, cell.integer("SIZE"))
        memory.place = {column: k for k, column in enumerate(columns)}
        self.data_size += (memory.depth + 1) * len(columns)
        self.memories[cell.name] = memory

    def add_instance(self, cell: Cell) -> None:
        unit = self.unit_of(cell)
        for (port, index), slot in unit.outputs.items():
            bits = cell.connections.get(port, ())
            if index < len(bits):
                self.slot_of[bits[index]] = self.slots + slot
        self.instances.append((cell, unit, self.slots, self.state))
        self.ones += [self.slots + slot for slot in unit.ones]
        self.state_start += [(self.state + limb, value) for limb, value in unit.state_start]
        self.slots += unit.slots
        self.state += unit.state

    def _leaf(self, gates: Gates, bit: int) -> int | None:
        kind = self.kind_of(bit)
        if kind == "control":
            self.control.add(bit)
            return gates.leaf("M", bit)
        if kind == "foreign":
            if bit not in self._known:
                self._known[bit] = len(self.imports)
                self.imports.append(bit)
            return gates.leaf("I", self._known[bit])
        if kind == "none":
            return FALSE
        slot = self.slot_of.get(bit)
        if slot is not None:
            return gates.leaf("S", slot)
        cell, _, index = self.driver[bit]
        if cell.kind == "$mem_v2" and cell.name in self.memories:
            width, abits = cell.integer("WIDTH"), cell.integer("ABITS")
            port, column = divmod(index, width)
            address = cell.connections["RD_ADDR"][port * abits : (port + 1) * abits]
            self.control.update(b for b in address if b > 1)
            return gates.leaf("R", cell.name, port, self.memories[cell.name].place[column])
        if cell.kind in REGISTERS:
            raise AssertionError(f"register {cell.name} was not collected")
        return None

    def lower(self) -> None:
        """Lowers everything that is written, so that imports and control bits are known."""
        for cell, places in self.registers:
            for literal_bits in (cell.connections["D"],):
                self.data.values([literal_bits[place] for place in places])
            for port in ("EN", "SRST"):
                if port in cell.connections:
                    bit = cell.connections[port][0]
                    if self.kind_of(bit) in ("control", "none"):
                        self.control.add(bit)
                    else:
                        self.data.value(bit)
        for memory in self.memories.values():
            for number in range(memory.cell.integer("WR_PORTS")):
                data, enable, address = write_port(memory.cell, number, memory.columns)
                self.data.values(data)
                self.control.update(bit for bit in (*enable, *address) if bit > 1)
        for cell, unit, _, _ in self.instances:
            self.data.values(data_inputs(cell, unit))
            for port, _ in unit.control:
                self.control.update(bit for bit in cell.connections.get(port, ()) if bit > 1)

    def export(self, bit: int) -> None:
        """Makes the value of `bit` readable to others, in T."""
        if bit not in self.exports:
            self.data.value(bit)
            self.exports[bit] = self.new_slot()

    def new_slot(self) -> int:
        self.temporaries += 1
        return self.temporaries - 1

    # ---- code

    def prepare(self, words: WordLookup) -> None:
        """Takes the control words; from here on nothing more may be lowered."""
        self.words = words
        for node, what in enumerate(self.data.gates.nodes):
            if what[0] == "M" and self.data.gates.is_leaf(node):
                self.masks.append(what[1])
        where = {bit: ("", 0) if (found := words.get(bit)) is None else (found[0].name, found[1]) for bit in self.masks}
        self.masks.sort(key=lambda bit: where[bit])
        self.mask_of = {bit: k for k, bit in enumerate(self.masks)}
        self.actions = self._actions()
        gates = self.data.gates
        self.cones = reads(gates, self._resource_of_leaf)

    def update(self) -> list[Function]:
        """Functions that move the part over a clock edge, to be called in this order."""
        known = {self.data.value(bit): slot for bit, slot in self.exports.items()}
        return self._functions(ordered(self.actions, self.cones), "u", known)

    def store(self, bits: Sequence[int], slots: Sequence[int], known: dict[int, int]) -> list[Function]:
        """Functions that put the values of `bits` into T."""
        groups = []
        for bit, slot in zip(bits, slots, strict=True):
            groups.append([Action(literals=[self.data.value(bit)], resource=-1, write=_stored(f"T[{slot}]"))])
        return self._functions(groups, "e", known) if groups else []

    def _functions(self, groups: list[list[Action]], kind: str, known: dict[int, int]) -> list[Function]:
        if not groups:
            return []
        emitter = Emitter(self.data.gates, self._leaf_text, self._prelude, self.new_slot, known)
        return [Function.of(body, kind) for body in emitter.functions(groups)]

    def _resource_of_leaf(self, node: int) -> int:
        what = self.data.gates.nodes[node]
        if what[0] == "S":
            return self.resource_of.get(what[1], -1)
        if what[0] == "R":
            return self.resource_of[what[1]]
        return -1

    def _text(self, bits: Sequence[int]) -> str:
        return expression(self.words, bits)

    def _condition(self, cell: Cell, port: str) -> str:
        text = self._text(cell.connections[port][:1])
        return text if cell.integer(f"{port}_POLARITY", 1) else f"!{text}"

    def _resource(self, *keys: object) -> int:
        for key in keys:
            self.resource_of[key] = self._resources
        self._resources += 1
        return self._resources - 1

    def _actions(self) -> list[Action]:
        actions = []
        for cell, places in self.registers:
            for at in range(0, len(places), _GROUP):
                actions.append(self._register_action(cell, places[at : at + _GROUP]))
        actions += [self._memory_action(memory) for memory in self.memories.values()]
        actions += [self._instance_action(*instance) for instance in self.instances]
        return actions

    def _register_action(self, cell: Cell, places: list[int]) -> Action:
        gates, bits = self.data.gates, cell.connections
        q = [bits["Q"][place] for place in places]
        slots = [self.slot_of[bit] for bit in q]
        resource = self._resource(*slots)
        literals = self.data.values([bits["D"][place] for place in places])
        start = [cell.integer("SRST_VALUE") >> place & 1 for place in places]
        conditions = {}
        for port in ("EN", "SRST"):
            if port not in bits:
                continue
            if self.kind_of(bits[port][0]) in ("control", "none"):
                conditions[port] = self._condition(cell, port)
        data_enable = "EN" in bits and "EN" not in conditions
        data_reset = "SRST" in bits and "SRST" not in conditions
        if data_enable or data_reset:
            raise_if = cell.kind == "$sdffce" and data_enable != data_reset
            if raise_if or (data_reset and "EN" in conditions and cell.kind != "$sdffce"):
                raise UnsupportedError(f"register {cell.name} has a reset or enable of data beside one of control")
            literals = self._chosen(cell, literals, q, start, data_enable, data_reset)
        ones = [f"S[{slot}] = {'ONES' if value else 'ZERO'};" for slot, value in zip(slots, start, strict=True)]
        own = frozenset(gates.leaf("S", slot) >> 1 for slot in slots)
        return Action(
            literals=literals,
            resource=resource,
            write=lambda operands: [f"S[{slot}] = {text};" for slot, text in zip(slots, operands, strict=True)],
            reset=conditions.get("SRST", ""),
            enable=conditions.get("EN", ""),
            enable_first=cell.kind == "$sdffce" and len(conditions) == 2,
            start=tuple(ones) if "SRST" in conditions else (),
            own=own,
        )

    def _chosen(
        self, cell: Cell, literals: list[int], q: list[int], start: list[int], data_enable: bool, data_reset: bool
    ) -> list[int]:
        """What a register takes whose enable or reset depends on data: its own value where it is not enabled."""
        gates, bits = self.data.gates, cell.connections

        def signal(port: str) -> int:
            return self.data.value(bits[port][0]) ^ (not cell.integer(f"{port}_POLARITY", 1))

        def enabled(values: list[int]) -> list[int]:
            if not data_enable:
                return values
            return [gates.mux(signal("EN"), new, self.data.value(old)) for new, old in zip(values, q, strict=True)]

        def cleared(values: list[int]) -> list[int]:
            if not data_reset:
                return values
            return [gates.mux(signal("SRST"), value, new) for value, new in zip(start, values, strict=True)]

        return enabled(cleared(literals)) if cell.kind == "$sdffce" else cleared(enabled(literals))

    def _memory_action(self, memory: Memory) -> Action:
        cell, count = memory.cell, len(memory.columns)
        literals: list[int] = []
        ports = []
        for port in range(cell.integer("WR_PORTS")):
            data, enable, address = write_port(cell, port, memory.columns)
            if not any(enable):
                continue
            check_write_port(cell, port)
            if len(set(enable)) > 1:
                raise UnsupportedError(f"memory {cell.name} writes single bits of a word")
            ports.append((len(literals), self._text(enable[:1]), self._text(address)))
            literals += self.data.values(data)

        def write(operands: Sequence[str]) -> list[str]:
            lines = []
            for first, enable, address in ports:
                row = f"D + {memory.base} + ({address}) * {count}"
                lines.append(f"if ({enable} && ({address}) < {memory.depth}) {{ V* const m = {row};")
                lines += [f"m[{k}] = {text};" for k, text in enumerate(operands[first : first + count])]
                lines.append("}")
            return lines

        resource = self._resource(cell.name)
        own = frozenset(
            node
            for node, what in enumerate(self.data.gates.nodes)
            if what[0] == "R" and what[1] == cell.name and self.data.gates.is_leaf(node)
        )
        return Action(literals=literals, resource=resource, write=write, own=own)

    def _instance_action(self, cell: Cell, unit: UnitShape, base: int, state: int) -> Action:
        gates = self.data.gates
        resource = self._resource(*range(base, base + unit.slots))
        literals = self.data.values(data_inputs(cell, unit))
        scratch = self.temporaries
        self.temporaries += unit.temporaries
        places = []  # of the inputs, where all are registers of this part
        for literal in literals:
            what = gates.nodes[literal >> 1]
            if gates.is_leaf(literal >> 1) and what[0] == "S" and not literal & 1:
                places.append(what[1])
        contiguous = len(places) == len(literals) > 0 and all(
            place == places[0] + k and not base <= place < base + unit.slots for k, place in enumerate(places)
        )
        block = self._block(tuple(literals)) if not contiguous else 0
        limbs = ["0"] * unit.control_limbs
        for port, at in unit.control:
            bits = cell.connections.get(port, ())
            for k in range(0, len(bits), 64):
                limbs[at + k // 64] = self._text(bits[k : k + 64])
        lines = [f"const uint64_t u[] = {{{', '.join(limbs) or '0'}}};", "const uint64_t* const U[] = {u};"]
        x = f"S + {places[0]}" if contiguous else f"T + {block}"

        def write(operands: Sequence[str]) -> list[str]:
            copies = [] if contiguous else [f"T[{block + k}] = {text};" for k, text in enumerate(operands)]
            arguments = (f"S + {base}", f"T + {scratch}", "D", "I", "U", f"K + {state}", x)
            return [*copies, "{", *lines, *(function.call(*arguments) for function in unit.functions), "}"]

        return Action(literals=literals, resource=resource, write=write)

    def _block(self, literals: tuple[int, ...]) -> int:
        """A place in T for an instance's inputs; instances of equal inputs share one."""
        if ("block", literals) not in self._known:
            self._known["block", literals] = self.temporaries
            self.temporaries += len(literals)
        return self._known["block", literals]

    def _leaf_text(self, node: int) -> str:
        what = self.data.gates.nodes[node]
        kind = what[0]
        if kind == "S":
            return f"S[{what[1]}]"
        if kind == "I":
            return f"(*I[{what[1]}])"
        if kind == "X":
            return f"X[{what[1]}]"
        if kind == "M":
            return f"B(M[{self.mask_of[what[1]]}])"
        return f"{self._pointer(what[1], what[2])}[{what[3]}]"

    def _pointer(self, memory: str, port: int) -> str:
        return f"r{list(self.memories).index(memory)}_{port}"

    def _prelude(self, leaves: list[int]) -> list[str]:
        nodes = self.data.gates.nodes
        used = sorted(self.mask_of[nodes[leaf][1]] for leaf in leaves if nodes[leaf][0] == "M")
        lines = []
        if used:
            lines.append(f"alignas(64) uint32_t M[{len(self.masks) + 16}];")
            at = 0
            while at < len(used):
                length = 1
                while at + length < len(used) and length < 64 and used[at + length] == used[at] + length:
                    length += 1
                bits = self.masks[used[at] : used[at] + length]
                if length >= 4:
                    lines.append(f"expand(M + {used[at]}, {self._text(bits)}, {length});")
                else:
                    lines += [f"M[{used[at] + k}] = -(uint32_t)({self._text((bit,))});" for k, bit in enumerate(bits)]
                at += length
        for name, port in dict.fromkeys((nodes[leaf][1], nodes[leaf][2]) for leaf in leaves if nodes[leaf][0] == "R"):
            memory = self.memories[name]
            abits = memory.cell.integer("ABITS")
            address = self._text(memory.cell.connections["RD_ADDR"][port * abits : (port + 1) * abits])
            lines.append(
                f"const V* const {self._pointer(name, port)} = D + {memory.base} + "
                f"at_most({address}, {memory.depth}) * {len(memory.columns)};"
            )
        return lines


def _stored(place: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda operands: [f"{place} = {operands[0]};"]
