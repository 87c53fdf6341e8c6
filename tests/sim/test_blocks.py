"""Large designs in parts: how the text is cut, that nothing changes, and what a change builds again."""

import re
from dataclasses import replace

import numpy as np
import pytest

import bitwright as bw
from bitwright_core.framing import pack_frames
from bitwright_sim.cache import BuildCache
from bitwright_sim.native import build
from bitwright_sim.native.blocks import NoBlocksError, cut
from bitwright_sim.native.build import build_native
from bitwright_sim.native.model import NativeModel
from bitwright_sim.native.stalls import Pattern
from tests.sw.conv_networks import random_conv_network
from tests.sw.networks import random_frames, random_network

NETWORK = random_network(5, shape=(8, 8), bits=1, levels=1, hidden=(32, 32), classes=4)


def made(network, folder, **options):
    plan = bw.size(network, pe=3, simd=16, target="xc7", scores=True)
    return bw.generate(network, replace(plan, **options), folder, name="cut")


def nets(design):
    probed = [*design.manifest.probes, design.manifest.score_probe]
    return [net for probe in probed for net in (probe.valid, probe.data)]


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    return made(NETWORK, tmp_path_factory.mktemp("cut") / "design")


def small_parts(design, least=0):
    return cut(design.verilog[0].read_text(), design.manifest.top, nets(design), least=0)


def test_what_becomes_a_block(design):
    text, top = design.verilog[0].read_text(), design.manifest.top
    assert cut(text, top, nets(design), least=1_000_000) is None
    found = small_parts(design)
    names = [block.module for block in found.blocks]
    rows = [name for name in names if "__row_" in name]
    assert rows and {f"design__core__engine_{k}" for k in range(3)} <= set(names)
    for at, block in enumerate(found.blocks):
        assert set(block.inside) <= set(names[:at])
        assert f"module {block.module}(" in found.rest + "".join(block.texts)
        assert block.texts and f"module {block.module}(" not in found.rest
    assert top in found.rest and f"{top}__" not in found.rest
    # every module is in one place
    modules = re.findall(r"^module (\w+)", text, re.M)
    places = [
        name
        for part in (found.rest, *("".join(block.texts) for block in found.blocks))
        for name in re.findall(r"^module (\w+)", part, re.M)
    ]
    assert sorted(places) == sorted(name.replace(f"{top}__", "design__") for name in modules)


def test_probes_into_a_block_come_out_of_it(design):
    found = small_parts(design)
    block = next(block for block in found.blocks if block.module.endswith("engine_0"))
    assert [net.name for net in block.seen] == ["o__payload"]
    assert "assign seen_o__payload = part.o__payload;" in block.top
    assert ".seen_o__payload(o__payload)" in block.shell and "output o__valid;" in block.shell


def test_other_text_is_left_whole(design):
    text, top = design.verilog[0].read_text(), design.manifest.top
    with pytest.raises(NoBlocksError, match="there is no module other"):
        cut(text, "other", [], least=0)
    with pytest.raises(NoBlocksError, match="has no net nothing"):
        cut(text, top, ["core.engine_0.nothing"], least=0)
    twice = text + text[text.index("module ") :]
    with pytest.raises(NoBlocksError, match="written in another way"):
        cut(twice, top, [], least=0)
    odd = text.replace("  input wire clk,\n", "  input logic clk,\n")
    with pytest.raises(NoBlocksError, match="its ports are written"):
        cut(odd, top, nets(design), least=0)
    endless = "module a (x);\n  \\b  b (\n  );\nendmodule\nmodule \\b (x);\n  a  a (\n  );\nendmodule\n"
    with pytest.raises(NoBlocksError, match="is in itself"):
        cut(endless, "a", [], least=0)


def runs(design, network, library):
    """What the design does with and without stalls, as one array each."""
    frames = pack_frames(network, design.plan, random_frames(network, 12, seed=3).reshape(12, -1))
    found = []
    with NativeModel(design, library=library) as model:
        for stalls in (0.0, 0.3):
            result = model.run(frames, Pattern(seed=4, stall_in=stalls, stall_out=stalls), trace=20_000)
            found += [result.trace, result.beats, *result.probes, result.first_in, result.last_out]
    return found


def same_in_parts(network, design, cache, monkeypatch, *, quick):
    whole = runs(design, network, build_native(design, quick=quick, cache=cache))
    monkeypatch.setattr(build, "in_parts", small_parts)
    other = BuildCache(cache.folder / "parts")
    parts = runs(design, network, build_native(design, quick=quick, cache=other))
    assert len(whole) == len(parts) and all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
    return other


def built(cache):
    return {folder.name for folder in (cache.folder / "builds").iterdir()}


@pytest.mark.slow
def test_a_design_in_parts_does_the_same_and_a_change_builds_its_part(design, tmp_path, monkeypatch):
    cache = same_in_parts(NETWORK, design, BuildCache(tmp_path / "cache"), monkeypatch, quick=True)
    before = built(cache)
    weights = NETWORK.layers[1].weights.copy()
    weights[3, 5] ^= 1
    changed = replace(
        NETWORK, layers=(NETWORK.layers[0], replace(NETWORK.layers[1], weights=weights), NETWORK.layers[2])
    )
    other = made(changed, tmp_path / "changed")
    build_native(other, quick=True, cache=cache)
    assert sorted(name.rpartition("-")[0] for name in built(cache) - before) == ["block_core_engine_1", "quick-cut"]


@pytest.mark.slow
def test_convolutions_in_parts_do_the_same(tmp_path, monkeypatch):
    network = random_conv_network(3)
    design = made(network, tmp_path / "design")
    same_in_parts(network, design, BuildCache(tmp_path / "cache"), monkeypatch, quick=False)
