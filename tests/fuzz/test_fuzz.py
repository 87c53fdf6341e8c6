"""A short run of the fuzzer, and the proof that it finds what it is there for. `make fuzz` is the long one."""

import numpy as np
import pytest
from amaranth.lib import fifo

from bitwright_core.network import Dense, Input, Network, Scores, ThresholdEncoding, Thresholds
from bitwright_core.plan import LayerPlan, Plan
from bitwright_hw import results
from bitwright_hw.generator import generate
from tests.fuzz.fuzz import fuzz_design, fuzz_seed


@pytest.mark.parametrize("seed", [*(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 7, 12, 13, 14))])
def test_random_accelerators_under_random_traffic(seed):
    outcome = fuzz_seed(seed, cycles=40_000)
    assert not outcome.failure, f"seed {seed} ({outcome.what}): {outcome.failure}"
    assert min(outcome.counts.values()) > 0, outcome.counts
    for name in ("a beat is held back", "a result is held back", "all buffers full", "a wrong TKEEP"):
        assert outcome.situations[name], name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_random_accelerators_under_random_traffic(seed):
    outcome = fuzz_seed(seed)
    assert not outcome.failure, f"seed {seed} ({outcome.what}): {outcome.failure}"


def test_a_queue_without_room_is_found(tmp_path, monkeypatch):
    """The last layer takes a cycle a frame: two results in a row need two places."""
    monkeypatch.setattr(results, "credit_fifo", lambda *, width, depth: fifo.SyncFIFOBuffered(width=width, depth=depth))
    rng = np.random.default_rng(0)
    first = Dense(
        name="a", weights=rng.integers(0, 2, (8, 16), dtype=np.uint8), output=Thresholds(values=np.full((8, 1), 8))
    )
    last = Dense(
        name="b",
        weights=rng.integers(0, 2, (4, 8), dtype=np.uint8),
        output=Scores(scale=np.full(4, 2), offset=np.full(4, -8)),
    )
    network = Network(
        name="lost",
        input=Input(shape=(16,), bits=1),
        encoding=ThresholdEncoding(thresholds=np.array([1])),
        layers=(first, last),
    )
    plan = Plan(layers=(LayerPlan(name="a", pe=1, simd=4), LayerPlan(name="b", pe=4, simd=8)))
    design = generate(network, plan, tmp_path / "design")
    failure = fuzz_design(design, seed=1, cycles=200_000, cache=None).failure
    assert "expected" in failure or "hangs" in failure, failure
