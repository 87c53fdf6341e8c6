"""The Python API: what the commands are made of, and what a notebook sees."""

import builtins

import numpy as np
import pytest

import bitwright as bw
from bitwright import api, golden
from bitwright_core.errors import DataError, DesignError, PlanError, ToolError
from bitwright_core.extras import install

from .networks import random_frames, random_network


@pytest.fixture
def network():
    return random_network(1)


def test_the_whole_way(network, tmp_path):
    network.save(tmp_path / "n.safetensors")
    loaded = bw.load(tmp_path / "n.safetensors")
    assert loaded == network
    plan = bw.size(loaded, cycles=10, scores=True)
    heard = []
    design = bw.generate(
        loaded, plan, tmp_path / "design", progress=lambda what, done, total: heard.append((what, done, total))
    )
    assert heard and all(0 <= done <= total for _, done, total in heard)
    assert bw.load(tmp_path / "design") == network
    assert repr(design).startswith("<Design random in ") and "cycles a frame" in repr(design)
    frames = random_frames(network, 150)
    labels = golden.classify(network, frames)
    labels[:30] = (labels[:30] + 1) % 3
    report = bw.verify(design, frames, labels)
    assert report.passed and report.accuracy == report.golden_accuracy == 120 / 150
    again = bw.verify(tmp_path / "design", frames, labels, frames=40)
    assert (again.frames, again.accuracy) == (40, 0.25)


def test_size_takes_one_fold_or_one_each(network):
    assert {layer.pe for layer in bw.size(network, pe=2).layers} == {2}
    plan = bw.size(network, pe=[3, 2, 1], simd=[4, 3, 2], clock_mhz=150, data_bits=16)
    assert [(layer.pe, layer.simd) for layer in plan.layers] == [(3, 4), (2, 3), (1, 2)]
    assert (plan.clock_mhz, plan.data_bits, plan.scores, plan.encoding) == (150, 16, False, "hardware")
    changed = bw.size(network, plan=plan, scores=True, simd=1)
    assert [(layer.pe, layer.simd) for layer in changed.layers] == [(3, 1), (2, 1), (1, 1)]
    assert changed.scores and changed.clock_mhz == 150


def test_size_refuses_a_plan_and_cycles(network):
    with pytest.raises(PlanError, match="give one or the other"):
        bw.size(network, plan=bw.size(network), cycles=8)


def test_a_folder_with_other_files_is_refused(network, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "more.tex").write_text("more")
    with pytest.raises(DesignError, match=r"holds more\.tex and 1 more, which no earlier design put there"):
        bw.generate(network, out=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_folder_with_a_strangers_manifest_is_refused(network, tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(DesignError, match="manifest format 99"):
        bw.generate(network, out=tmp_path)
    assert (tmp_path / "manifest.json").read_text() == '{"format": 99}'


def test_what_simulation_left_behind_is_no_stranger(network, tmp_path):
    bw.generate(network, out=tmp_path / "d")
    (tmp_path / "d" / "waves-icarus.fst").write_text("")
    (tmp_path / "d" / "reproducer").mkdir()
    assert bw.generate(network, bw.size(network, pe=1), tmp_path / "d").plan.layers[0].pe == 1


def test_random_frames_follow_their_seed(network):
    one, same, other = (api.load_frames(network, name).frames for name in ("random:1", "random:1", "random:2"))
    assert one.shape == (api.RANDOM_FRAMES, network.input.size)
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert one.min() == 0 and one.max() == 15
    assert api.load_frames(network, "random", frames=7).frames.shape == (7, 6)


def npz(path, shape, classes=3, top=16):
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 30), ("test", 20)):
        parts[f"x_{part}"] = rng.integers(0, top, (count, *shape), dtype=np.uint8)
        parts[f"y_{part}"] = np.arange(count) % classes
    np.savez(path, **parts)
    return str(path)


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 1), (6,)])
def test_frames_of_a_data_set_fit_whatever_their_channels(network, tmp_path, shape):
    loaded = api.load_frames(network, npz(tmp_path / "d.npz", shape), frames=12)
    assert loaded.frames.shape == (12, 6)
    assert loaded.labels.tolist() == [n % 3 for n in range(12)]


def test_bits_have_no_labels(tmp_path):
    loaded = api.load_frames(random_network(1, classes=None), npz(tmp_path / "d.npz", (3, 2)))
    assert loaded.labels is None and loaded.frames.shape == (20, 6)


MISTAKES = {
    "too many frames": ({"frames": 21}, {}, "21 frames asked for, but the held-out set of d has 20"),
    "no frames": ({"frames": 0}, {}, "at least 1 frame is needed, not 0"),
    "shape": ({}, {"shape": (2, 3)}, "network random takes (n, 3, 2)"),
    "range": ({}, {"top": 17}, "data set d: frame values must lie in 0..15"),
    "classes": ({}, {"classes": 4}, "data set d has label 3, but network random knows 3 classes"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_about_frames(network, tmp_path, name):
    options, file, message = MISTAKES[name]
    data = npz(tmp_path / "d.npz", **{"shape": (3, 2), **file})
    with pytest.raises(DataError) as caught:
        api.load_frames(network, data, **options)
    assert message in str(caught.value)


def test_the_data_folder_is_the_one_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)
    assert str(api.default_data_dir()) == "data"
    monkeypatch.setenv("BITWRIGHT_DATA", str(tmp_path))
    assert api.default_data_dir() == tmp_path


@pytest.mark.parametrize(
    ("extra", "module", "call"),
    [
        ("train", "torch", lambda design: bw.train_network("digits", design.folder)),
        ("sim", "cocotb_tools", bw.simulate),
    ],
)
def test_a_missing_extra_is_told_with_its_remedy(*, network, tmp_path, monkeypatch, extra, module, call):
    import sys

    design = bw.generate(network, out=tmp_path / "d")
    own = ("torch", "cocotb", "bitwright_train", "bitwright_sim")
    for name in [name for name in sys.modules if name.startswith(own)]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolError) as caught:
        call(design)
    assert module.partition("_")[0] in str(caught.value)
    assert install(extra) in str(caught.value)


def test_a_missing_module_of_our_own_is_a_defect():
    with pytest.raises(ModuleNotFoundError), api.needs_extra("sim", "simulation"):
        import bitwright_nowhere  # noqa: F401
