"""Control as C++: scalar words, evaluated once a cycle for all frames.

A cell's output is a word of 64-bit limbs, its upper bits zero. Registers are evaluated into `next` and move at the
clock edge. Bits that carry data read as 0 here, which no control bit depends on.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from bitwright_sim.sliced.control_words import MASK, ControlCode, ControlRom, Naming, Word, expression
from bitwright_sim.sliced.netlist import VENDOR, Cell, Flat, UnsupportedError
from bitwright_sim.sliced.taint import BITWISE, REGISTERS, extended
from bitwright_sim.sliced.vendor import lut_tables


class ControlCompiler:
    """Turns the control cells that `needed` bits depend on into statements."""

    def __init__(self, flat: Flat, tainted: set[int], naming: Naming, inputs: dict[int, tuple[Word, int]]):
        self.flat = flat
        self.tainted = tainted
        self.naming = naming
        self.code = ControlCode(words=dict(inputs))
        self.driver: dict[int, Cell] = {}
        for cell in flat.cells:
            for port in cell.outputs:
                for bit in cell.connections.get(port, ()):
                    if bit > 1 and bit not in tainted:
                        self.driver[bit] = cell
        self._merge_luts()

    # ---- which cells

    def _merge_luts(self) -> None:
        """Control LUTs of the same inputs become one ROM, multiplexers of one select one wide multiplexer."""
        groups: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)  # inputs: (output bit, table)
        muxes: dict[tuple[str, int], list[Cell]] = defaultdict(list)
        for cell in dict.fromkeys(self.driver.values()):
            if cell.kind in ("MUXF7", "MUXF8"):
                muxes[cell.kind, cell.connections["S"][0]].append(cell)
            elif cell.kind in VENDOR and cell.kind != "CARRY4":
                inputs, tables = lut_tables(cell)
                for port, table in tables.items():
                    for bit in cell.connections.get(port, ()):
                        groups[inputs].append((bit, table))
        for inputs, outputs in groups.items():
            y = tuple(bit for bit, _ in outputs)
            words = {
                row: sum((table >> row & 1) << i for i, (_, table) in enumerate(outputs))
                for row in range(1 << len(inputs))
            }
            self._replace(Cell("rom", "", f"luts of {inputs}", {"words": words}, {"A": inputs, "Y": y}, ("Y",)))
        for (_, select), cells in muxes.items():
            a = tuple(cell.connections["I0"][0] for cell in cells)
            b = tuple(cell.connections["I1"][0] for cell in cells)
            y = tuple(cell.connections["O"][0] for cell in cells)
            if set(y) & {*a, *b, select}:
                continue
            connections = {"A": a, "B": b, "S": (select,), "Y": y}
            self._replace(Cell("$mux", "", f"multiplexers of {select}", {}, connections, ("Y",)))

    def _replace(self, cell: Cell) -> None:
        for bit in cell.connections["Y"]:
            if bit in self.driver:
                self.driver[bit] = cell

    def _inputs(self, cell: Cell) -> Iterable[int]:
        for port, bits in cell.connections.items():
            if port not in cell.outputs:
                yield from bits

    def compile(self, needed: Iterable[int]) -> ControlCode:
        """Code for the `needed` bits. Raises UnsupportedError for a cell that it does not know, or a loop."""
        cells: dict[int, Cell] = {}
        todo = [bit for bit in needed if bit > 1]
        seen: set[int] = set()
        while todo:
            bit = todo.pop()
            if bit in seen or bit < 2 or bit in self.code.words or bit in self.tainted:
                continue
            seen.add(bit)
            cell = self.driver.get(bit)
            if cell is None or id(cell) in cells:
                continue  # a net without a driver is 0
            cells[id(cell)] = cell
            todo.extend(self._inputs(cell))
        chosen = list(cells.values())
        for cell in chosen:
            if cell.kind in REGISTERS:
                self._register(cell)
        nodes = [node for cell in chosen if cell.kind not in REGISTERS for node in self._nodes(cell)]
        for node in self._ordered(nodes):
            self._emit(node)
        for cell in chosen:
            if cell.kind in REGISTERS:
                self._register_next(cell)
            elif cell.kind == "$mem_v2":
                self._writes(cell)
        return self.code

    def _nodes(self, cell: Cell) -> list[Cell]:
        """A memory's read ports are nodes of their own."""
        if cell.kind != "$mem_v2":
            return [cell]
        rom = self._memory(cell)
        width, abits = cell.integer("WIDTH"), cell.integer("ABITS")
        if cell.integer("RD_CLK_ENABLE"):
            raise UnsupportedError(f"memory {cell.name} has a clocked read port")
        nodes = []
        for port in range(cell.integer("RD_PORTS")):
            data = cell.connections["RD_DATA"][port * width : (port + 1) * width]
            address = cell.connections["RD_ADDR"][port * abits : (port + 1) * abits]
            if any(bit in self.driver for bit in data):
                connections = {"A": address, "Y": data}
                nodes.append(Cell("read", cell.part, cell.name, {"memory": rom}, connections, ("Y",)))
        return nodes

    def _memory(self, cell: Cell) -> ControlRom:
        offset, width = cell.integer("OFFSET"), cell.integer("WIDTH")
        if offset:
            raise UnsupportedError(f"memory {cell.name} does not begin at address 0")
        rom = ControlRom("", width, cell.integer("SIZE"), initial_words(self.flat, cell))
        rom.name = self.naming.memory(rom)
        self.code.memories.append(rom)
        self._roms = getattr(self, "_roms", {})
        self._roms[cell.name] = rom
        return rom

    def _ordered(self, nodes: list[Cell]) -> list[Cell]:
        """The nodes, each behind those that it reads; words of bitwise cells are split where they seem a loop."""
        while True:
            made = {bit: node for node in nodes for bit in node.connections["Y" if "Y" in node.connections else "O"]}
            for node in nodes:
                for port in node.outputs:
                    made.update(dict.fromkeys(node.connections.get(port, ()), node))
            order, loop = _topological(nodes, made, self._inputs)
            if not loop:
                return order
            split = [
                node for node in loop if node.kind in (*BITWISE, "$mux", "$pmux") and len(node.connections["Y"]) > 1
            ]
            if not split:
                raise UnsupportedError(f"its control has a loop of gates through {loop[0].name}")
            doomed = set(map(id, split))
            nodes = [node for node in nodes if id(node) not in doomed] + [
                bit for node in split for bit in _by_bits(node)
            ]

    # ---- expressions

    def run(self, bits: Sequence[int]) -> str:
        """A C++ expression of at most 64 bits."""
        return expression(self.code.words, bits)

    def limbs(self, bits: Sequence[int]) -> list[str]:
        return [self.run(bits[at : at + 64]) for at in range(0, max(1, len(bits)), 64)]

    def bit(self, bit: int) -> str:
        return self.run((bit,))

    # ---- statements

    def _new(self, bits: Sequence[int]) -> Word:
        word, declaration = self.naming.comb(len(bits))
        if declaration:
            self.code.comb.append(declaration)
        for place, bit in enumerate(bits):
            if bit > 1 and bit not in self.tainted:
                self.code.words.setdefault(bit, (word, place))
        return word

    def _emit(self, node: Cell) -> None:
        kind, bits = node.kind, node.connections
        out = self.code.comb
        if kind == "CARRY4":
            self._carry(node)
            return
        y = bits["Y"]
        if kind in ("rom", "read"):
            rom = node.parameters.get("memory")
            if rom is None:
                rom = ControlRom("", len(y), 1 << len(bits["A"]), node.parameters["words"])
                rom.name = self.naming.memory(rom)
                self.code.memories.append(rom)
            address = self.run(bits["A"])
            word = self._new(y)
            guard = rom.depth < 1 << len(bits["A"])
            for i in range(word.limbs):
                value = f"{rom.name}[({address}) * {rom.limbs} + {i}]" if len(bits["A"]) else f"{rom.name}[{i}]"
                out.append(f"{word.limb(i)} = {f'({address}) < {rom.depth} ? {value} : 0' if guard else value};")
            return
        values = self._values(node)
        word = self._new(y)
        out.extend(f"{word.limb(i)} = {value};" for i, value in enumerate(values))

    def _carry(self, node: Cell) -> None:
        bits = node.connections
        carry = " | ".join(self.bit(bits[port][0]) for port in ("CI", "CYINIT") if port in bits)
        select, other = self.run(bits["S"]), self.run(bits["DI"])
        outputs = self._new((*bits.get("O", (0,) * 4), *bits.get("CO", (0,) * 4)))
        self.code.comb.append(f"{outputs.limb(0)} = carry4({carry}, {other}, {select});")

    def _operand(self, node: Cell, port: str, width: int) -> tuple[int, ...]:
        return extended(node.connections[port], width, bool(node.integer(f"{port}_SIGNED")))

    def _values(self, node: Cell) -> list[str]:
        """The limbs of a cell's output."""
        kind, bits = node.kind, node.connections
        y = bits["Y"]
        width = len(y)
        last = (1 << ((width - 1) % 64 + 1)) - 1

        def masked(values: list[str]) -> list[str]:
            return [*values[:-1], values[-1] if last == MASK else f"({values[-1]}) & {last:#x}ull"]

        if kind in BITWISE:
            a = self.limbs(self._operand(node, "A", width))
            if kind == "$pos":
                return a
            if kind == "$not":
                return masked([f"~{x}" for x in a])
            b = self.limbs(self._operand(node, "B", width))
            sign = {"$and": "&", "$or": "|", "$xor": "^", "$xnor": "^"}[kind]
            values = [f"{x} {sign} {z}" for x, z in zip(a, b, strict=True)]
            return masked([f"~({value})" for value in values]) if kind == "$xnor" else values
        if kind == "$mux":
            select = self.bit(bits["S"][0])
            return [f"{select} ? {b} : {a}" for a, b in zip(self.limbs(bits["A"]), self.limbs(bits["B"]), strict=True)]
        if kind == "$pmux":
            values = self.limbs(bits["A"])
            for k in reversed(range(len(bits["S"]))):
                select, b = self.bit(bits["S"][k]), self.limbs(bits["B"][k * width : (k + 1) * width])
                values = [f"({select} ? {x} : {value})" for x, value in zip(b, values, strict=True)]
            return values
        if kind in ("$reduce_or", "$reduce_bool", "$logic_not"):
            some = " | ".join(self.limbs(bits["A"]))
            return [f"({some}) {'==' if kind == '$logic_not' else '!='} 0"]
        if kind == "$reduce_and":
            size = len(bits["A"])
            every = [f"{x} == {(1 << min(64, size - 64 * i)) - 1:#x}ull" for i, x in enumerate(self.limbs(bits["A"]))]
            return [" && ".join(every)]
        if kind in ("$reduce_xor", "$reduce_xnor"):
            parity = f"__builtin_parityll({' ^ '.join(self.limbs(bits['A']))})"
            return [parity if kind == "$reduce_xor" else f"!{parity}"]
        if kind in ("$logic_and", "$logic_or"):
            some, other = (" | ".join(self.limbs(bits[port])) for port in "AB")
            return [f"(({some}) != 0) {'&&' if kind == '$logic_and' else '||'} (({other}) != 0)"]
        if kind in ("$eq", "$ne", "$eqx", "$nex"):
            size = max(len(bits["A"]), len(bits["B"]))
            a, b = (self.limbs(self._both_signed(node, port, size)) for port in "AB")
            differ = " || ".join(f"{x} != {z}" for x, z in zip(a, b, strict=True))
            return [differ if kind in ("$ne", "$nex") else f"!({differ})"]
        return self._arithmetic(node, masked)

    def _both_signed(self, node: Cell, port: str, width: int) -> tuple[int, ...]:
        """An operand of a comparison: signed only if both are."""
        signed = bool(node.integer("A_SIGNED") and node.integer("B_SIGNED"))
        return extended(node.connections[port], width, signed)

    def _arithmetic(self, node: Cell, masked: Callable[[list[str]], list[str]]) -> list[str]:
        kind, bits = node.kind, node.connections
        width = len(bits["Y"])
        if kind in ("$lt", "$le", "$gt", "$ge"):
            size = max(len(bits["A"]), len(bits["B"]))
            signed = bool(node.integer("A_SIGNED") and node.integer("B_SIGNED"))
            if size > 64:
                raise UnsupportedError(f"its control compares {size} bits ({node.name})")
            a, b = (self.run(self._both_signed(node, port, size)) for port in "AB")
            if signed:
                a, b = (f"(int64_t)({x} << {64 - size})" for x in (a, b))
            sign = {"$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}[kind]
            return [f"{a} {sign} {b}"]
        if width > 64:
            raise UnsupportedError(f"its control has a cell {kind} of {width} bits ({node.name})")
        if kind in ("$add", "$sub", "$mul"):
            a, b = (self.run(self._operand(node, port, width)) for port in "AB")
            return masked([f"{a} {({'$add': '+', '$sub': '-', '$mul': '*'})[kind]} {b}"])
        if kind == "$neg":
            return masked([f"-({self.run(self._operand(node, 'A', width))})"])
        if kind in ("$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"):
            if len(bits["A"]) > 64 or (kind in ("$shift", "$shiftx") and node.integer("B_SIGNED")):
                raise UnsupportedError(f"its control has a cell {kind} of {len(bits['A'])} bits ({node.name})")
            if kind == "$sshr" and node.integer("A_SIGNED"):
                raise UnsupportedError(f"its control has an arithmetic shift ({node.name})")
            amount = self.run(bits["B"][:64])
            left = kind in ("$shl", "$sshl")
            value = self.run(self._operand(node, "A", max(width, len(bits["A"]))))
            return masked([f"({amount} < 64 ? {value} {'<<' if left else '>>'} {amount} : 0)"])
        raise UnsupportedError(f"it has a cell {kind} ({node.name}), which the sliced engine does not know")

    # ---- the clock edge

    def _register(self, cell: Cell) -> None:
        q = cell.connections["Q"]
        word, next_word = self.naming.register(len(q))
        for place, bit in enumerate(q):
            if bit > 1 and bit not in self.tainted:
                self.code.words[bit] = (word, place)
        initial = sum(self.flat.initial.get(bit, 0) << place for place, bit in enumerate(q) if bit not in self.tainted)
        self.code.registers.append((word, initial))
        self._next = getattr(self, "_next", {})
        self._next[id(cell)] = (word, next_word)
        check_clock(cell)

    def _register_next(self, cell: Cell) -> None:
        bits = cell.connections
        word, next_word = self._next[id(cell)]
        enable = condition(self, cell, "EN")
        reset = condition(self, cell, "SRST")
        value = cell.integer("SRST_VALUE") if reset else 0
        for i, data in enumerate(self.limbs(bits["D"])):
            start = f"{value >> 64 * i & MASK:#x}ull"
            kept = word.limb(i)
            if cell.kind == "$sdffce":
                text = f"{enable} ? ({reset} ? {start} : {data}) : {kept}"
            else:
                text = f"{enable} ? {data} : {kept}" if enable else data
                text = f"{reset} ? {start} : ({text})" if reset else text
            self.code.edge.append(f"{next_word.limb(i)} = {text};")

    def _writes(self, cell: Cell) -> None:
        rom = self._roms[cell.name]
        width, abits = rom.width, cell.integer("ABITS")
        for port in range(cell.integer("WR_PORTS")):
            data = cell.connections["WR_DATA"][port * width : (port + 1) * width]
            enable = cell.connections["WR_EN"][port * width : (port + 1) * width]
            address = self.run(cell.connections["WR_ADDR"][port * abits : (port + 1) * abits])
            if not any(enable):
                continue
            check_write_port(cell, port)
            texts = []
            for i, (value, mask) in enumerate(zip(self.limbs(data), self._enables(enable), strict=True)):
                cell_text = f"{rom.name}[({address}) * {rom.limbs} + {i}]"
                texts.append(f"{cell_text} = ({cell_text} & ~{mask}) | ({value} & {mask});")
            self.code.edge.append(f"if (({address}) < {rom.depth}) {{ {' '.join(texts)} }}")

    def _enables(self, enable: Sequence[int]) -> list[str]:
        if len(set(enable)) == 1:
            return [f"(-(uint64_t){self.bit(enable[0])})"] * max(1, -(-len(enable) // 64))
        return self.limbs(enable)


def condition(compiler: ControlCompiler, cell: Cell, port: str) -> str:
    """The condition of a register's enable or reset, empty where it has none."""
    if port not in cell.connections:
        return ""
    text = compiler.bit(cell.connections[port][0])
    return text if cell.integer(f"{port}_POLARITY", 1) else f"!{text}"


def check_clock(cell: Cell) -> None:
    if not cell.integer("CLK_POLARITY", 1):
        raise UnsupportedError(f"register {cell.name} has a falling clock edge")


def check_write_port(cell: Cell, port: int) -> None:
    if not (cell.integer("WR_CLK_ENABLE") >> port & 1 and cell.integer("WR_CLK_POLARITY") >> port & 1):
        raise UnsupportedError(f"memory {cell.name} has a write port without a rising clock")


def initial_words(flat: Flat, cell: Cell) -> dict[int, int]:
    """What a memory holds at the start, by address; nothing stands for 0."""
    width, init = cell.integer("WIDTH"), cell.parameters.get("INIT", "")
    words = {}
    if isinstance(init, str) and "1" in init:
        digits = init.replace("x", "0").replace("z", "0")
        whole = int(digits, 2)
        words = {k: whole >> k * width & ((1 << width) - 1) for k in range(cell.integer("SIZE"))}
    return {**words, **flat.contents.get(cell.name, {})}


def _by_bits(node: Cell) -> list[Cell]:
    """A bitwise cell or multiplexer as one cell for each bit."""
    bits, cells = node.connections, []
    y = bits["Y"]
    for i, out in enumerate(y):
        if node.kind in BITWISE:
            connections: dict[str, tuple[int, ...]] = {
                port: (extended(bits[port], len(y), bool(node.integer(f"{port}_SIGNED")))[i],)
                for port in ("A", "B")
                if port in bits
            }
        else:
            connections = {"A": (bits["A"][i],), "B": bits["B"][i :: len(y)], "S": bits["S"]}
        cells.append(Cell(node.kind, node.part, f"{node.name}[{i}]", {}, {**connections, "Y": (out,)}, ("Y",)))
    return cells


def _topological(
    nodes: list[Cell], made: dict[int, Cell], inputs: Callable[[Cell], Iterable[int]]
) -> tuple[list[Cell], list[Cell]]:
    """The nodes in order, and those of a loop if there is one."""
    state: dict[int, int] = {}
    order: list[Cell] = []
    for root in nodes:
        if id(root) in state:
            continue
        state[id(root)] = 1
        stack = [(root, iter({id(m): m for b in inputs(root) if (m := made.get(b)) is not None}.values()))]
        while stack:
            node, rest = stack[-1]
            for before in rest:
                seen = state.get(id(before))
                if seen == 1:
                    where = next(i for i, (other, _) in enumerate(stack) if other is before)
                    return order, [other for other, _ in stack[where:]]
                if seen is None:
                    state[id(before)] = 1
                    sources = {id(m): m for b in inputs(before) if (m := made.get(b)) is not None}
                    stack.append((before, iter(sources.values())))
                    break
            else:
                state[id(node)] = 2
                order.append(node)
                stack.pop()
    return order, []
