"""The data cells of one part of a design, or of a unit, as a network of gates over vectors of frames."""

from collections.abc import Callable, Sequence

from bitwright_sim.sliced.gates import FALSE, TRUE, Gates
from bitwright_sim.sliced.luts import lut
from bitwright_sim.sliced.netlist import VENDOR, Cell, UnsupportedError
from bitwright_sim.sliced.taint import BITWISE, extended
from bitwright_sim.sliced.vendor import lut_tables

Driver = tuple[Cell, str, int]  # a bit's cell, output port and place in it


class DataGates:
    """The gates of data bits, made as their literals are asked for.

    `leaf` gives the literal of a bit that is no gate here (a register, an input, a control bit, a memory), or None for
    the output of a cell that becomes gates.
    """

    def __init__(
        self,
        driver: dict[int, Driver],
        leaf: Callable[[Gates, int], int | None],
        table: Callable[[Cell], dict[int, int]],
    ):
        """`table` gives the contents of a memory that is only read."""
        self.gates = Gates()
        self.table = table
        self.driver = driver
        self.leaf = leaf
        self._values: dict[int, int] = {0: FALSE, 1: TRUE}

    def value(self, bit: int) -> int:
        known = self._values.get(bit)
        if known is not None:
            return known
        literal = self.leaf(self.gates, bit)
        if literal is None:
            if bit not in self.driver:
                literal = FALSE  # nothing drives it
            else:
                cell, port, index = self.driver[bit]
                literal = self._cell(cell, port, index, bit)
        self._values[bit] = literal
        return literal

    def values(self, bits: Sequence[int]) -> list[int]:
        return [self.value(bit) for bit in bits]

    def _operand(self, cell: Cell, port: str, width: int) -> list[int]:
        return self.values(extended(cell.connections[port], width, bool(cell.integer(f"{port}_SIGNED"))))

    def _cell(self, cell: Cell, port: str, index: int, bit: int) -> int:
        kind, bits, gates = cell.kind, cell.connections, self.gates
        if kind in BITWISE:
            width = len(bits["Y"])
            a = self.value(extended(bits["A"], width, bool(cell.integer("A_SIGNED")))[index])
            if kind in ("$pos", "$not"):
                return a ^ (kind == "$not")
            b = self.value(extended(bits["B"], width, bool(cell.integer("B_SIGNED")))[index])
            if kind == "$and":
                return gates.and_(a, b)
            if kind == "$or":
                return gates.or_(a, b)
            return gates.xor(a, b) ^ (kind == "$xnor")
        if kind == "$mux":
            return gates.mux(self.value(bits["S"][0]), self.value(bits["B"][index]), self.value(bits["A"][index]))
        if kind == "$pmux":
            width = len(bits["Y"])
            result = self.value(bits["A"][index])
            for k in reversed(range(len(bits["S"]))):
                result = gates.mux(self.value(bits["S"][k]), self.value(bits["B"][k * width + index]), result)
            return result
        if kind in ("MUXF7", "MUXF8"):
            return gates.mux(self.value(bits["S"][0]), self.value(bits["I1"][0]), self.value(bits["I0"][0]))
        if kind == "CARRY4":
            return self._carry(cell, port, index)
        if kind in VENDOR:
            return self._lut(cell, port)
        if kind == "$mem_v2":
            return self._looked_up(cell, index)
        outputs = self._word(cell)
        for y, literal in zip(bits["Y"], outputs, strict=True):
            self._values.setdefault(y, literal)
        return outputs[bits["Y"].index(bit)]

    def _lut(self, cell: Cell, port: str) -> int:
        inputs, tables = lut_tables(cell)
        literals = self.values(inputs)
        # the lower half first: its carries name the pairs whose parity the other output is
        found = {name: lut(self.gates, tables[name], literals) for name in sorted(tables)}
        for name, literal in found.items():
            for bit in cell.connections.get(name, ()):
                self._values.setdefault(bit, literal)
        return found[port]

    def _carry(self, cell: Cell, port: str, index: int) -> int:
        bits, gates = cell.connections, self.gates
        carry = gates.any_of([self.value(bits[name][0]) for name in ("CI", "CYINIT") if name in bits])
        result = FALSE
        for i in range(index + 1):
            select = self.value(bits["S"][i])
            total = gates.xor(select, carry)
            if i < index or port == "CO":
                carry = self._carried(select, carry, self.value(bits["DI"][i]))
            result = carry if port == "CO" else total
            for name, literal in (("O", total), ("CO", carry)):
                if name in bits and (name == "O" or i < index or port == "CO"):
                    self._values.setdefault(bits[name][i], literal)
        return result

    def _carried(self, select: int, carry: int, other: int) -> int:
        """Carry where `select`, else `other`; a majority where select is the XOR of two bits of which one is other."""
        return self.gates.mux(select, carry, other)

    def _looked_up(self, cell: Cell, index: int) -> int:
        """A bit of a table, by its address: multiplexers from the highest bit on, equal halves made once."""
        port, column = divmod(index, cell.integer("WIDTH"))
        abits, words = cell.integer("ABITS"), self.table(cell)
        address = self.values(cell.connections["RD_ADDR"][port * abits : (port + 1) * abits])
        column_bits = tuple(words.get(row, 0) >> column & 1 for row in range(1 << abits))
        known: dict[tuple[int, ...], int] = {}

        def below(bits: tuple[int, ...]) -> int:
            if not any(bits) or all(bits):
                return TRUE if bits[0] else FALSE
            if bits not in known:
                half = len(bits) // 2
                select = address[half.bit_length() - 1]
                known[bits] = self.gates.mux(select, below(bits[half:]), below(bits[:half]))
            return known[bits]

        return below(column_bits)

    def _word(self, cell: Cell) -> list[int]:
        kind, bits, gates = cell.kind, cell.connections, self.gates
        width = len(bits["Y"])
        if kind == "$add":
            return gates.add(self._operand(cell, "A", width), self._operand(cell, "B", width))
        if kind == "$sub":
            b = [literal ^ 1 for literal in self._operand(cell, "B", width)]
            return gates.add(self._operand(cell, "A", width), b, TRUE)
        if kind == "$neg":
            a = [literal ^ 1 for literal in self._operand(cell, "A", width)]
            return gates.add(a, [FALSE] * width, TRUE)
        if kind == "$mul":
            return self._product(self._operand(cell, "A", width), self._operand(cell, "B", width))
        if kind in ("$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx"):
            return self._shifted(cell)
        return [self._truth(cell), *[FALSE] * (width - 1)]

    def _product(self, a: list[int], b: list[int]) -> list[int]:
        if sum(literal > 1 for literal in a) < sum(literal > 1 for literal in b):
            a, b = b, a
        width = len(a)
        total = [FALSE] * width
        for k, bit in enumerate(b):
            if bit != FALSE:
                part = [FALSE] * k + [self.gates.and_(literal, bit) for literal in a[: width - k]]
                total = self.gates.add(total, part)
        return total

    def _shifted(self, cell: Cell) -> list[int]:
        kind, bits, gates = cell.kind, cell.connections, self.gates
        if kind in ("$shift", "$shiftx") and cell.integer("B_SIGNED"):
            raise UnsupportedError(f"it has a shift either way ({cell.name})")
        width = len(bits["Y"])
        size = max(width, len(bits["A"]))
        value = self._operand(cell, "A", size)
        fill = value[-1] if kind == "$sshr" and cell.integer("A_SIGNED") else FALSE
        for k, bit in enumerate(bits["B"]):
            by, select = min(1 << k, size), self.value(bit)
            left = kind in ("$shl", "$sshl")
            moved = [FALSE] * by + value[: size - by] if left else value[by:] + [fill] * by
            value = [gates.mux(select, one, zero) for one, zero in zip(moved, value, strict=True)]
        return value[:width]

    def _truth(self, cell: Cell) -> int:
        kind, bits, gates = cell.kind, cell.connections, self.gates
        if kind in ("$reduce_or", "$reduce_bool"):
            return gates.any_of(self.values(bits["A"]))
        if kind == "$logic_not":
            return gates.any_of(self.values(bits["A"])) ^ 1
        if kind == "$reduce_and":
            return gates.all_of(self.values(bits["A"]))
        if kind in ("$reduce_xor", "$reduce_xnor"):
            return gates.parity(self.values(bits["A"])) ^ (kind == "$reduce_xnor")
        if kind in ("$logic_and", "$logic_or"):
            some, other = (gates.any_of(self.values(bits[port])) for port in "AB")
            return gates.and_(some, other) if kind == "$logic_and" else gates.or_(some, other)
        size = max(len(bits["A"]), len(bits["B"]))
        signed = bool(cell.integer("A_SIGNED") and cell.integer("B_SIGNED"))
        a, b = (self.values(extended(bits[port], size, signed)) for port in "AB")
        if kind in ("$eq", "$ne", "$eqx", "$nex"):
            return gates.any_of([gates.xor(x, y) for x, y in zip(a, b, strict=True)]) ^ (kind in ("$eq", "$eqx"))
        if kind in ("$lt", "$ge"):
            return gates.less(a, b, signed) ^ (kind == "$ge")
        if kind in ("$gt", "$le"):
            return gates.less(b, a, signed) ^ (kind == "$le")
        raise UnsupportedError(f"it has a cell {kind} ({cell.name}), which the sliced engine does not know")
