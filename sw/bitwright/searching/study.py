"""A study: generations of candidates, judged one after the other here or side by side on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bitwright.searching.candidates import Assignment, Candidate, JudgedCandidate, Surroundings, judge
from bitwright.searching.evolution import Child, Evolution
from bitwright.searching.records import Records
from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress, no_progress

_WHAT = "candidates"
Judge = Callable[[Sequence[Assignment], Callable[[JudgedCandidate], None]], None]
"""Judges each assignment, and hands what it found to the function, in any order."""


@dataclass(frozen=True, kw_only=True)
class _RemoteItem:
    """An assignment, and where a worker finds what all share."""

    shared: Any
    assignment: Assignment


def _judge_remotely(item: _RemoteItem) -> JudgedCandidate:
    from bitwright_sim.ray_cluster import fetch

    return judge(fetch(item.shared), item.assignment)


@contextmanager
def judges(surroundings: Surroundings, ray: str | None) -> Iterator[Judge]:
    """A judge in this process, one candidate after the other; or on the Ray cluster at `ray`, a core for each."""
    if ray is None:

        def here(assignments: Sequence[Assignment], found: Callable[[JudgedCandidate], None]) -> None:
            for assignment in assignments:
                found(judge(surroundings, assignment))

        yield here
        return
    from bitwright_sim.ray_cluster import ray_cluster

    with ray_cluster(ray) as cluster:
        shared = cluster.share(surroundings)

        def there(assignments: Sequence[Assignment], found: Callable[[JudgedCandidate], None]) -> None:
            items = [_RemoteItem(shared=shared, assignment=assignment) for assignment in assignments]
            cluster.run(_judge_remotely, items, _WHAT, None, each=found)

        yield there


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A search: what evolves, how it is judged, and where results are kept."""

    evolution: Evolution
    judge: Judge
    records: Records
    generations: int
    told: Callable[[Sequence[Candidate]], object]  # hears of all candidates after each generation
    progress: Progress | None = None

    def run(self) -> list[Candidate]:
        """All candidates, by number. What the records have is taken from there, and everything else follows from it."""
        done: list[Candidate] = []
        for generation in range(self.generations):
            children = self.evolution.children()
            found = self._generation(generation, children, done)
            self.evolution.learn(found)
            done += found
            self.told(done)
            if len(children) < self.evolution.population:
                break  # the space has no more
        return done

    def _generation(self, number: int, children: Sequence[Child], done: Sequence[Candidate]) -> list[Candidate]:
        """What is found of the children of generation `number`, in their order."""
        report, total = self.progress or no_progress, self.generations * self.evolution.population
        numbered = dict(enumerate(children, len(done)))
        found = {number: self._kept(number, child) for number, child in numbered.items()}

        def tell() -> None:
            report(_WHAT, len(done) + sum(one is not None for one in found.values()), total)

        def keep(judged: JudgedCandidate) -> None:
            self.records.keep(judged)
            found[judged.candidate.number] = judged.candidate
            tell()

        tell()
        left = [self._assignment(k, number, child, done) for k, child in numbered.items() if found[k] is None]
        self.judge(left, keep)
        return [one for one in found.values() if one is not None]

    def _kept(self, number: int, child: Child) -> Candidate | None:
        """What the records have of a child. Raises TrainingError where it is of another one."""
        kept = self.records.candidate(number)
        if kept is not None and (kept.traits, kept.parent) != (child.traits, child.parent):
            raise TrainingError(
                f"{self.records.folder}: candidate {number} there is {kept.traits}, and by this version it is "
                f"{child.traits}; choose another --out"
            )
        return kept

    def _assignment(self, number: int, generation: int, child: Child, done: Sequence[Candidate]) -> Assignment:
        return Assignment(
            number=number,
            generation=generation,
            traits=child.traits,
            config=self.evolution.space.network_config(child.traits),
            parent=child.parent,
            parent_model=None if child.parent is None else self.records.model(child.parent),
            peers=tuple((one.luts, one.curve) for one in done if one.curve),
        )
