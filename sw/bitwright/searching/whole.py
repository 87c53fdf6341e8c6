"""A whole search: what may be chosen, the study, and the chosen network made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bitwright.searching.candidates import Budget, Candidate, Surroundings, without_test_frames
from bitwright.searching.evolution import Evolution
from bitwright.searching.final import ChosenNetwork, made_whole
from bitwright.searching.records import Records
from bitwright.searching.result import SearchResult
from bitwright.searching.space import SCALES, SearchSpace
from bitwright.searching.study import Study, judges
from bitwright_boards import Board
from bitwright_core.errors import PlanError, TrainingError
from bitwright_core.progress import Progress
from bitwright_data import Dataset, load_dataset
from bitwright_hw.families import family_named
from bitwright_hw.sizer import Sizer
from bitwright_train import TrainConfig, export_model, from_chance

_FOLDS = 5  # to choose from where no rate is given: the shortest interval, twice that, and so on
_NOT_SEARCHED = ("epochs", "start", "teacher", "baseline")  # of a configuration: of the chosen network's training alone
_LARGEST = 10_000  # candidates


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How a search goes; choices that are empty are found. Raises TrainingError for what makes no sense."""

    population: int
    generations: int
    epochs: int  # of a candidate's training
    scales: tuple[float, ...] = ()
    depths: tuple[int, ...] = ()
    weights: tuple[int | str, ...] = ()
    activations: tuple[int | str, ...] = ()
    levels: tuple[int, ...] = ()
    cycles: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.population < 2 or self.generations < 1 or self.population * self.generations > _LARGEST:
            raise TrainingError(
                f"a search has a population of 2 or more, a generation or more, and at most {_LARGEST:,} candidates in "
                f"all, not {self.population} and {self.generations}"
            )
        if self.epochs < 1:
            raise TrainingError(f"search_epochs must be at least 1, not {self.epochs}")


def least_interval(config: TrainConfig, dataset: Dataset, budget: Budget) -> int:
    """The fewest cycles a frame that the streams and pixels of the configuration's network allow."""
    from bitwright_train.model_file import build_model

    model = build_model(config, dataset.shape, dataset.classes)
    network = export_model(model.eval(), name=config.name, score_bits=config.score_bits)
    return Sizer(network, budget.options, family=family_named(budget.family)).least_interval


def space_of(config: TrainConfig, dataset: Dataset, budget: Budget, options: SearchOptions) -> SearchSpace:
    """What the options leave open, decided. Raises PlanError for a rate or cycles that the streams cannot reach."""
    plain = replace(from_chance(config), teacher="", baseline=False)
    activations = options.activations
    if not activations and plain.luts is None and set(plain.activation_bits) == {1}:
        activations = (1, 2)
    space = SearchSpace(
        config=plain,
        scales=options.scales or SCALES,
        depths=options.depths,
        weights=options.weights,
        activations=activations,
        levels=options.levels,
        cycles=options.cycles or (1,),
    )
    least = least_interval(plain, dataset, budget)
    clock = budget.options.clock_mhz * 1e6
    if budget.frames_per_second is not None:
        cycles: tuple[int, ...] = (int(clock / budget.frames_per_second),)
    else:
        cycles = options.cycles or tuple(least << k for k in range(_FOLDS))
    if min(cycles) < least:
        raise PlanError(
            f"a frame of {config.dataset} takes {least:,} cycles of the streams and pixels of {config.name}, so at "
            f"most {clock / least:,.0f} frames/s, and {min(cycles):,} cycles are asked for; ask for a lower rate"
        )
    bits = {*activations, *options.weights, *plain.activation_bits, *plain.weight_bits}
    several = bits != {1} or plain.encoding == "integers"
    return replace(space, cycles=cycles, planes=("parallel", "serial") if several else ("parallel",))


def settings_of(space: SearchSpace, budget: Budget, options: SearchOptions, digest: str) -> dict[str, Any]:
    """All that a study's results depend on."""
    told = {**asdict(space), "config": {k: v for k, v in asdict(space.config).items() if k not in _NOT_SEARCHED}}
    limits = {"max_luts": budget.limits.luts, "max_brams": budget.limits.block_rams}
    return {
        "format": 1,
        "space": told,
        "plan": asdict(budget.options),
        "limits": {**limits, "target_fps": budget.frames_per_second},
        "population": options.population,
        "search_epochs": options.epochs,
        "data": digest,
        "optuna": version("optuna"),
    }


@dataclass(frozen=True, kw_only=True)
class FinalOptions:
    """How the chosen network is made."""

    epochs: int | None
    data_dir: Path | None
    frames: int  # of the test set that are verified


def search(
    config: TrainConfig,
    board: Board,
    budget: Budget,
    options: SearchOptions,
    out: Path,
    *,
    final: FinalOptions,
    ray: str | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """The study, or the rest of it, and the chosen network. Raises what training, sizing and synthesis raise."""
    from bitwright_train.loop import data_digest
    from bitwright_train.model_file import build_model

    dataset = load_dataset(config.dataset, final.data_dir)
    space = space_of(config, dataset, budget, options)
    records = Records(out, settings_of(space, budget, options, data_digest(dataset)))

    def result(candidates: Sequence[Candidate], made: ChosenNetwork | None = None) -> SearchResult:
        return SearchResult(
            network=config.name,
            dataset=dataset.name,
            board=board.name,
            title=board.title,
            clock_mhz=budget.options.clock_mhz,
            max_luts=budget.limits.luts,
            target_fps=budget.frames_per_second,
            candidates=tuple(candidates),
            made=made,
        )

    evolution = Evolution(
        space=space,
        population=options.population,
        seed=config.seed,
        check=lambda one: build_model(one, dataset.shape, dataset.classes),
        rate_counts=budget.frames_per_second is None and len(space.cycles) > 1,
    )
    surroundings = Surroundings(dataset=without_test_frames(dataset), budget=budget, epochs=options.epochs)
    with judges(surroundings, ray) as judge:
        study = Study(
            evolution=evolution,
            judge=judge,
            records=records,
            generations=options.generations,
            told=lambda done: result(done).save(out),
            progress=progress,
        )
        done = study.run()
    chosen = result(done).chosen
    whole = space.network_config(chosen.traits)
    whole = replace(whole, baseline=config.baseline, teacher=config.teacher, epochs=final.epochs or config.epochs)
    made = made_whole(
        chosen,
        whole,
        out / f"chosen-{chosen.number}",
        budget,
        data_dir=final.data_dir,
        frames=final.frames,
        progress=progress,
    )
    found = result(done, made)
    found.save(out)
    return found
