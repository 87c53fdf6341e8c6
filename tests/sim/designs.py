"""Small generated designs for the tests of simulation, whole and with planted defects."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from bitwright_core.design import Design
from bitwright_core.errors import ToolError
from bitwright_core.network import Network
from bitwright_core.plan import LayerPlan, Plan
from bitwright_core.verilog_ports import module_text, verilog_ports
from bitwright_sim.tools import Icarus
from tests.sw.networks import random_network

SEED = 11


def small_network(**changes) -> Network:
    """20 values, three layers, scores of both signs; popcounts on both sides of the thresholds."""
    return random_network(SEED, **{"shape": (20,), "bits": 8, "levels": 1, "hidden": (13, 9), "classes": 5, **changes})


def small_plan(network: Network, **changes) -> Plan:
    """Folds that do not divide the layers, and beats that do not divide a frame."""
    folds = [LayerPlan(name=layer.name, pe=4, simd=3) for layer in network.layers]
    return Plan(layers=tuple(folds), **{"data_bits": 64, **changes})


def generate(network: Network, folder: Path, **plan) -> Design:
    from bitwright_hw.generator import generate as write

    return write(network, small_plan(network, **plan), folder)


def frames_for(network: Network, count: int, seed: int = SEED) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << network.input.bits, (count, *network.input.shape))


def copy_design(design: Design, folder: Path) -> Design:
    shutil.copytree(design.folder, folder)
    return Design.load(folder)


# contents of a memory of weights, packed into one constant of pieces that follow each other, highest first
_WEIGHTS = re.compile(
    r"localparam \[\d+:0\] (?P<name>\w+) = (?P<value>[^;]*);\s+initial begin : \w+\s+integer k;\s+"
    r"for [^\n]*\n\s+\\?weights\S* ?\[k\] = (?P=name)\[(?P<width>\d+) \* k \+: \d+\];"
)


def flip_weight(design: Design, folder: Path, *, memory: int, word: int, bit: int) -> Design:
    """A copy with one bit of one weight memory word inverted; `memory` counts weight memories in the file."""
    copy = copy_design(design, folder)
    file = copy.verilog[0]
    text = file.read_text()
    found = list(_WEIGHTS.finditer(text))[memory]
    place = word * int(found["width"]) + bit
    pieces = list(re.finditer(r"(\d+)'h([0-9a-f]+)", found["value"]))
    for piece in reversed(pieces):
        if place < int(piece[1]):
            break
        place -= int(piece[1])
    digits = f"{int(piece[2], 16) ^ 1 << place:0{len(piece[2])}x}"
    start = found.start("value")
    file.write_text(text[: start + piece.start(2)] + digits + text[start + piece.end(2) :])
    return Design.load(folder)


def sabotage(design: Design, folder: Path, *, body: str, **outputs: str) -> Design:
    """A copy whose top is wrapped: `outputs` replaces ports by expressions over `inner_<port>` and `body`."""
    copy = copy_design(design, folder)
    manifest = copy.manifest
    file = copy.verilog[0]
    text = file.read_text()
    ports, wires, pins = [], [], []
    for port in verilog_ports(module_text(text, manifest.top)):
        name, direction, width = port.name, port.direction, port.shape
        ports.append(f"{direction} {width}{name}")
        wires.append(f"  wire {width}inner_{name};")
        source, target = (f"inner_{name}", name) if direction == "input" else (name, f"inner_{name}")
        wires.append(f"  assign {source} = {outputs.get(name, target)};")
        pins.append(f".{name}(inner_{name})")
    text = text.replace(f"module {manifest.top}(", f"module {manifest.top}_inner(", 1)
    text += f"module {manifest.top}({', '.join(ports)});\n" + "\n".join(wires)
    text += f"\n{body}\n  {manifest.top}_inner inner({', '.join(pins)});\nendmodule\n"
    file.write_text(text)
    probes = [replace(probe, valid=f"inner.{probe.valid}", data=f"inner.{probe.data}") for probe in manifest.probes]
    score = manifest.score_probe
    if score is not None:
        score = replace(score, valid=f"inner.{score.valid}", data=f"inner.{score.data}")
    (folder / "manifest.json").write_bytes(replace(manifest, probes=probes, score_probe=score).to_bytes())
    return Design.load(folder)


# counts results; n is the one that is on offer
COUNT_RESULTS = """
  reg [31:0] n = 0;
  always @(posedge aclk)
    if (!aresetn) n <= 0; else if (inner_m_axis_tvalid && inner_m_axis_tready && inner_m_axis_tlast) n <= n + 1;
"""


def need_icarus() -> None:
    try:
        Icarus.find()
    except ToolError as error:
        pytest.skip(f"Icarus Verilog is missing: {error}")
