"""Heads of modules as people write them: ANSI ports, clock and reset first, each stream's signals together.

Yosys writes the ports' names in the head and declares each twice below it, inputs before outputs. Here a port is
declared once, in the head. Nothing else of a module changes, and instances name the ports that they connect.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

CLOCKS_AND_RESETS = ("aclk", "aresetn", "clk", "rst", "axi_clk", "axi_rst")

_NAME = r"(?:\\\S+ |[A-Za-z_]\w*)"
_HEAD = re.compile(rf"^module ({_NAME})\s*\(([^;]*)\);\n", re.M)
_DIRECTION = re.compile(rf"  (input|output|inout) (?:signed )?(?:\[\d+:\d+\] )?({_NAME});\n")
_NET = re.compile(r"  ((?:wire|reg) [^\n]*);\n")


def ansi_heads(text: str, orders: Mapping[str, Sequence[str]], notes: Mapping[str, str]) -> str:
    """Verilog by Yosys with ANSI heads, each behind its module's comment.

    `orders` has the names of a module's ports in the order that they shall have; others follow by their streams.
    `notes` has comments, as whole lines. Both are by the module's name as the text has it.
    """
    parts, end = [], 0
    for head in _HEAD.finditer(text):
        module = head[1].strip()
        ports, body = _ports(text, head.end())
        names = [name.strip() for name in re.findall(_NAME, head[2])]
        if sorted(names) != sorted(ports):
            raise RuntimeError(f"Yosys declares the ports of module {module} in another way now")
        lines = [f"  {ports[name]}" for name in _ordered(names, orders.get(module, ()))]
        declared = ",\n".join(lines)
        parts += [text[end : head.start()], notes.get(module, ""), f"module {head[1]}(\n{declared}\n);\n"]
        end = body
    return "".join([*parts, text[end:]])


def _ports(text: str, start: int) -> tuple[dict[str, str], int]:
    """The declarations of ports that begin at `start`, by name, and where they end."""
    ports = {}
    while declared := _DIRECTION.match(text, start):
        net = _NET.match(text, declared.end())
        if net is None:
            raise RuntimeError(f"Yosys declares port {declared[2]} in another way now")
        ports[declared[2].strip()] = f"{declared[1]} {net[1]}"
        start = net.end()
    return ports, start


def _ordered(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """`names`: clocks and resets, then those of `order`, then the others, stream by stream in the order of `names`."""
    places = {name: place for place, name in enumerate([*CLOCKS_AND_RESETS, *order])}
    streams: dict[str, int] = {}
    for name in names:
        streams.setdefault(_stream(name), len(streams))

    def key(name: str) -> tuple[int, int]:
        # Amaranth numbers a port whose name another signal of the module has
        place = places.get(name, places.get(re.sub(r"_\d+$", "", name), len(places)))
        return place, streams[_stream(name)]

    return sorted(names, key=key)


def _stream(name: str) -> str:
    return name.rpartition("__")[0] or name
