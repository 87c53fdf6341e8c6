"""Parts of a design that become libraries of their own: so a large one builds, and a change builds what it touched.

Verilator writes the code of a module for each of its instances: of a convolutional network with 180 rows of up to 576
lanes, 85 MB. Here the rows, which are instances of few modules, and the engines, which the probes look into, are cut
out of the Verilog. Each is verilated by itself (`--lib-create`), and a shell takes its place, a module of the same name
and ports around the library's. No other text changes but the top's name, which begins the names of all modules and
would make equal rows of two designs different.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bitwright_core.verilog_ports import verilog_ports

_LEAST_BLOCK = 4_000  # of a block, its instances counted
_TOP = "design"  # in place of the top's name
_HEAD = re.compile(r"^module\s+(\\\S+|\w+)\s*\(", re.M)
_INSTANCE = re.compile(r"^ *(\\\S+|[A-Za-z_]\w*) +(\\\S+|[A-Za-z_]\w*) +\($", re.M)
_NET = r"^ *(?:wire|reg) ((?:signed )?(?:\[\d+:\d+\] )?){name}(?: =[^;]*)?;$"


class NoBlocksError(Exception):
    """Why a design is not cut: text that is not as the emitter writes it."""


@dataclass(frozen=True, kw_only=True)
class BlockPort:
    """A port of a block: `shape` and `name` as Verilog has them, "" or like "signed [10:0] ", "a" or "\\a$1 "."""

    direction: str
    shape: str
    name: str

    @property
    def plain(self) -> str:
        """The port's name at the library: an identifier."""
        return re.sub(r"\W", "_", self.name.strip().removeprefix("\\"))


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of a design. `texts` are its modules, those it shares with other blocks left out: `inside` names these.

    `ports` are the library's: those of the module, and `seen` for nets of it that something above looks at.
    """

    module: str
    texts: tuple[str, ...]
    inside: tuple[str, ...]
    ports: tuple[BlockPort, ...]
    seen: tuple[BlockPort, ...]

    @property
    def library(self) -> str:
        """The library's name, a C identifier."""
        return "block_" + re.sub(r"\W", "_", self.module.removeprefix(f"{_TOP}__"))

    @property
    def top(self) -> str:
        """Verilog of the library's top module, around the block's, which shows what is seen."""
        shown = [BlockPort(direction="output", shape=net.shape, name=f"seen_{net.name}") for net in self.seen]
        ports = [*self.ports, *shown]
        return "\n".join(
            [
                f"module {self.library}_top ({', '.join(port.plain for port in ports)});",
                *(f"  {port.direction} {port.shape}{port.plain};" for port in ports),
                f"  {self.module} part ({', '.join(f'.{port.name}({port.plain})' for port in self.ports)});",
                *(f"  assign seen_{net.name} = part.{net.name};" for net in self.seen),
                "endmodule\n",
            ]
        )

    @property
    def shell(self) -> str:
        """Verilog of the module that takes the block's place."""
        connections = [f".{port.plain}({port.name})" for port in self.ports]
        connections += [f".seen_{net.name}({net.name})" for net in self.seen]
        return "\n".join(
            [
                f"module {self.module} ({', '.join(port.name for port in self.ports)});",
                *(f"  {port.direction} {port.shape}{port.name};" for port in self.ports),
                *(f"  wire {net.shape}{net.name};" for net in self.seen),
                f"  {self.library} part ({', '.join(connections)});",
                "endmodule\n",
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A design in parts: `blocks`, each behind those inside it, and the text of `rest` with the shells in it."""

    blocks: tuple[Block, ...]
    rest: str


class Modules:
    """The modules of emitted Verilog, by name."""

    def __init__(self, text: str, top: str):
        text = re.sub(rf"\b{re.escape(top)}(?=__)", _TOP, text)
        self.top = top
        self.texts: dict[str, str] = {}
        for part in re.split(r"(?<=^endmodule\n)", text, flags=re.M):
            heads = _HEAD.findall(part)
            if len(heads) > 1 or (heads and heads[0] in self.texts):
                raise NoBlocksError(f"module {heads[-1]} is written in another way")
            if heads:
                self.texts[heads[0]] = part
        if top not in self.texts:
            raise NoBlocksError(f"there is no module {top}")

    @cached_property
    def instances(self) -> dict[str, list[tuple[str, str]]]:
        """For each module: (module, name) of its instances of modules of the design."""
        return {
            name: [(kind, place) for kind, place in _INSTANCE.findall(text) if kind in self.texts]
            for name, text in self.texts.items()
        }

    def characters(self) -> dict[str, int]:
        """For each module: the characters of its text, every instance below it counted."""
        found: dict[str, int] = {}

        def of(name: str, above: tuple[str, ...]) -> int:
            if name in above:
                raise NoBlocksError(f"module {name} is in itself")
            if name not in found:
                found[name] = len(self.texts[name]) + sum(of(kind, (*above, name)) for kind, _ in self.instances[name])
            return found[name]

        of(self.top, ())
        return found

    def at(self, path: Iterable[str]) -> str | None:
        """The module of the instance at `path` below the top; None if there is none."""
        module = self.top
        for place in path:
            module = next((kind for kind, name in self.instances[module] if name == place), "")
            if not module:
                return None
        return module

    def ports(self, module: str) -> tuple[BlockPort, ...]:
        """The ports of `module`."""
        try:
            found = verilog_ports(self.texts[module])
        except ValueError as error:
            raise NoBlocksError(f"module {module}: {error}") from None
        return tuple(BlockPort(direction=port.direction, shape=port.shape, name=port.name) for port in found)

    def net(self, module: str, name: str) -> BlockPort:
        """A net of `module`, as something to be seen: its name is an identifier."""
        found = re.search(_NET.format(name=re.escape(name)), self.texts[module], re.M)
        if found is None:
            raise NoBlocksError(f"module {module} has no net {name}")
        return BlockPort(direction="output", shape=found[1], name=name)


def cut(text: str, top: str, looked_at: Iterable[str], *, least: int) -> Cut | None:
    """The design of emitted Verilog `text` in parts; None if it has less than `least` characters, instances counted.

    `looked_at` are nets, by their path below the top, that something outside looks at: what they lie in becomes a
    block, and so does what there are several instances of. Raises NoBlocksError.
    """
    modules = Modules(text, top)
    characters = modules.characters()
    if characters[top] < least:
        return None
    seen: dict[str, list[str]] = {}
    for path in looked_at:
        *places, net = path.split(".")
        module = modules.at(places)
        if module is not None and module != top:
            seen.setdefault(module, []).append(net)
    count = Counter(kind for name in characters for kind, _ in modules.instances[name])
    several = {name for name, times in count.items() if times > 1}
    wanted = [name for name in characters if name in several or (name in seen and count[name] == 1)]
    blocks: dict[str, Block] = {}
    for name in wanted:  # in the order of `characters`: what is inside comes first
        if characters[name] < _LEAST_BLOCK:
            continue
        ports = modules.ports(name)
        known = {port.name for port in ports}
        blocks[name] = _block(modules, name, ports, [net for net in seen.get(name, ()) if net not in known], blocks)
    if len({block.library for block in blocks.values()}) != len(blocks):
        raise NoBlocksError("the names of two modules differ in signs alone")
    kept = _below(modules, top, blocks)
    rest = "".join(modules.texts[name] for name in modules.texts if name in kept)
    return Cut(blocks=tuple(blocks.values()), rest=rest)


def _block(
    modules: Modules, name: str, ports: tuple[BlockPort, ...], seen: list[str], blocks: Mapping[str, Block]
) -> Block:
    kept = _below(modules, name, blocks)
    return Block(
        module=name,
        texts=tuple(modules.texts[each] for each in modules.texts if each in kept),
        inside=tuple(each for each in blocks if any(kind == each for k in kept for kind, _ in modules.instances[k])),
        ports=ports,
        seen=tuple(modules.net(name, net) for net in seen),
    )


def _below(modules: Modules, name: str, blocks: Mapping[str, Block]) -> set[str]:
    """`name` and the modules below it that are in no block."""
    found, left = set(), [name]
    while left:
        module = left.pop()
        found.add(module)
        left += [kind for kind, _ in modules.instances[module] if kind not in blocks and kind not in found]
    return found
