"""The build cache: kills, races, pruning."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from bitwright_sim.cache import BuildCache, cache_folder, digest


def fill(text="x"):
    def build(folder):
        (folder / "file").write_text(text)

    return build


def test_builds_once(tmp_path):
    cache = BuildCache(tmp_path)
    first = cache.get("a", "1", fill("one"))
    assert cache.get("a", "1", fill("two")) == first
    assert (first / "file").read_text() == "one"
    assert cache.get("a", "2", fill("two")) != first


def test_failed_build_leaves_nothing(tmp_path):
    cache = BuildCache(tmp_path)

    def build(folder):
        (folder / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.get("a", "1", build)
    assert not list((tmp_path / "building").iterdir())
    assert sorted(p.name for p in cache.get("a", "1", fill()).iterdir()) == ["file"]


def test_killed_build_is_not_seen_and_is_replaced(tmp_path):
    code = (
        "import sys, time, pathlib\nfrom bitwright_sim.cache import BuildCache\n"
        "def build(folder):\n    (folder / 'half').write_text('')\n    print('half', flush=True)\n    time.sleep(600)\n"
        "BuildCache(pathlib.Path(sys.argv[1])).get('a', '1', build)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    assert (tmp_path / "building" / "a-1" / "half").exists()
    cache = BuildCache(tmp_path)
    cache.get("b", "1", fill())  # prunes what the dead left
    assert not list((tmp_path / "building").iterdir())
    assert sorted(p.name for p in cache.get("a", "1", fill()).iterdir()) == ["file"]


def test_two_at_once_build_once(tmp_path):
    calls, inside = [], []

    def build(folder):
        assert not inside
        inside.append(1)
        calls.append(folder)
        time.sleep(0.2)
        (folder / "file").write_text("x")
        inside.clear()

    threads = [threading.Thread(target=BuildCache(tmp_path).get, args=("a", "1", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_pruning_keeps_the_young_and_the_used(tmp_path):
    cache = BuildCache(tmp_path, limit_bytes=2500)
    old = [cache.get("a", str(k), fill("x" * 1000)) for k in range(4)]
    assert all(path.exists() for path in old)  # all young
    for k, path in enumerate(old):
        os.utime(path, (1000 + k, 1000 + k))
    cache.get("a", "1", fill())  # used now
    cache.get("a", "new", fill("x" * 1000))
    assert [path.exists() for path in old] == [False, True, False, False]


def test_pruning_takes_objects_too(tmp_path):
    """Kept objects and precompiled headers count and go as builds do: those that were not used for longest first."""
    cache = BuildCache(tmp_path, limit_bytes=2500)
    build = cache.get("a", "1", fill("x" * 1000))
    objects = [tmp_path / "objects" / tools / f"{k}.o" for k, tools in enumerate(("tools", "tools", "sliced"))]
    header = tmp_path / "objects" / "tools" / "header-1"
    header.mkdir(parents=True)
    (header / "verilated.h.gch").write_text("x" * 1000)
    for file in objects:
        file.parent.mkdir(exist_ok=True)
        file.write_text("x" * 1000)
    cache.prune()
    assert header.exists() and all(file.exists() for file in objects)  # all young
    for k, path in enumerate((objects[0], header, build, *objects[1:])):
        os.utime(path, (1000 + k, 1000 + k))
    cache.prune()
    assert [path.exists() for path in (objects[0], header, build, *objects[1:])] == [False, False, False, True, True]
    assert sorted(path.name for path in (tmp_path / "objects").rglob("*")) == ["1.o", "2.o", "sliced", "tools"]


def test_pruning_spares_a_build_under_way(tmp_path):
    started, go = threading.Event(), threading.Event()

    def slow(folder):
        (folder / "file").write_text("x")
        started.set()
        assert go.wait(30)

    thread = threading.Thread(target=BuildCache(tmp_path).get, args=("slow", "1", slow))
    thread.start()
    assert started.wait(30)
    BuildCache(tmp_path).prune()
    assert (tmp_path / "building" / "slow-1" / "file").exists()
    go.set()
    thread.join()
    assert (tmp_path / "builds" / "slow-1" / "file").exists()


def test_digest_separates_names_and_contents(tmp_path):
    file = tmp_path / "f"
    file.write_text("text")
    assert digest({"a": file}) == digest({"a": "text"}) == digest({"a": b"text"})
    keys = [digest({"a": "x", "b": "y"}), digest({"a": "y", "b": "x"}), digest({"a": "xb1y"}), digest({"ab": "xy"})]
    assert len(set(keys)) == 4


def test_folder_by_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("BITWRIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "bitwright"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "bitwright"
