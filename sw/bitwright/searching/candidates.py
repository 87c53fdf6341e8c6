"""A candidate of a search: sized by the model, trained for a short while, judged on validation frames alone.

`judge` is a function of what it is given, so that it can run in any process, on any machine of a cluster, and again.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bitwright.searching.space import Traits
from bitwright_core.families import FamilyName
from bitwright_core.network import Network
from bitwright_core.plan import Plan
from bitwright_data import Dataset
from bitwright_hw.estimate import estimate
from bitwright_hw.families import family_named
from bitwright_hw.sizer import Sized, Sizer
from bitwright_hw.sizing import Limits
from bitwright_train import TrainConfig

if TYPE_CHECKING:
    from bitwright_train import BinaryNetwork
    from bitwright_train.checkpoint import Epoch

LEAST_VALIDATION = 0.1  # of the training frames; fewer tell networks apart too badly
_LEAST_PEERS = 4  # before anything is stopped early
_WARM = 0.1  # of a short run: at most so much of it warms up


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a design may take, and the rate that it must reach, at the clock and stream of `options`."""

    options: Plan  # without layers
    family: FamilyName
    limits: Limits
    frames_per_second: float | None

    def excess(self, *, luts: int, block_rams: float, frames_per_second: float) -> float:
        """By which share the budget is missed, the worst of its parts; 0 within it."""
        parts = [luts / self.limits.luts - 1, block_rams / max(1, self.limits.block_rams) - 1]
        if self.frames_per_second is not None:
            parts.append(self.frames_per_second / frames_per_second - 1)
        return max(0.0, *parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What all candidates of a search share."""

    dataset: Dataset  # its test part is made of training frames: a search sees no other
    budget: Budget
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A candidate to judge."""

    number: int
    generation: int
    traits: Traits
    config: TrainConfig
    parent: int | None
    parent_model: bytes | None  # the parent's model file
    peers: tuple[tuple[int, tuple[float, ...]], ...]  # LUTs, and validation accuracy by epoch, of earlier generations


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What was found of a candidate. Accuracies are fractions of the validation frames, 0 where it was not trained."""

    number: int
    generation: int
    traits: Traits
    parent: int | None  # whose weights it began with
    accuracy: float
    curve: tuple[float, ...]  # after each epoch
    stopped: bool  # before its last epoch
    luts: int
    ffs: int
    block_rams: float
    cycles: int
    frames_per_second: float
    excess: float  # by which share it misses the budget

    @property
    def fits(self) -> bool:
        """Whether it keeps to the budget."""
        return self.excess == 0


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedCandidate:
    """A candidate, and its model file; none where it was not trained."""

    candidate: Candidate
    model: bytes | None


def without_test_frames(dataset: Dataset) -> Dataset:
    """`dataset` with a training frame in the place of its test part, which nothing can look at then."""
    return replace(dataset, test_frames=dataset.train_frames[:1], test_labels=dataset.train_labels[:1])


def short_config(config: TrainConfig, epochs: int) -> TrainConfig:
    """The configuration of a candidate's training: short, without teacher and copies, enough frames held back."""
    return replace(
        config,
        epochs=epochs,
        distill=0.0,
        teacher="",
        copies=0,
        warmup_epochs=min(config.warmup_epochs, _WARM * epochs),
        validation_fraction=max(LEAST_VALIDATION, config.validation_fraction),
    )


def folded(network: Network, traits: Traits, budget: Budget) -> Sized:
    """The least LUTs at which `network` takes a frame in the cycles of `traits`, or its streams' own if those are more.

    It keeps to the block RAMs of `budget` where it can, and may miss its LUTs.
    """
    family = family_named(budget.family)
    sizer = Sizer(network, budget.options, family=family, planes=traits.planes)
    cycles = max(traits.cycles, sizer.least_interval)
    sized = sizer.smallest(cycles, block_rams=budget.limits.block_rams) or sizer.smallest(cycles)
    assert sized is not None  # no limits
    return sized


def _exported(model: "BinaryNetwork", config: TrainConfig, labels: tuple[str, ...]) -> Network:
    from bitwright_train import export_model

    return export_model(model, name=config.name, labels=labels, score_bits=config.score_bits)


def _candidate(assignment: Assignment, sized: Sized, budget: Budget) -> Candidate:
    """What is known of a candidate by its size."""
    total, rate = sized.estimate.total, sized.frames_per_second
    return Candidate(
        number=assignment.number,
        generation=assignment.generation,
        traits=assignment.traits,
        parent=assignment.parent,
        accuracy=0.0,
        curve=(),
        stopped=False,
        luts=total.luts,
        ffs=total.ffs,
        block_rams=total.block_rams,
        cycles=sized.interval,
        frames_per_second=rate,
        excess=budget.excess(luts=total.luts, block_rams=total.block_rams, frames_per_second=rate),
    )


def bars_of(luts: int, peers: Sequence[tuple[int, tuple[float, ...]]], epochs: int) -> tuple[float | None, ...]:
    """What a candidate of `luts` LUTs must reach by each epoch: the median of the best so far of peers that take no
    more. None where fewer than four are that small. (The median stopping rule of D. Golovin et al., "Google Vizier: A
    Service for Black-Box Optimization", KDD 2017, among designs that are no larger.)
    """
    found: list[float | None] = []
    smaller = [curve for size, curve in peers if size <= luts]
    for epoch in range(epochs):
        reached = [max(curve[: epoch + 1]) for curve in smaller if len(curve) > epoch]
        found.append(median(reached) if len(reached) >= _LEAST_PEERS else None)
    return tuple(found)


def _is_hopeless(history: "Sequence[Epoch]", bars: Sequence[float | None]) -> bool:
    """Whether the best epoch so far lies under the bar."""
    bar = bars[len(history) - 1]
    return bar is not None and max(entry.validation_accuracy or 0.0 for entry in history) < bar


def judge(surroundings: Surroundings, assignment: Assignment) -> JudgedCandidate:
    """Sizes a candidate, and trains it if it keeps to the budget; what it takes is of the trained network."""
    import torch

    from bitwright_train import BinaryNetwork, load_model, save_model
    from bitwright_train.model_file import build_model
    from bitwright_train.short import train_short

    budget, dataset = surroundings.budget, surroundings.dataset
    config = short_config(assignment.config, surroundings.epochs)
    plain = build_model(config, dataset.shape, dataset.classes)
    assert isinstance(plain, BinaryNetwork)  # a space has no lookup tables
    plain.initialise(torch.Generator().manual_seed(config.seed))
    labels = () if dataset.is_map else dataset.labels
    sized = folded(_exported(plain.eval(), config, labels), assignment.traits, budget)
    found = _candidate(assignment, sized, budget)
    if not found.fits:
        return JudgedCandidate(candidate=found, model=None)
    with tempfile.TemporaryDirectory(prefix="bitwright-search-") as name:
        file = Path(name) / "model.safetensors"
        inherited: BinaryNetwork | None = None
        if assignment.parent_model is not None:
            file.write_bytes(assignment.parent_model)
            inherited = load_model(file)  # type: ignore[assignment]
        bars = bars_of(found.luts, assignment.peers, surroundings.epochs)
        model, history, best = train_short(
            config, dataset, inherited=inherited, enough=lambda history: _is_hopeless(history, bars)
        )
        save_model(file, model, config, dataset.labels)
        content = file.read_bytes()
    exact = estimate(_exported(model, config, labels), sized.plan, family=family_named(budget.family))
    found = _candidate(assignment, Sized(plan=sized.plan, estimate=exact), budget)
    curve = tuple(entry.validation_accuracy or 0.0 for entry in history)
    trained = replace(found, accuracy=curve[best - 1], curve=curve, stopped=len(curve) < surroundings.epochs)
    return JudgedCandidate(candidate=trained, model=content)
