"""Control cells as C++ expressions: gates, multiplexers, comparisons, arithmetic and shifts of words."""

from collections.abc import Callable, Mapping, Sequence

from bitwright_sim.sliced.control_words import MASK, Word, expression
from bitwright_sim.sliced.netlist import Cell, UnsupportedError
from bitwright_sim.sliced.taint import BITWISE, extended


class CellTexts:
    """Expressions of cells and bits, with `words` telling where each bit lies."""

    def __init__(self, words: Mapping[int, tuple[Word, int]]):
        self._words = words

    def run(self, bits: Sequence[int]) -> str:
        """A C++ expression of at most 64 bits."""
        return expression(self._words, bits)

    def limbs(self, bits: Sequence[int]) -> list[str]:
        return [self.run(bits[at : at + 64]) for at in range(0, max(1, len(bits)), 64)]

    def bit(self, bit: int) -> str:
        return self.run((bit,))

    def _operand(self, node: Cell, port: str, width: int) -> tuple[int, ...]:
        return extended(node.connections[port], width, bool(node.integer(f"{port}_SIGNED")))

    def values(self, node: Cell) -> list[str]:
        """C++ expressions of the limbs of a cell's output. Raises UnsupportedError for a kind that is not known."""
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
