"""Control as C++: scalar words, evaluated once a cycle for all frames.

A cell's output is a word of 64-bit limbs, its upper bits zero. Registers are evaluated into `next` and move at the
clock edge. Bits that carry data read as 0 here, which no control bit depends on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bitwright_sim.sliced.control_cells import CellTexts
from bitwright_sim.sliced.control_order import in_order
from bitwright_sim.sliced.control_words import MASK, ControlCode, ControlRom, Naming, Word
from bitwright_sim.sliced.netlist import VENDOR, Cell, Flat, UnsupportedError
from bitwright_sim.sliced.taint import REGISTERS
from bitwright_sim.sliced.vendor import lut_tables


class ControlCompiler:
    """Turns the control cells that `needed` bits depend on into statements."""

    def __init__(self, flat: Flat, tainted: set[int], naming: Naming, inputs: dict[int, tuple[Word, int]]):
        self.flat = flat
        self.tainted = tainted
        self.naming = naming
        self.code = ControlCode(words=dict(inputs))
        self.text = CellTexts(self.code.words)
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
        for node in in_order(nodes, self._inputs):
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
            address = self.text.run(bits["A"])
            word = self._new(y)
            guard = rom.depth < 1 << len(bits["A"])
            for i in range(word.limbs):
                value = f"{rom.name}[({address}) * {rom.limbs} + {i}]" if len(bits["A"]) else f"{rom.name}[{i}]"
                out.append(f"{word.limb(i)} = {f'({address}) < {rom.depth} ? {value} : 0' if guard else value};")
            return
        values = self.text.values(node)
        word = self._new(y)
        out.extend(f"{word.limb(i)} = {value};" for i, value in enumerate(values))

    def _carry(self, node: Cell) -> None:
        bits = node.connections
        carry = " | ".join(self.text.bit(bits[port][0]) for port in ("CI", "CYINIT") if port in bits)
        select, other = self.text.run(bits["S"]), self.text.run(bits["DI"])
        outputs = self._new((*bits.get("O", (0,) * 4), *bits.get("CO", (0,) * 4)))
        self.code.comb.append(f"{outputs.limb(0)} = carry4({carry}, {other}, {select});")

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
        for i, data in enumerate(self.text.limbs(bits["D"])):
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
            address = self.text.run(cell.connections["WR_ADDR"][port * abits : (port + 1) * abits])
            if not any(enable):
                continue
            check_write_port(cell, port)
            texts = []
            for i, (value, mask) in enumerate(zip(self.text.limbs(data), self._enables(enable), strict=True)):
                cell_text = f"{rom.name}[({address}) * {rom.limbs} + {i}]"
                texts.append(f"{cell_text} = ({cell_text} & ~{mask}) | ({value} & {mask});")
            self.code.edge.append(f"if (({address}) < {rom.depth}) {{ {' '.join(texts)} }}")

    def _enables(self, enable: Sequence[int]) -> list[str]:
        if len(set(enable)) == 1:
            return [f"(-(uint64_t){self.text.bit(enable[0])})"] * max(1, -(-len(enable) // 64))
        return self.text.limbs(enable)


def condition(compiler: ControlCompiler, cell: Cell, port: str) -> str:
    """The condition of a register's enable or reset, empty where it has none."""
    if port not in cell.connections:
        return ""
    text = compiler.text.bit(cell.connections[port][0])
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
