"""The words of a block design: cells with their interfaces and pins, connections between them, addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A bus interface of a cell. `kind` is aximm or axis."""

    name: str
    kind: str
    initiator: bool


@dataclass(frozen=True, kw_only=True)
class BlockCell:
    """A block of the design. `parameters` are set (CONFIG.*); `derived` ones are Vivado's answer to them and to
    the connections, and stand in the .hwh alone."""

    name: str
    vlnv: str
    interfaces: tuple[Interface, ...]
    clocks: tuple[str, ...]  # input pins on the one clock
    resets: tuple[str, ...]  # input pins on the one active-low reset
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    derived: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    any_version: bool = False  # Vivados differ in it, and are asked for the one that they have

    @property
    def module(self) -> str:
        """The IP's own name."""
        return self.vlnv.split(":")[2]

    @property
    def asked(self) -> str:
        """What Vivado's catalog is asked for."""
        return self.vlnv.rpartition(":")[0] if self.any_version else self.vlnv


@dataclass(frozen=True, kw_only=True)
class BlockConnection:
    """Bus `source` (cell/interface, the initiator) to `sink`."""

    source: str
    sink: str


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where `master` (cell/interface) sees interface `interface` of `cell`. `block` is the address block's name;
    `memory` is true for DDR, false for registers."""

    master: str
    cell: str
    interface: str
    block: str
    base: int
    size: int
    memory: bool = False
    memory_map: str = ""  # that the block is in, where it is not called as the interface is

    @property
    def high(self) -> int:
        return self.base + self.size - 1

    @property
    def segment(self) -> str:
        """The block's path, by which Vivado places it."""
        return f"{self.cell}/{self.memory_map or self.interface}/{self.block}"


def bus(name: str, *, initiator: bool = False) -> Interface:
    """A memory-mapped interface."""
    return Interface(name=name, kind="aximm", initiator=initiator)


def stream(name: str, *, initiator: bool = False) -> Interface:
    """A stream."""
    return Interface(name=name, kind="axis", initiator=initiator)
