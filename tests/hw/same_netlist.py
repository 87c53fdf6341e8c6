"""Whether two Verilog texts are one design but for names, the order of ports, comments and where things are written.

Both are read by Yosys, and what it makes of them is compared as text: every cell, connection, process, initial value
and memory, in names of one text. Only numbers that Yosys counts up while it reads are numbered anew.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from bitwright_hw.yosys import Yosys

_TOLD = re.compile(r"^ *attribute \\(?:src|dynports|cells_not_processed|hdlname|full_case|parallel_case) .*\n", re.M)
_ATTRIBUTE = re.compile(r"^ *(attribute \S+ .*)\n(?=  )", re.M)
_PORT = re.compile(r"^(.*wire .*?)(input|output) \d+", re.M)
_PRIORITY = re.compile(r"PRIORITY (\d+)")
_CELL_KIND = re.compile(r"\$_?[A-Za-z]\w*")
_MADE = re.compile(r"(?<!\S)(?:\$\S+|\\\S+\.v:\d+\S*)")  # names that Yosys makes, of the place in the file


def netlist(text: str, folder: Path, names: Mapping[str, str]) -> str:
    """What Yosys reads in Verilog `text`, in an order of its own, with `names` of other names applied."""
    (folder / "x.v").write_text(text)
    Yosys().run(["read_verilog x.v", "proc -noopt", "write_rtlil x.il"], folder)
    found = _TOLD.sub("", (folder / "x.il").read_text().partition("\nmodule ")[2])
    found = _ATTRIBUTE.sub(r"  @\1 ", found)
    found = _PORT.sub(r"\1\2", found)
    found = re.sub(r'MEMID "\\\\(\S+)"', lambda name: f"MEMID {names.get(name[1], name[1])}", found)
    order = sorted({int(number) for number in _PRIORITY.findall(found)})
    found = _PRIORITY.sub(lambda number: f"PRIORITY {order.index(int(number[1]))}", found)
    modules = re.split(r"^(?=module )|^(?=attribute .*\nmodule )", found, flags=re.M)
    return "\n".join(sorted(_ordered(module, names) for module in modules))


def _ordered(module: str, names: Mapping[str, str]) -> str:
    """A module with its wires and connections sorted, under `names`; names that Yosys made by where cells use them."""
    made: dict[str, str] = {}

    def named(line: str, *, new: bool) -> str:
        """The line with a number for each made name; without `new`, for those alone that a cell has."""

        def number(name: re.Match[str]) -> str:
            if _CELL_KIND.fullmatch(name[0]):
                return name[0]
            return made.setdefault(name[0], f"$made{len(made)}") if new else made.get(name[0], "$nowhere")

        return re.sub(r"\\(\S+)", lambda name: names.get(name[1], name[1]), _MADE.sub(number, line))

    lines = module.split("\n")
    free = ("  wire", "  connect", "  @attribute")
    cells = [named(line, new=True) for line in lines if not line.startswith(free)]
    return "\n".join([*cells, *sorted(named(line, new=False) for line in lines if line.startswith(free))])
