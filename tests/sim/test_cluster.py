"""Verification on a Ray cluster gives what it gives here, also when a worker dies; without Ray it says what to do."""

import builtins
import os
import signal
import threading
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bitwright_core.errors import ToolError
from bitwright_sim import verify
from bitwright_sim.cluster import Shard, run_shard, shard_size
from bitwright_sim.native.stalls import NO_STALLS
from bitwright_sim.outcome import joined
from tests.sim.designs import flip_weight, frames_for

ALIKE = ("frames", "mismatches", "compared", "accuracy", "golden_accuracy", "interval_cycles", "latency_cycles")
need_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install '.[ray]'")


def test_without_ray_it_says_what_to_install(design, network, monkeypatch):
    ordinary = builtins.__import__

    def without(name, *rest):
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return ordinary(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolError, match=r"--ray needs ray, which is not installed: pip install .*\[ray\]"):
        verify(design, network, frames_for(network, 4), engine="verilator", ray="local")


def test_shards_are_few_and_not_too_small():
    assert shard_size(10, 8, "sliced") == 10
    assert shard_size(10_000, 2, "sliced") == 2500
    assert shard_size(10_000, 100, "sliced") == 1024
    assert shard_size(10_000, 100, "verilator") == 64


def test_shards_join_to_what_the_whole_is(design, network, tmp_path):
    """A planted fault: the first frame that shows it counts from the first of all, whatever shard it was in."""
    wrong = flip_weight(design, tmp_path / "wrong", memory=2, word=0, bit=0)
    frames = frames_for(network, 60)
    files = {name: (wrong.folder / name).read_bytes() for name in (*wrong.manifest.names, "manifest.json")}
    common = {"files": files, "trusted": False, "network": network, "engine": "verilator", "stalls": None}
    flat = frames.reshape(60, -1)
    shards = [run_shard(Shard(frames=flat[start : start + 7], **common)) for start in range(0, 60, 7)]
    whole, both = run_shard(Shard(frames=flat, **common)), joined(shards, seconds=1, lanes=1)
    assert whole.first is not None and both.first == whole.first and (both.bad == whole.bad).all()
    assert both.first.frame in both.run and both.stalls == NO_STALLS
    assert both.compared == whole.compared and (both.classes == whole.classes).all()


def workers() -> list[int]:
    """Processes that run shards, below this one."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            if b"ray::run_shard" in (place / "cmdline").read_bytes() and os.getpid() in ancestors(int(place.name)):
                found.append(int(place.name))
        except (OSError, ValueError):
            continue
    return found


def ancestors(process: int) -> list[int]:
    above = []
    while process > 1:
        status = Path(f"/proc/{process}/status").read_text()
        process = int(status.split("PPid:")[1].split()[0])
        above.append(process)
    return above


@need_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.parametrize("engine", ["verilator", "sliced"])
def test_a_local_cluster_gives_the_same_report(engine, design, network):
    frames, labels = frames_for(network, 3000), np.arange(3000) % 5
    here = verify(design, network, frames, labels, engine=engine, proof=False)
    there = verify(design, network, frames, labels, engine=engine, proof=False, ray="local")
    assert here.passed and {name: getattr(here, name) for name in ALIKE} == {
        name: getattr(there, name) for name in ALIKE
    }


@need_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_killed_worker_s_shard_runs_again(design, network, tmp_path):
    wrong = flip_weight(design, tmp_path / "wrong", memory=2, word=0, bit=0)
    frames = frames_for(network, 40_000)
    here = verify(wrong, network, frames, engine="verilator", reproducer=tmp_path / "here")
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.is_set() and not killed:
            for process in workers()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        there = verify(wrong, network, frames, engine="verilator", reproducer=tmp_path / "there", ray="local")
    finally:
        over.set()
        killer.join()
    assert killed and there.mismatches == here.mismatches > 0
    assert asdict(there.first_mismatch) == asdict(here.first_mismatch)


@need_ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_no_cluster_at_the_address(design, network):
    with pytest.raises(ToolError, match=r"no Ray cluster at 127\.0\.0\.1:9"):
        verify(design, network, frames_for(network, 4), engine="verilator", ray="127.0.0.1:9")
