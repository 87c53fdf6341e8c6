"""Whether what a stream shows depends on its ready in the same cycle: asked of the netlist, so for every state."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from bitwright_hw.emit import ports, without_brackets
from bitwright_hw.tokens import Tokens
from bitwright_hw.yosys import Yosys
from tests.proofs.engine import Outcome, Verdict

AXI_LITE = (("bvalid", "bresp", "bready"), ("rvalid", "rdata", "rresp", "rready"))


def outputs(component: wiring.Component) -> list[tuple[list[str], str]]:
    """For each stream or token that `component` gives: its valid and payload, and its ready, by their Verilog names."""
    names = list(ports(component))
    found = []
    for name, member in component.signature.members.items():
        if not member.is_signature or member.flow != Out:
            continue
        if isinstance(member.signature, stream.Signature) or member.signature == Tokens:
            shown = [n for n in names if n == f"{name}__valid" or n.startswith(f"{name}__payload")]
            if f"{name}__ready" in names:
                found.append((shown, f"{name}__ready"))
    for prefix in ("bus__", "s_axi_control_"):
        for *shown, ready in AXI_LITE:
            if f"{prefix}{ready}" in names:
                found.append(([prefix + n for n in shown], prefix + ready))
    if "m_axis_tready" in names:
        found.append((["m_axis_tvalid", "m_axis_tdata", "m_axis_tkeep", "m_axis_tlast"], "m_axis_tready"))
    return found


def reached(module: Mapping[str, Any], start: Iterable[Any]) -> set[Any]:
    """The wires that those of `start` depend on without a register between."""
    drivers: dict[Any, list[Any]] = {}
    for cell in module["cells"].values():
        if "FF" in cell["type"].upper() or "LATCH" in cell["type"].upper():
            continue
        directions, wires = cell["port_directions"], cell["connections"]
        sources = [bit for port, bits in wires.items() if directions[port] == "input" for bit in bits]
        for port, bits in wires.items():
            if directions[port] == "output":
                drivers.update((bit, sources) for bit in bits)
    seen, todo = set(), list(start)
    while todo:
        bit = todo.pop()
        if bit not in seen:
            seen.add(bit)
            todo += drivers.get(bit, [])
    return seen


def no_ready_paths(*, make: Callable[[], wiring.Component]) -> Outcome:
    """Whether no stream of a component shows anything that depends on its own ready in that cycle."""
    began = time.monotonic()
    component = make()
    shared = getattr(component, "shared", {})
    with tempfile.TemporaryDirectory(prefix="bitwright-proof-") as folder_name:
        folder, commands = Path(folder_name), []
        for name, part in {**shared, "spec": component}.items():
            text = without_brackets(rtlil.convert(part, name=name, ports=ports(part), emit_src=False))
            (folder / f"{name}.il").write_text(text)
            commands.append(f"read_rtlil {name}.il")
        commands += ["hierarchy -check -top spec", "proc", "flatten", "opt -full", "memory -nomap", "memory_map"]
        Yosys().run([*commands, "opt -full", "simplemap", "opt_clean", "write_json spec.json"], folder)
        module = json.loads((folder / "spec.json").read_text())["modules"]["spec"]
    wires = {name: port["bits"] for name, port in module["ports"].items()}
    streams = outputs(component)
    if not streams:
        raise ValueError(f"{type(component).__name__} gives no stream with a ready")
    for shown, ready in streams:
        found = reached(module, [bit for name in shown for bit in wires[name]])
        if found & {bit for bit in wires[ready] if isinstance(bit, int)}:
            return Outcome(
                verdict=Verdict.FAILS,
                seconds=time.monotonic() - began,
                claim=f"{ready.removesuffix('__ready')} depends on {ready}",
            )
    return Outcome(verdict=Verdict.HOLDS, seconds=time.monotonic() - began)
