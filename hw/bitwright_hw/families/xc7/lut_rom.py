"""A read-only memory in the LUTs of 7-series."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_core.plan import ceil_div
from bitwright_hw.families.family import LutRoms

WIDEST = 256  # words under the multiplexers of a slice


class LutRom(wiring.Component):
    """Word `addr` of `words`, of `width` bits each, a cycle after `en`; as a memory's synchronous read port.

    Up to 32 words, two bits share a LUT6_2; up to 64, a bit is one LUT6; up to 256, MUXF7 and MUXF8 join two or four
    of them, as UG474 has it ("ROM64X1", "ROM256X1"); beyond, LUTs choose among those. Bits that never change, or are
    equal, cost nothing more. Written out because Yosys, from a constant memory, makes two to four times as many.

    Latency: 1 cycle. Reset: none.
    """

    def __init__(self, *, width: int, words: Sequence[int]):
        if width < 1 or len(words) < 2:
            raise ValueError(f"a memory has at least 1 bit and 2 words, not {width} and {len(words)}")
        if min(words) < 0 or max(words) >> width:
            raise ValueError(f"words must be of {width} bits")
        self.width = width
        self.words = tuple(words)
        super().__init__({"addr": In(range(len(words))), "en": In(1), "data": Out(width)})

    def _columns(self) -> list[int]:
        """For each bit its values, that of word 0 lowest."""
        size = ceil_div(self.width, 8)
        raw = b"".join(word.to_bytes(size, "little") for word in self.words)
        bits = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(-1, size), axis=1, bitorder="little")
        packed = np.packbits(bits[:, : self.width].T, axis=1, bitorder="little")
        return [int.from_bytes(column.tobytes(), "little") for column in packed]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = self._columns()
        every = (1 << len(self.words)) - 1
        made: dict[int, Value] = {0: C(0, 1), every: C(1, 1)}
        wanted = [column for column in dict.fromkeys(columns) if column not in made]
        if len(self.words) <= WIDEST // 8:
            for k in range(0, len(wanted), 2):
                made |= dict(zip(wanted[k : k + 2], self._pair(m, wanted[k : k + 2]), strict=True))
        else:
            made |= {column: self._column(m, column) for column in wanted}
        held = Signal(self.width, reset_less=True)
        with m.If(self.en):
            m.d.sync += held.eq(Cat(*(made[column] for column in columns)))
        m.d.comb += self.data.eq(held)
        return m

    def _address(self, bits: int) -> list[Value]:
        return [self.addr[k] if k < len(self.addr) else C(0, 1) for k in range(bits)]

    def _pair(self, m: Module, tables: Sequence[int]) -> list[Value]:
        """One or two functions of five address bits."""
        low, high = tables[0], tables[-1]
        out5, out6 = Signal(name="low"), Signal(name="high")
        ports = {f"i_I{k}": bit for k, bit in enumerate([*self._address(5), C(1, 1)])}
        if len(tables) == 1:
            m.submodules += Instance("LUT6", p_INIT=C(high << 32 | low, 64), o_O=out6, **ports)
            return [out6]
        m.submodules += Instance("LUT6_2", p_INIT=C(high << 32 | low, 64), o_O5=out5, o_O6=out6, **ports)
        return [out5, out6]

    def _column(self, m: Module, table: int) -> Value:
        """One function of the address."""
        count = len(self.words)
        blocks = [self._block(m, table >> start, min(WIDEST, count - start)) for start in range(0, count, WIDEST)]
        select = self._address(len(self.addr))[8:]
        for bit in select:
            blocks = [
                Mux(bit, blocks[k + 1], blocks[k]) if k + 1 < len(blocks) else blocks[k]
                for k in range(0, len(blocks), 2)
            ]
        return blocks[0]

    def _block(self, m: Module, table: int, words: int) -> Value:
        """`words` words of it, 256 at the most."""
        address = self._address(8)
        ports = {f"i_I{k}": bit for k, bit in enumerate(address[:6])}
        outputs: list[Value] = []
        for start in range(0, words, 64):
            out = Signal(name="o6")
            m.submodules += Instance("LUT6", p_INIT=C(table >> start & (1 << 64) - 1, 64), o_O=out, **ports)
            outputs.append(out)
        for cell, bit in (("MUXF7", address[6]), ("MUXF8", address[7])):
            if len(outputs) == 1:
                break
            joined: list[Value] = []
            for k in range(0, len(outputs), 2):
                out = Signal(name=cell.lower())
                beyond = outputs[k + 1] if k + 1 < len(outputs) else C(0, 1)
                m.submodules += Instance(cell, i_I0=outputs[k], i_I1=beyond, i_S=bit, o_O=out)
                joined.append(out)
            outputs = joined
        return outputs[0]


def lut_rom_luts(words: int, columns: int) -> int:
    """LUTs of a LutRom of so many words and distinct columns."""
    if words <= 32:
        return ceil_div(columns, 2)
    return columns * (ceil_div(words, 64) + ceil_div(ceil_div(words, WIDEST) - 1, 3))


def _make(width: int, words: Sequence[int]) -> LutRom:
    return LutRom(width=width, words=words)


LUT_ROMS = LutRoms(make=_make, luts=lut_rom_luts)
