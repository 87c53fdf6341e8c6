"""Emitted Verilog as people read it: comments, heads, names, Verilator's warnings; and that it is the same design."""

import re
import subprocess
from dataclasses import replace

import pytest

import bitwright as bw
from bitwright_hw import emit
from bitwright_hw.verilog_heads import ansi_heads
from bitwright_hw.verilog_names import PlainNames
from bitwright_sim.tools import Verilator
from tests.hw.same_netlist import netlist
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_network

# what Verilator's -Wall says of emitted Verilog, each with its reason
WARNINGS = {
    "DECLFILENAME": "all modules are in one file, which is named as the top",
    "UNUSEDSIGNAL": "fields of structures have names of their own, read or not",
    "PROCASSINIT": "registers have the value of reset from power-up, too",
    "WIDTHEXPAND": "operands are as wide as their values need, and Verilog extends them",
    "WIDTHTRUNC": "a bit of a constant is chosen by a shift",
    "CASEOVERLAP": "a choice by bits of which one is 1 is a casez, whose patterns would overlap if two were",
}


class Spy(PlainNames):
    """Keeps the text that Yosys wrote, with all contents of memories in it."""

    raw = ""
    last: PlainNames

    def applied(self, text):
        Spy.raw, Spy.last = text, self
        return super().applied(text)


def made(folder, name="small", **options):
    network = random_network(5, shape=(6, 4), bits=3, levels=2, hidden=(12,), classes=4)
    return bw.generate(network, replace(bw.size(network, cycles=24, scores=True), **options), folder, name=name)


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emit, "PlainNames", Spy)
        return made(tmp_path_factory.mktemp("readable") / "design", target="xc7")


def test_every_module_has_a_comment_and_ports_in_its_head(design):
    text = design.verilog[0].read_text()
    heads = list(re.finditer(r"((?:^//[^\n]*\n)+)\n*module (\w+)\(\n(.*?)\n\);$", text, re.M | re.S))
    assert len(heads) == len(re.findall(r"^module ", text, re.M)) > 10
    assert "\\" not in text and max(map(len, text.splitlines())) <= 120
    for _, _, ports in (head.groups() for head in heads):
        first, *_ = lines = ports.split(",\n")
        assert all(re.match(r"  (input|output) (wire|reg) ", line) for line in lines), ports
        assert first.split()[-1] in ("clk", "aclk", "axi_clk") or "clk" not in ports
    said = {module: comment for comment, module, _ in (head.groups() for head in heads)}
    engine = said["bitwright_small__core__engine_0"]
    layer = design.manifest.layers[0]
    assert "MatrixEngine: Popcounts of agreeing lanes" in engine and f"latency {layer.latency_cycles} cycles" in engine
    assert f"pe {layer.pe} simd {layer.simd}" in " ".join(engine.replace("//", "").split())
    assert not set("`$") & set("".join(said.values()))


def test_a_streams_signals_stand_together(design):
    text = design.verilog[0].read_text()
    head = text.partition(f"module {design.manifest.top}(\n")[2].partition(");")[0]
    names = [line.rstrip(",").split()[-1] for line in head.splitlines() if line]
    assert names[:7] == ["aclk", "aresetn", *(f"s_axis_t{one}" for one in ("data", "keep", "valid", "ready", "last"))]
    streams = [re.match(r"s_axis|m_axis|s_axi_control|a", name)[0] for name in names]
    assert sorted(set(streams), key=streams.index) == ["a", "s_axis", "m_axis", "s_axi_control"]
    assert streams == sorted(streams, key=["a", "s_axis", "m_axis", "s_axi_control"].index)


def test_it_is_the_design_that_yosys_wrote(design, tmp_path):
    """Names, heads and comments change nothing else; a planted fault would be seen."""
    text = design.verilog[0].read_text()
    raw = netlist(Spy.raw, tmp_path, Spy.last.names)
    assert netlist(text, tmp_path, {}) == raw
    for old, new in [(" reg batch = 1'h0", " reg batch = 1'h1"), ("input wire rst", "output wire rst")]:
        assert old in text
        assert netlist(text.replace(old, new, 1), tmp_path, {}) != raw


def test_names_stay_apart():
    text = "module \\t.a (\\x$1 , x_1, \\x.1 , \\buf );\n  \\t.b  b (.\\x$1 (x_1));\n"
    names = PlainNames(text, kept=["x.1"])
    assert names.applied(text) == "module t__a(x_1_, x_1, \\x.1 , buf_);\n  t__b b (.x_1_(x_1));\n"
    assert names.of("x$1") != "x_1" and names.of("buf") == "buf_" and names.of("x.1") == "x.1"


def test_ports_that_yosys_would_write_otherwise_are_refused():
    with pytest.raises(RuntimeError, match="declares the ports of module a in another way"):
        ansi_heads("module a(x, y);\n  input x;\n  wire x;\nendmodule\n", {}, {})
    with pytest.raises(RuntimeError, match="declares port x in another way"):
        ansi_heads("module a(x);\n  input x;\nendmodule\n", {}, {})


def lint(design):
    """Verilator's warnings of a design, those of WARNINGS left out."""
    tool = Verilator.find()
    off = [f"-Wno-{name}" for name in WARNINGS]
    files = [*design.verilog, *(design.folder / model for model in design.manifest.simulation_models)]
    command = [tool.executable, "--lint-only", "-Wall", *off, "--top-module", design.manifest.top, *files]
    done = subprocess.run(command, capture_output=True, text=True, env=tool.environment(), check=False)
    return done.stderr


def test_verilator_says_nothing_but_what_is_named(design):
    assert lint(design) == ""


@pytest.mark.slow
def test_verilator_says_nothing_of_convolutions(tmp_path):
    network = random_conv_network(3)
    for target in ("generic", "ecp5"):
        plan = replace(bw.size(network, cycles=4000), target=target)
        assert lint(bw.generate(network, plan, tmp_path / target)) == ""
