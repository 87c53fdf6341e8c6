"""Generations of candidates by Optuna's NSGA-II: few LUTs, high accuracy, and a high rate where none is given.

K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6(2), 2002. Everything here follows from seed and results, so that a search
that was cut off is made anew of the results that it left, and goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bitwright.searching.candidates import Candidate
from bitwright.searching.space import Choice, SearchSpace, Traits
from bitwright_core.errors import TrainingError
from bitwright_core.extras import install
from bitwright_train import TrainConfig

_TRIES = 50  # for each new candidate, before a space is taken for exhausted


@dataclass(frozen=True, kw_only=True)
class Child:
    """A candidate that a generation asks for."""

    traits: Traits
    parent: int | None  # the number of the candidate whose weights it begins with


@dataclass(kw_only=True, eq=False)
class Evolution:
    """A study under way: `children` of a generation, then `learn` of what was found of each, and again.

    Every network is asked for once; where fewer than `population` new ones are found, the space has no more.
    """

    space: SearchSpace
    population: int
    seed: int
    rate_counts: bool  # a third objective, where no rate is given
    check: Callable[[TrainConfig], object]  # raises TrainingError for a network that cannot be trained
    _study: Any = field(init=False)
    _sampler: Any = field(init=False)
    _asked: list[Any] = field(init=False, default_factory=list)  # trials of the generation
    _seen: dict[Traits, None] = field(init=False, default_factory=dict)
    _genomes: dict[int, Mapping[str, Choice]] = field(init=False, default_factory=dict)  # of trials
    _found: dict[int, Candidate] = field(init=False, default_factory=dict)  # of trials

    def __post_init__(self) -> None:
        optuna = load_optuna()
        self._sampler = optuna.samplers.NSGAIISampler(population_size=self.population, seed=self.seed)
        directions = ["maximize", "minimize", *(["maximize"] if self.rate_counts else [])]
        self._study = optuna.create_study(directions=directions, sampler=self._sampler)
        for _, genome in zip(range(self.population // 2), self._starts(), strict=False):
            self._study.enqueue_trial(genome)

    def _starts(self) -> list[dict[str, Choice]]:
        """Uniform scalings of the configuration's network, spread over all of them: what others are measured by."""
        found = list(self.space.uniform())
        count = min(len(found), self.population // 2)
        return [found[k * len(found) // count] for k in range(count)]

    def children(self) -> list[Child]:
        """The next generation. Fewer than `population` if the space has no more."""
        optuna = load_optuna()
        self._asked = []
        found: list[Child] = []
        tries = 0
        while len(found) < self.population and tries < _TRIES * self.population:
            tries += 1
            trial = self._study.ask()
            genome = {name: trial.suggest_categorical(name, each) for name, each in self.space.genes.items()}
            traits = self.space.traits(genome)
            if traits in self._seen or not self._can_be_trained(traits):
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                continue
            self._seen[traits] = None
            self._asked.append(trial)
            self._genomes[trial.number] = genome
            found.append(Child(traits=traits, parent=self._parent(trial, genome)))
        return found

    def learn(self, candidates: Sequence[Candidate]) -> None:
        """Takes what was found of each of `children`, in their order."""
        for trial, candidate in zip(self._asked, candidates, strict=True):
            self._found[trial.number] = candidate
            values = [candidate.accuracy, float(candidate.luts)]
            trial.set_constraint("budget", candidate.excess)
            self._study.tell(trial, [*values, candidate.frames_per_second] if self.rate_counts else values)

    def _can_be_trained(self, traits: Traits) -> bool:
        try:
            self.check(self.space.network_config(traits))
        except TrainingError:
            return False
        return True

    def _parent(self, trial: Any, genome: Mapping[str, Choice]) -> int | None:
        """Of the generation's parents that were trained, the one that shares most genes; the more accurate of such."""
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        generation = self._sampler.get_trial_generation(self._study, frozen)
        parents = [one.number for one in self._sampler.get_parent_population(self._study, generation)]
        trained = [number for number in parents if self._found[number].curve]

        def merit(number: int) -> tuple[int, float, int]:
            shared = sum(genome[name] == choice for name, choice in self._genomes[number].items())
            return shared, self._found[number].accuracy, -number

        return self._found[max(trained, key=merit)].number if trained else None


def load_optuna() -> Any:
    """Optuna, with its log turned down. Raises ToolError where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        from bitwright_core.errors import ToolError

        raise ToolError(f"searching needs optuna, which is not installed: {install('search')}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
