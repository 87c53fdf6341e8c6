# amaranth: UnusedElaboratable=no
"""Weights in 7-series LUTs, simulated: every integer of every layer against the golden model."""

from dataclasses import replace

import pytest

import bitwright as bw
from bitwright_hw.families.xc7.lut_rom import LutRom
from tests.sw.networks import random_frames, random_network

# words of the three memories: pairs in a LUT6_2; one LUT6; two, three and four under multiplexers; more than 256
FOLDS = {
    "pairs and LUTs": ([4, 4, 1], [12, 8, 2]),
    "multiplexers": ([2, 1, 1], [6, 2, 8]),
    "beyond a slice": ([1, 1, 1], [2, 3, 1]),
}


@pytest.mark.parametrize("name", FOLDS)
def test_every_integer_is_right(tmp_path, name):
    network = random_network(7, shape=(6, 8), bits=4, levels=1, hidden=(20, 16), classes=5)
    pe, simd = FOLDS[name]
    plan = bw.size(network, pe=pe, simd=simd, target="xc7", scores=True)
    plan = replace(plan, layers=tuple(replace(layer, memory="distributed") for layer in plan.layers))
    design = bw.generate(network, plan, tmp_path / "d")
    assert "LUT6" in design.verilog[0].read_text()
    report = bw.verify(design, random_frames(network, 60), jobs=1)
    assert report.frames == 60 and report.mismatches == 0


def test_words_must_have_the_width():
    with pytest.raises(ValueError, match="words must be of 3 bits"):
        LutRom(width=3, words=[1, 8])
    with pytest.raises(ValueError, match="at least 1 bit and 2 words, not 3 and 1"):
        LutRom(width=3, words=[1])
