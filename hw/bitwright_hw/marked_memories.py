"""Memories without their words in RTLIL: the emitter's way past Amaranth's time for each bit of a memory."""

import re
from typing import Any

from amaranth.hdl import MemoryData, MemoryInstance, Shape
from amaranth.lib import memory

from bitwright_hw.memory_contents import Contents
from bitwright_hw.rom import Blank, Rom

_MARK = "bitwright.contents"  # the attribute that tells which memory of a design one is
_MARK_LINE = rf'^ *attribute \\{re.escape(_MARK)} "(\d+)"\n'
_MARKED = re.compile(rf"{_MARK_LINE}(?: *attribute .*\n)* *memory width (\d+) size (\d+) (\S+)$", re.M)
_MODULE = re.compile(r"^module (\S+)", re.M)
_CELL = re.compile(r"^ *cell \$meminit_v2 .*?^ *end\n", re.M | re.S)


class MarkedMemories:
    """A platform on which Amaranth elaborates memories without their words, each marked by a number.

    It is for the emitter: `contents` has the words of each memory by its number, None of one that has none. A
    simulation, which has no such platform, sees memories with their words.
    """

    def __init__(self) -> None:
        self.contents: list[Contents | None] = []

    def get_memory(self, made: memory.Memory) -> MemoryInstance:
        """Called by Memory.elaborate: `made` with its ports, and without its words."""
        width = Shape.cast(made.shape).width
        contents: Contents | None
        if isinstance(made, Blank):
            contents = None
        elif isinstance(made, Rom):
            contents = made.contents
        else:
            contents = Contents.of(width, [word & (1 << width) - 1 for word in made.init])
        found: Any = MemoryData(shape=made.shape, depth=made.depth, init=[])
        # Amaranth has no memory without words, and would go through each of their bits
        found._init._raw = []
        instance = MemoryInstance(data=found, attrs={_MARK: str(len(self.contents)), **made.attrs})
        self.contents.append(contents)
        written = {
            port: instance.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
            for port in made.write_ports
        }
        for port in made.read_ports:
            instance.read_port(
                domain=port.domain,
                data=port.data,
                addr=port.addr,
                en=port.en,
                transparent_for=tuple(written[other] for other in port.transparent_for),
            )
        return instance

    def take(self, text: str) -> tuple[str, dict[tuple[str, str], Contents]]:
        """RTLIL without marks and empty initializations; the contents by module and memory, their names as in RTLIL."""
        found: dict[tuple[str, str], Contents | None] = {}
        modules = [(head.start(), head[1]) for head in _MODULE.finditer(text)]
        for marked in _MARKED.finditer(text):
            module = [name for start, name in modules if start < marked.start()][-1]
            contents = self.contents[int(marked[1])]
            if contents is not None and (contents.width, contents.depth) != (int(marked[2]), int(marked[3])):
                raise RuntimeError(f"memory {marked[4]} of {module} has other sizes than its contents")
            found[module, marked[4]] = contents
        if len(found) != len(self.contents):
            raise RuntimeError("Amaranth writes memories in another way now: contents would be lost")
        text = re.sub(_MARK_LINE, "", text, flags=re.M)
        return _CELL.sub("", text), {key: words for key, words in found.items() if words is not None}
