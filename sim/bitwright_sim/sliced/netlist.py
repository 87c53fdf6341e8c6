"""The netlist of emitted Verilog: read through Yosys, the hierarchy opened up.

Bits are numbers: 0 and 1 are the constants, others nets. A cell belongs to the *part* of the design that it was
instantiated in (the path of the first two instances); modules that a caller keeps stay cells of their own.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitwright_core.errors import ToolError
from bitwright_sim.process import tail
from bitwright_sim.sliced.memory_text import take_contents

# cells of FPGA families that the engine knows itself: inputs and outputs; a LUT's inputs from the lowest
VENDOR: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "LUT1": (("I0",), ("O",)),
    "LUT2": (("I0", "I1"), ("O",)),
    "LUT3": (("I0", "I1", "I2"), ("O",)),
    "LUT4": (("A", "B", "C", "D"), ("Z",)),
    "LUT5": (("I0", "I1", "I2", "I3", "I4"), ("O",)),
    "LUT6": (("I0", "I1", "I2", "I3", "I4", "I5"), ("O",)),
    "LUT6_2": (("I0", "I1", "I2", "I3", "I4", "I5"), ("O5", "O6")),
    "CARRY4": (("CI", "CYINIT", "DI", "S"), ("O", "CO")),
    "MUXF7": (("I0", "I1", "S"), ("O",)),
    "MUXF8": (("I0", "I1", "S"), ("O",)),
}
_OUTPUTS = {"Y", "Q", "RD_DATA"}
_PART_DEPTH = 2
# registers get enables and resets of their own, so that idle ones cost nothing; without those passes a netlist is as
# good, and some that hold constants upset opt_dff (Yosys 0.70: "Conflicting init values")
_FULL = (
    "proc",
    "opt_clean",
    "opt_expr",
    "opt_merge",
    "opt_clean",
    "opt_dff",
    "opt_clean",
    "opt_expr",
    "opt_clean",
    "memory_collect",
    "opt_clean",
)
_PLAIN = ("proc", "opt_clean", "memory_collect", "opt_clean")


class UnsupportedError(Exception):
    """The sliced engine cannot simulate this design; says why, in a sentence."""


@dataclass(slots=True, eq=False)
class Cell:
    """A cell, or an instance of a module that was kept."""

    kind: str
    part: str
    name: str
    parameters: dict[str, Any]
    connections: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]

    def integer(self, parameter: str, default: int = 0) -> int:
        value = self.parameters.get(parameter, default)
        return int(value, 2) if isinstance(value, str) else int(value)


@dataclass(slots=True, eq=False)
class Flat:
    """A module with its hierarchy opened up."""

    ports: dict[str, tuple[int, ...]]
    inputs: tuple[str, ...]
    cells: list[Cell]
    names: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of public wires, by path
    contents: dict[str, dict[int, int]] = field(default_factory=dict)  # of memories, by the path of the cell
    initial: dict[int, int] = field(default_factory=dict)  # values of registers at the start, by bit


class Source:
    """The modules of a design as Yosys read them."""

    def __init__(self, modules: dict[str, Any], contents: dict[tuple[str, str], dict[int, int]]):
        self.modules = modules
        self.contents = contents

    @property
    def instances(self) -> dict[str, int]:
        """How often each module is instantiated in the source (not counting through the hierarchy)."""
        counts: dict[str, int] = {}
        for module in self.modules.values():
            for cell in module["cells"].values():
                if cell["type"] in self.modules:
                    counts[cell["type"]] = counts.get(cell["type"], 0) + 1
        return counts

    def flatten(self, top: str, kept: frozenset[str] = frozenset(), *, names: Iterable[str] = ()) -> Flat:
        """Module `top` with all instances opened up but those of modules in `kept`."""
        return _Flattener(self, kept, frozenset(names)).run(top)


def read(files: Sequence[Path], top: str, keep: Sequence[str]) -> Source:
    """Reads Verilog `files` through Yosys; no pass removes the signals at paths `keep` below `top`.

    Raises ToolError if Yosys is missing or fails.
    """
    texts, contents = take_contents(file.read_text() for file in files)
    with tempfile.TemporaryDirectory(prefix="bitwright-") as name:
        folder = Path(name)
        sources = []
        for index, text in enumerate(texts):
            sources.append(f"source{index}.v")
            (folder / sources[-1]).write_text(text)
        job = {"files": sources, "top": top, "cells": sorted(VENDOR), "keep": list(keep), "out": "netlist.json"}
        for passes in (_FULL, _PLAIN):
            (folder / "job.json").write_text(json.dumps({**job, "passes": passes}))
            with (folder / "log").open("wb") as log:
                status = subprocess.run(
                    [sys.executable, Path(__file__).with_name("yosys_job.py"), "job.json"],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
            if status == 0:
                break
        else:
            lines = tail(folder / "log", 5)
            raise ToolError(f"Yosys failed to read the design's Verilog; its last lines:\n{lines}")
        modules = json.loads((folder / "netlist.json").read_text())["modules"]
    return Source(modules, contents)


class _Flattener:
    """Opens a hierarchy up. Nets that turn out to be one are joined; the driver of a net decides."""

    def __init__(self, source: Source, kept: frozenset[str], names: frozenset[str]):
        self.source = source
        self.kept = kept
        self.wanted = names
        self.parent: list[int] = [0, 1]
        self.cells: list[Cell] = []
        self.names: dict[str, tuple[int, ...]] = {}
        self.contents: dict[str, dict[int, int]] = {}
        self.initial: dict[int, int] = {}

    def fresh(self) -> int:
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def find(self, bit: int) -> int:
        parent = self.parent
        while parent[bit] != bit:
            parent[bit] = parent[parent[bit]]
            bit = parent[bit]
        return bit

    def run(self, top: str) -> Flat:
        module = self.source.modules[top]
        bits: dict[Any, int] = {}
        ports = {name: tuple(self.bit(b, bits) for b in port["bits"]) for name, port in module["ports"].items()}
        self.open(top, bits, ())
        find = self.find
        for cell in self.cells:
            cell.connections = {name: tuple(find(b) for b in value) for name, value in cell.connections.items()}
        return Flat(
            ports={name: tuple(find(b) for b in value) for name, value in ports.items()},
            inputs=tuple(name for name, port in module["ports"].items() if port["direction"] == "input"),
            cells=self.cells,
            names={name: tuple(find(b) for b in value) for name, value in self.names.items()},
            contents=self.contents,
            initial={find(b): value for b, value in self.initial.items()},
        )

    def bit(self, bit: Any, bits: dict[Any, int]) -> int:
        if isinstance(bit, str):
            return 1 if bit == "1" else 0  # x and z are 0 in a two-state simulation
        if bit not in bits:
            bits[bit] = self.fresh()
        return bits[bit]

    def join(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        self.parent[max(a, b)] = min(a, b)  # a constant wins

    def open(self, module_name: str, bits: dict[Any, int], path: tuple[str, ...]) -> None:
        module = self.source.modules[module_name]
        part = ".".join(path[:_PART_DEPTH])
        prefix = ".".join(path) + "." if path else ""
        for name, cell in module["cells"].items():
            kind = cell["type"]
            connections = {port: tuple(self.bit(b, bits) for b in value) for port, value in cell["connections"].items()}
            if kind in self.source.modules and kind not in self.kept:
                self.instance(kind, connections, (*path, name))
                continue
            if kind in self.source.modules:
                outputs = tuple(
                    port for port, what in self.source.modules[kind]["ports"].items() if what["direction"] == "output"
                )
            elif kind in VENDOR:
                outputs = VENDOR[kind][1]
            elif kind.startswith("$"):
                outputs = tuple(port for port in connections if port in _OUTPUTS)
            else:
                raise UnsupportedError(f"it has a cell {kind}, which the sliced engine does not know")
            if kind == "$mux" and not (connections := self.multiplexer(cell["connections"], connections)):
                continue
            full = prefix + name
            self.cells.append(Cell(kind, part, full, cell["parameters"], connections, outputs))
            if kind == "$mem_v2":
                memory = cell["parameters"]["MEMID"].removeprefix("\\")
                self.contents[full] = self.source.contents.get((module_name, memory), {})
        for name, wire in module["netnames"].items():
            if prefix + name in self.wanted:
                self.names[prefix + name] = tuple(self.bit(b, bits) for b in wire["bits"])
            if (init := wire["attributes"].get("init")) is not None:
                for bit, value in zip(wire["bits"], reversed(init), strict=False):
                    if isinstance(bit, int) and value in "01":
                        self.initial[self.bit(bit, bits)] = int(value)

    def multiplexer(self, raw: dict[str, Any], bits: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The bits of a multiplexer that choose something; others join its select or what they always are.

        Yosys' write enables choose between ones and zeros, and written data between a value and nothing (x).
        """
        left = []
        for i, y in enumerate(bits["Y"]):
            a, b = bits["A"][i], bits["B"][i]
            if a == b or raw["A"][i] == "x":
                self.join(y, b)
            elif (a, b) == (0, 1):
                self.join(y, bits["S"][0])
            else:
                left.append(i)
        return {**{port: tuple(bits[port][i] for i in left) for port in "ABY"}, "S": bits["S"]} if left else {}

    def instance(self, kind: str, connections: dict[str, tuple[int, ...]], path: tuple[str, ...]) -> None:
        inner: dict[Any, int] = {}
        ports = self.source.modules[kind]["ports"]
        for direction in ("input", "output"):
            for name, port in ports.items():
                if port["direction"] != direction:
                    continue
                outer = connections.get(name, ())
                for index, bit in enumerate(port["bits"]):
                    net = outer[index] if index < len(outer) else (0 if direction == "input" else self.fresh())
                    if isinstance(bit, str):
                        self.join(net, self.bit(bit, inner))
                    elif bit in inner:
                        self.join(net, inner[bit])
                    else:
                        inner[bit] = net
        self.open(kind, inner, path)
