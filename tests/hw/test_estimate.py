# amaranth: UnusedElaboratable=no
"""The model of LUTs and block RAM: against Yosys' own counts, and how it moves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bitwright as bw
from bitwright_core.plan import Fold, LayerPlan, Plan
from bitwright_hw.emit import emit
from bitwright_hw.engines.folded import folded_stage
from bitwright_hw.estimate import estimate
from bitwright_hw.families import COUNTED, ECP5, XC7
from bitwright_hw.families.xc7.lut_rom import LutRom, lut_rom_luts
from bitwright_hw.gearbox import Gearbox
from bitwright_hw.synth import synthesize_verilog
from tests.sw.networks import random_network

# folds that divide and that do not, which takes a shifting gearbox; the model was fitted to others
CASES = [
    ("xc7", {"pe": [8, 4, 3], "simd": [16, 8, 4]}, ("block", "distributed", "auto")),
    ("xc7", {"pe": [5, 4, 2], "simd": [11, 8, 8]}, ("distributed", "block", "block")),
    ("ecp5", {"pe": [8, 4, 3], "simd": [16, 8, 4]}, ("block", "distributed", "auto")),
    ("ecp5", {"pe": [3, 5, 1], "simd": [24, 6, 16]}, ("auto", "auto", "auto")),
    ("ice40", {"pe": [3, 5, 1], "simd": [24, 6, 16]}, ("auto", "auto", "auto")),
    ("gowin", {"pe": [8, 4, 3], "simd": [16, 8, 4]}, ("block", "distributed", "auto")),
    ("gowin", {"pe": [3, 5, 1], "simd": [24, 6, 16]}, ("auto", "auto", "auto")),
]


@pytest.mark.parametrize(
    ("family", "folds", "memories"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] if index in (1, 3, 5, 6) else [])
        for index, case in enumerate(CASES)
    ],
)
def test_it_agrees_with_yosys(tmp_path, family, folds, memories):
    network = random_network(3, shape=(8, 8), bits=8, levels=1, hidden=(16, 16))
    plan = bw.size(network, **folds, target=family)
    layers = zip(plan.layers, memories, strict=True)
    plan = replace(plan, layers=tuple(replace(layer, memory=memory) for layer, memory in layers))
    report = bw.synth(bw.generate(network, plan, tmp_path / "d"))
    expected = bw.estimate(network, plan)
    assert report.estimate == expected
    assert abs(expected.total.luts / report.total.luts - 1) <= 0.15
    assert expected.total.block_rams == report.total.block_rams
    for mine, theirs in zip(expected.layers, report.layers, strict=True):
        assert mine.total.block_rams == theirs.total.block_rams
        assert abs(mine.engine.luts - theirs.engine.luts) <= 0.15 * theirs.engine.luts + 15
    assert abs(expected.total.ffs / report.total.ffs - 1) <= 0.25


def network_of(seed=1):
    return random_network(seed, shape=(20, 20), bits=8, levels=1, hidden=(64, 48))


@given(st.integers(1, 42), st.integers(1, 120), st.sampled_from([XC7, ECP5]))
@settings(max_examples=60)
def test_more_rows_take_more(pe, simd, family):
    layer = network_of().layers[0]

    def luts(rows):
        fold = Fold(inputs=layer.inputs, outputs=layer.outputs, pe=rows, simd=simd)
        choice = LayerPlan(name=layer.name, pe=rows, simd=simd, memory="block")
        return folded_stage("engine", layer, fold, choice, Plan(layers=(), target=family.name)).cost(family.costs).luts

    # with all rows at a time the memory of preloads goes; with few, its depth may take it from LUTs to a block
    more = pe + max(1, pe // 2)
    assert luts(pe) <= luts(more) * 1.02 + 24


@given(st.integers(1, 4000), st.integers(2, 5000), st.sampled_from(COUNTED))
@settings(max_examples=200)
def test_block_ram_grows_with_width_and_depth(width, depth, family):
    block_rams = family.costs.block_rams
    blocks = block_rams(width, depth)
    # choosing among banks has a price, so a wider memory may lie in one block less, of shallower banks
    assert blocks <= block_rams(width + 1, depth) + 1
    assert blocks <= block_rams(width, depth + 1) or depth.bit_length() < (depth + 1).bit_length()
    kbit = {"xc7": 36, "ecp5": 18, "ice40": 4, "gowin": 18}[family.name]
    assert blocks * kbit * 1024 >= width * depth


ROM = """module rom(input clk, input en, input [{address}:0] at, output reg [{top}:0] word);
(* rom_style = "block" *) reg [{top}:0] words [{last}:0];
initial $readmemh("{file}", words);
always @(posedge clk) if (en) word <= words[at];
endmodule
"""


@pytest.mark.parametrize(
    ("family", "width", "depth", "blocks"),
    [
        (XC7, 14, 2200, 1),  # five words beside each other in a row of 72 bits
        pytest.param(XC7, 14, 3082, 1.5, marks=pytest.mark.slow),
        pytest.param(ECP5, 25, 7503, 12, marks=pytest.mark.slow),  # eleven blocks would need more multiplexers
        pytest.param(ECP5, 41, 5441, 14, marks=pytest.mark.slow),
    ],
)
def test_words_side_by_side_take_the_blocks_that_yosys_takes(tmp_path, family, width, depth, blocks):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, (depth, width), np.uint8)
    words, module = tmp_path / "words.hex", tmp_path / "rom.v"
    words.write_text("\n".join(f"{int(''.join(map(str, row)), 2):x}" for row in rows))
    module.write_text(ROM.format(address=(depth - 1).bit_length() - 1, top=width - 1, last=depth - 1, file=words))
    counts = synthesize_verilog([module], "rom", family=family, check=False)["rom"]
    assert counts.block_rams == family.costs.block_rams(width, depth) == blocks


def test_a_host_that_encodes_saves_what_the_encoder_takes():
    network = random_network(3, shape=(64,), bits=8, levels=3, hidden=(16,))
    plan = bw.size(network, cycles=64, target="xc7")
    inside = estimate(network, plan, family=XC7).other.luts
    assert estimate(network, replace(plan, encoding="host"), family=XC7).other.luts < inside


@pytest.mark.parametrize(("words", "width"), [(20, 9), (50, 12), (190, 5), (600, 4)])
def test_weights_in_luts_take_what_they_should(tmp_path, words, width):
    rng = np.random.default_rng(words)
    rom = LutRom(width=width, words=[int(word) for word in rng.integers(0, 1 << width, words)])
    file = tmp_path / "rom.v"
    file.write_text(emit(rom, "rom"))
    counts = synthesize_verilog([file], "rom", family=XC7)["rom"]
    assert counts.luts == lut_rom_luts(words, width)
    assert counts.block_rams == 0


def test_columns_that_are_equal_or_constant_take_nothing(tmp_path):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, 40)
    words = [int(bit) * 0b0111 | 0b1000 for bit in bits]  # three equal bits, a 1, and a 0 above
    file = tmp_path / "rom.v"
    file.write_text(emit(LutRom(width=5, words=words), "rom"))
    assert synthesize_verilog([file], "rom", family=XC7)["rom"].luts == 1


@pytest.mark.parametrize("widths", [(8, 18), (12, 18), (8, 5), (12, 5)])
def test_a_shifting_gearbox_is_no_monster_on_ecp5(tmp_path, widths):
    """One case for each position of a word made thousands of LUT4s."""
    file = tmp_path / "gearbox.v"
    file.write_text(emit(Gearbox(in_width=widths[0], out_width=widths[1], bits=200), "gearbox"))
    assert synthesize_verilog([file], "gearbox", family=ECP5)["gearbox"].luts < 400
