# amaranth: UnusedElaboratable=no
"""The emitted text: lines, names, attributes, the contents of memories; two designs in one project."""

import random
import re
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

import bitwright as bw
from bitwright_core.errors import DesignError
from bitwright_core.framing import pack_frames
from bitwright_core.golden import classify
from bitwright_core.network import Scores
from bitwright_hw.emit import emit
from bitwright_hw.memory_contents import MOST_WORDS, Contents
from bitwright_hw.memory_files import with_files
from bitwright_hw.rom import Rom as ReadOnly
from bitwright_hw.verilog_lines import LINE, constant, short_lines
from bitwright_hw.yosys import Yosys
from tests.hw.benches import require_icarus
from tests.sw.networks import random_frames, random_network, varied_network

UG901 = {
    "ram_style": {"auto", "block", "distributed", "registers", "ultra"},
    "rom_style": {"auto", "block", "distributed"},
}


class Rom(wiring.Component):
    """Words, a cycle after their address."""

    def __init__(self, width, words):
        self.width, self.words = width, words
        super().__init__({"a": In(range(max(2, len(words)))), "q": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = memory.Memory(shape=unsigned(self.width), depth=len(self.words), init=self.words)
        read = rom.read_port()
        m.d.comb += [read.addr.eq(self.a), read.en.eq(1), self.q.eq(read.data)]
        return m


def words_in_yosys(text, folder):
    """The words that Yosys finds in the text's only memory."""
    (folder / "rom.v").write_text(text)
    Yosys().run(["read_verilog rom.v", "proc", "memory_collect", "write_rtlil rom.il"], folder)
    cell = (folder / "rom.il").read_text().partition("cell $mem_v2")[2]
    width = int(re.search(r"\\WIDTH (\d+)", cell)[1])
    digits = re.search(r"\\INIT \d+'([01]+)", cell)[1]
    return [int(digits[end - width : end], 2) for end in range(len(digits), 0, -width)]


ROMS = [
    pytest.param(width, depth, id=f"{width}x{depth}")
    for width, depth in [
        (1, 2),
        (1, 300),
        (3, 257),
        (4, 2 * MOST_WORDS),
        (17, 500),
        (64, 70),
        (65, 3),
        (300, 5),
        (5000, 2),
    ]
]


@pytest.mark.parametrize("width, depth", ROMS)
def test_memories_keep_their_words(width, depth, tmp_path):
    dice = random.Random(width)
    words = [dice.getrandbits(width) for _ in range(depth)]
    text = emit(Rom(width, words), "rom")
    assert max(map(len, text.splitlines())) <= LINE
    assert words_in_yosys(text, tmp_path) == words


@pytest.mark.parametrize("width, depth", ROMS)
def test_yosys_reads_the_same_words_from_files(width, depth, tmp_path):
    dice = random.Random(width)
    words = [dice.getrandbits(width) for _ in range(depth)]
    text = with_files(emit(Rom(width, words), "rom"), tmp_path, "rom")
    assert "fill_" not in text and "$readmemh" in text
    assert words_in_yosys(text, tmp_path) == words
    two = with_files("  initial begin\n    a[0] = 4'h1;\n    b[1] = 4'h2;\n    b[3] = 4'h2;\n  end\n", tmp_path, "two")
    assert [line.split(", ", 1)[1] for line in two.splitlines()] == ["a , 0, 0);", "b , 1, 1);", "b , 3, 3);"]
    other = "  initial begin : fill_0_0\n    a[0] = 4'h1;\n    b = 4'h2;\n  end\n"
    assert with_files(other, tmp_path, "other") == other  # it does something else, too: left as it is


class Looked(wiring.Component):
    """A read-only memory of the project, a cycle after its address."""

    def __init__(self, contents):
        self.contents = contents
        super().__init__({"a": In(range(max(2, contents.depth))), "q": Out(contents.width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = ReadOnly(self.contents, attrs={})
        read = rom.read_port()
        m.d.comb += [read.addr.eq(self.a), read.en.eq(1), self.q.eq(read.data)]
        return m


@pytest.mark.parametrize("width, depth", [(1, 2), (7, 40), (130, 9)])
def test_contents_are_the_same_in_verilog_and_in_amaranths_simulator(width, depth, tmp_path):
    dice = random.Random(width)
    words = [dice.getrandbits(width) for _ in range(depth)]
    contents = Contents.of(width, words)
    assert list(contents.words) == words and (contents.width, contents.depth) == (width, depth)
    assert words_in_yosys(emit(Looked(contents), "rom"), tmp_path) == words
    found = []

    async def read(ctx):
        for address in range(depth):
            ctx.set(looked.a, address)
            await ctx.tick()
            found.append(ctx.get(looked.q))

    looked = Looked(contents)
    simulator = Simulator(looked)
    simulator.add_clock(1e-6)
    simulator.add_testbench(read)
    simulator.run()
    assert found == words


def test_contents_are_bits():
    for bits in (np.zeros((2, 3)), np.zeros(3, np.uint8), np.zeros((0, 3), np.uint8)):
        with pytest.raises(ValueError, match="array of uint8"):
            Contents(bits=bits)
    for words in ([4], [-1]):
        with pytest.raises(ValueError, match="words must be of 2 bits"):
            Contents.of(2, words)


def test_large_memories_take_no_time():
    """Amaranth takes some 5 s for these 2^20 bits in 2^18 words."""
    contents = Contents(bits=np.random.default_rng(1).integers(0, 2, (1 << 18, 4), dtype=np.uint8))
    started = time.process_time()
    text = emit(Looked(contents), "rom")
    assert time.process_time() - started < 2
    assert text.count("localparam") == contents.depth // MOST_WORDS


def test_words_alike_are_one_loop(tmp_path):
    words = [5] * 200 + [*range(8)] * 60
    text = emit(Rom(4, words), "rom")
    assert words_in_yosys(text, tmp_path) == words


def test_icarus_fills_memories(tmp_path):
    require_icarus()
    dice = random.Random(1)
    roms = {"narrow": (9, 300), "wide": (300, 3)}
    words = {name: [dice.getrandbits(width) for _ in range(depth)] for name, (width, depth) in roms.items()}
    for name, (width, _) in roms.items():
        (tmp_path / f"{name}.v").write_text(emit(Rom(width, words[name]), name))
    reads = "".join(
        f"  reg [15:0] a_{name} = 0;\n  wire [{width - 1}:0] q_{name};\n"
        f"  {name} r_{name} (.a(a_{name}), .q(q_{name}), .clk(clk), .rst(0));\n"
        f"  initial for (a_{name} = 0; a_{name} < {depth}; a_{name} = a_{name} + 1) begin\n"
        f'    #2; $display("{name} %h", q_{name});\n  end\n'
        for name, (width, depth) in roms.items()
    )
    (tmp_path / "bench.v").write_text(
        f"module bench;\n  reg clk = 0;\n  always #1 clk = ~clk;\n{reads}  initial #700 $finish;\nendmodule\n"
    )
    subprocess.run(
        ["iverilog", "-g2005", "-o", "bench.vvp", "bench.v", *(f"{name}.v" for name in roms)], cwd=tmp_path, check=True
    )
    done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    for name in roms:
        found = [int(line.split()[1], 16) for line in done.stdout.splitlines() if line.startswith(name)]
        assert found == words[name]


def test_long_lines_are_broken_between_tokens():
    digits = "".join(random.Random(3).choice("01") for _ in range(1001))
    names = ", ".join(f"a{k}" for k in range(999))
    line = f'  assign x = {{ {names}, {len(digits)}\'h{int(digits, 2):0251x}, \\b$3 , "a  b" }};'
    text = short_lines(line)
    lines = text.split("\n")
    assert max(map(len, lines)) <= LINE and all(part.startswith("      ") for part in lines[1:])
    tokens = " ".join(part.strip() for part in lines)
    pieces = re.findall(r"(\d+)'h(\w+)", tokens)
    assert "".join(f"{int(value, 16):0{width}b}" for width, value in pieces) == digits
    assert constant(digits) == re.search(r"\{ \d+'h[^}]*\}", tokens)[0]
    assert tokens.startswith("assign x = { a0, a1, ") and tokens.endswith('\\b$3 , "a  b" };')
    assert short_lines("  wire a;\n\nx") == "  wire a;\n\nx"


def designs_text(design):
    return design.verilog[0].read_text()


@pytest.mark.parametrize("target", ["generic", "xc7", "ecp5"])
def test_attributes_are_those_that_vivado_knows(target, tmp_path):
    network = random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(64, 48))
    design = bw.generate(network, bw.size(network, pe=[8, 8, 1], simd=[1, 16, 4], target=target), tmp_path / "d")
    text = designs_text(design)
    found = re.findall(r"\(\* (\w+) = \"?(\w+)", text)
    for name, value in found:
        assert name in UG901 or name in ("full_case", "parallel_case"), name
        if name in UG901:
            assert value in UG901[name], f"{name} = {value}"
    styles = {style for style in found if style[0] == "rom_style"}
    assert ("rom_style", "block") in styles, "weights of 64 words"
    assert ("ram_style", "block") not in found, "no memory here that is written is large"
    for attributes in re.findall(r"((?:  \(\* .* \*\)\n)+)  reg .*\];", text):
        assert ("ram_style" in attributes) == ("registers" in attributes or "rom_style" not in attributes)


@pytest.mark.parametrize("target", ["xc7", "ecp5"])
def test_only_the_design_is_in_the_folder_itself(target, tmp_path):
    """DESIGN/*.v is what a vendor's tool takes: models of its own cells would stand in their place."""
    design = bw.generate(random_network(1), bw.size(random_network(1), target=target), tmp_path / "d")
    assert [file.name for file in design.folder.glob("*.v")] == [f"{design.manifest.top}.v"]
    assert design.manifest.simulation_models == [f"sim/{target}.v"]
    assert [file.name for file in design.simulation_sources] == [f"{target}.v", f"{design.manifest.top}.v"]
    bw.generate(random_network(1), bw.size(random_network(1)), tmp_path / "d")  # over it
    assert not (tmp_path / "d" / "sim").exists()


def test_a_file_beside_the_models_is_not_removed(tmp_path):
    network = random_network(1)
    design = bw.generate(network, bw.size(network, target="xc7"), tmp_path / "d")
    (design.folder / "sim" / "mine.v").write_text("// mine\n")
    with pytest.raises(DesignError, match=r"holds sim/mine\.v, which no earlier design put there"):
        bw.generate(network, None, tmp_path / "d")
    assert (design.folder / "sim" / "mine.v").exists()


def modules(text):
    return re.findall(r"^module \\?([^\s(]+)", text, re.M)


def test_module_names_begin_with_the_tops(tmp_path):
    network = random_network(2)
    design = bw.generate(network, bw.size(network, cycles=64, target="xc7"), tmp_path / "a")
    top = design.manifest.top
    names = modules(designs_text(design))
    assert top in names and any(name.startswith(f"{top}__row_") for name in names)
    assert all(name == top or name.startswith(f"{top}__") for name in names)


def test_names_of_designs(tmp_path):
    """Equal layers of two seeds, and two plans of a network, have tops of their own; a name is what was asked for."""
    one, other = bw.dense_layer(8, 4, seed=1), bw.dense_layer(8, 4, seed=2)
    plans = [bw.size(one, cycles=1), bw.size(one, cycles=32)]
    designs = [
        bw.generate(net, plan, tmp_path / f"{k}")
        for k, (net, plan) in enumerate([(one, plans[0]), (other, plans[0]), (one, plans[1]), (one, plans[0])])
    ]
    tops = [design.manifest.top for design in designs]
    assert len({*tops}) == 3 and tops[0] == tops[3]
    assert all(re.fullmatch(r"bitwright_dense_8x4_[0-9a-f]{8}", top) for top in tops)
    named = bw.generate(one, plans[0], tmp_path / "named", name="first")
    assert (named.manifest.name, named.manifest.top) == ("first", "bitwright_first")
    assert [file.name for file in named.verilog] == ["bitwright_first.v"]
    for name in ("First", "a-b", "1a", "", "a b", "a\n", "../x"):
        with pytest.raises(DesignError, match="must be a lower-case identifier"):
            bw.generate(one, plans[0], tmp_path / "bad", name=name)
    assert not (tmp_path / "bad").exists()


def test_the_command_names_the_design(tmp_path, capsys):
    from bitwright.cli import main

    layer = ["generate", "--layer", "dense", "--inputs", "8", "--outputs", "4"]
    assert main([*layer, "--seed", "3", "--name", "gate", "--out", str(tmp_path / "d")]) == 0
    assert (tmp_path / "d" / "bitwright_gate.v").is_file()
    assert main([*layer, "--seed", "3", "--name", "Gate", "--out", str(tmp_path / "e")]) != 0
    assert "design 'Gate' must be a lower-case identifier" in capsys.readouterr().err


FRAMES = 12
BENCH = """module bench;
  reg clk = 0, reset_n = 0;
  always #1 clk = ~clk;
  initial begin #10; reset_n = 1; #20000; $finish; end
{designs}endmodule
"""
SIDE = """  reg [63:0] beats_{k} [0:{last}];
  integer sent_{k} = 0;
  wire ready_{k}, valid_{k};
  wire [63:0] result_{k};
  {top} dut_{k} (.aclk(clk), .aresetn(reset_n), .s_axis_tdata(beats_{k}[sent_{k}]), .s_axis_tkeep({keep}),
    .s_axis_tlast(sent_{k} % {beats} == {beats} - 1), .s_axis_tvalid(reset_n && sent_{k} <= {last}),
    .s_axis_tready(ready_{k}), .m_axis_tready(1'b1), .m_axis_tvalid(valid_{k}), .m_axis_tdata(result_{k}),
    .s_axi_control_awaddr(8'd0), .s_axi_control_awprot(3'd0), .s_axi_control_awvalid(1'b0),
    .s_axi_control_wdata(32'd0), .s_axi_control_wstrb(4'd0), .s_axi_control_wvalid(1'b0),
    .s_axi_control_bready(1'b1), .s_axi_control_araddr(8'd0), .s_axi_control_arprot(3'd0),
    .s_axi_control_arvalid(1'b0), .s_axi_control_rready(1'b1));
  initial begin
{fill}  end
  always @(posedge clk) begin
    if (reset_n && ready_{k} && sent_{k} <= {last}) sent_{k} <= sent_{k} + 1;
    if (valid_{k}) $display("result {k} %0d", result_{k});
  end
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two designs with rows of equal shape for different targets, a bench around both, and the classes to come."""
    folder = tmp_path_factory.mktemp("pair")
    designs, sides, expected = [], [], []
    for k, target in enumerate(("xc7", "ecp5")):
        network = varied_network(7 + k, inputs=16, sizes=[12, 5], bits=1)
        plain = Scores(scale=np.ones(5, int), offset=np.zeros(5, int))
        network = replace(network, layers=(network.layers[0], replace(network.layers[1], output=plain)))
        plan = bw.size(network, pe=[6, 5], simd=[16, 6], target=target)
        design = bw.generate(network, plan, folder / target)
        frames = random_frames(network, FRAMES, seed=k)
        words = pack_frames(network, plan, frames).reshape(-1, 8).copy().view("<u8")[:, 0].tolist()
        form = design.manifest.input
        assert form.beats == 1 and form.data_bits == 64
        sides.append(
            SIDE.format(
                k=k,
                last=len(words) - 1,
                top=design.manifest.top,
                keep=f"8'd{(1 << form.bytes) - 1}",
                beats=form.beats,
                fill="".join(f"    beats_{k}[{i}] = 64'h{word:016x};\n" for i, word in enumerate(words)),
            )
        )
        expected.append(classify(network, frames).tolist())
        designs.append(design)
    assert all(len({*classes}) > 1 for classes in expected)
    (folder / "bench.v").write_text(BENCH.format(designs="".join(sides)))
    return folder, designs, expected


def results(output):
    found = re.findall(r"^result (\d) (\d+)$", output, re.M)
    return [[int(value) for side, value in found if side == str(k)] for k in range(2)]


def in_icarus(folder, files):
    require_icarus()
    command = ["iverilog", "-g2005", "-s", "bench", "-o", "pair.vvp", *map(str, files), "bench.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return subprocess.run(["vvp", "-n", "pair.vvp"], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_two_designs_in_one_icarus_project(pair):
    folder, designs, expected = pair
    assert results(in_icarus(folder, [file for design in designs for file in design.simulation_sources])) == expected


def test_two_designs_in_one_yosys_design(pair):
    """Yosys reads both, refuses a module that comes twice, and what it writes of them still gives both results."""
    folder, designs, expected = pair
    files = [file for design in designs for file in design.simulation_sources]
    reads = [f'read_verilog "{file}"' for file in files]
    Yosys().run([*reads, "hierarchy -check", "proc", "memory_collect", "write_verilog both.v"], folder)
    assert results(in_icarus(folder, [folder / "both.v"])) == expected


@pytest.mark.slow
def test_two_designs_in_one_verilator_model(pair):
    from bitwright_sim.tools import Compiler, Verilator

    folder, designs, expected = pair
    tool = Verilator.find()
    files = [str(file) for design in designs for file in design.simulation_sources]
    environment = tool.build_environment(folder, Compiler.find())
    command = [str(tool.executable), "--binary", "--timing", "-CFLAGS", "-std=c++20", "-Wno-fatal", "-Werror-MODDUP"]
    done = subprocess.run(
        [*command, "--top-module", "bench", "-Mdir", "work", *files, "bench.v"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["work/Vbench"], cwd=folder, check=True, capture_output=True, text=True)
    assert results(done.stdout) == expected
