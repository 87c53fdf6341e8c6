"""`bench/search_bench.py`: networks that `bitwright search` finds, beside uniform scalings of `sfc` at the same rate.

Four parts, on `--jobs` processes of one thread: uniform scalings, trained with each seed; a search with each seed, its
candidates judged as `bitwright search` judges them; of each search's frontier a few networks, trained from the start
with the recipe and epochs of the scalings; and designs that the searches met, estimated and counted by Yosys. Every
LUT is of a design that the sizer folds for the same rate on the same board. A run that is cut off, or ends after
`--minutes`, keeps what it has; the same command goes on, and `--report` tells what there is.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field
from pathlib import Path

from search_jobs import REFERENCE, Design, Setting, Task, dataset_of, judged, kept, measure, one_thread, scaling_task
from search_jobs import space as space_for
from search_report import report
from search_verdict import spread

from bitwright.cli.output import percent
from bitwright.pareto import unbeaten
from bitwright.searching.candidates import Assignment, Candidate, JudgedCandidate
from bitwright.searching.evolution import Evolution
from bitwright.searching.records import Records
from bitwright.searching.study import Study
from bitwright.searching.whole import SearchOptions, settings_of
from bitwright_core.atomic import write_text
from bitwright_train.loop import data_digest
from bitwright_train.model_file import build_model

WIDTHS = (24, 48, 64, 96, 128, 192, 256)
SCALES = (24, 32, 48, 64, 96, 128, 160, 192, 256)  # neurons of a layer that a search may choose
RANKED = 30


class OutOfTimeError(Exception):
    """The minutes of a run, or of its searches, are over."""


@dataclass(kw_only=True, eq=False)
class Measurement:
    """A run of the bench: its workers, and when it must end (of time.monotonic)."""

    setting: Setting
    seeds: tuple[int, ...]
    widths: tuple[int, ...]
    finalists: int
    ranked: int
    pool: ProcessPoolExecutor
    end: float
    search_end: float  # no generation begins after it
    _under_way: list["Future[Design]"] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def _left(self) -> float:
        return max(0.0, self.end - time.monotonic())

    def _tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._started:6.0f} s  {what}", flush=True)

    def _heard(self, result: "Future[Design]") -> None:
        if result.cancelled():
            return
        error = result.exception()
        if error is not None:
            self._tell(f"failed: {error!r}")
            return
        found = result.result()
        told = "" if found.accuracy is None else f"{percent(found.accuracy)}, "
        self._tell(
            f"{found.part} seed {found.seed}: {found.network}, {told}{found.counted_luts:,} LUTs "
            f"(estimated {found.luts:,}), {found.seconds:.0f} s"
        )

    def submit(self, task: Task) -> None:
        """Measures a design, unless that is done."""
        if kept(self.setting, task) is None:
            result = self.pool.submit(measure, self.setting, task)
            result.add_done_callback(self._heard)
            self._under_way.append(result)

    def judge(self, assignments: Sequence[Assignment], found: Callable[[JudgedCandidate], None]) -> None:
        """Judges candidates on the workers.

        Raises OutOfTimeError where no generation may begin or time runs out, and what a worker raised.
        """
        if assignments and time.monotonic() > self.search_end:
            raise OutOfTimeError
        answers = [self.pool.submit(judged, self.setting, one) for one in assignments]
        try:
            for answer in as_completed(answers, timeout=self._left()):
                found(answer.result())
        except TimeoutError:
            raise OutOfTimeError from None

    def search(self, seed: int) -> list[Candidate]:
        """The study of one seed, or the rest of it; then the networks of its frontier are under way."""
        setting = self.setting
        data = dataset_of(setting.dataset, setting.data_dir)
        space = space_for(setting, seed)
        evolution = Evolution(
            space=space,
            population=setting.options.population,
            seed=seed,
            rate_counts=False,
            check=lambda config: build_model(config, data.shape, data.classes),
        )
        records = Records(
            search_folder(setting, seed), settings_of(space, setting.budget, setting.options, data_digest(data))
        )

        known: list[Candidate] = []

        def told(done: Sequence[Candidate]) -> None:
            known[:] = done
            trained = sum(bool(one.curve) for one in done)
            self._tell(f"search seed {seed}: {len(done)} candidates, {trained} trained")

        ended = search_folder(setting, seed) / "ended.json"  # so that a run that goes on chooses of the same candidates
        generations = json.loads(ended.read_text("utf-8")) if ended.exists() else setting.options.generations
        study = Study(evolution=evolution, judge=self.judge, records=records, generations=generations, told=told)
        try:
            study.run()
        except OutOfTimeError:
            if not known or not self._left():
                raise
            write_text(ended, f"{max(one.generation for one in known) + 1}\n")
        for task in finalists(known, seed, self.finalists):
            self.submit(task)
        return known

    def run(self) -> bool:
        """All parts, as far as time goes; whether everything is done."""
        for width in sorted(self.widths, reverse=True):  # long ones first
            for seed in self.seeds:
                self.submit(scaling_task(self.setting, width, seed))
        with ThreadPoolExecutor(len(self.seeds)) as threads:
            studies = {seed: threads.submit(self.search, seed) for seed in self.seeds}
        try:
            candidates = {seed: study.result() for seed, study in studies.items()}
        except OutOfTimeError:
            return False
        for task in ranked(self.setting, candidates, self.ranked):
            self.submit(task)
        finished, late = wait(self._under_way, timeout=self._left())
        return not late and all(result.exception() is None for result in finished)

    def stop(self) -> None:
        """Ends the workers, whatever they are at."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()


def search_folder(setting: Setting, seed: int) -> Path:
    """Where the search of `seed` keeps its candidates."""
    return setting.out / f"search-{seed}"


def finalists(done: Sequence[Candidate], seed: int, count: int) -> list[Task]:
    """Networks of a search's frontier, spread over its LUTs."""
    trained = [one for one in done if one.fits and one.curve]
    best = unbeaten(trained, lambda one: one.luts, lambda one: one.accuracy)
    return [Task(part="search", seed=seed, number=one.number, traits=one.traits) for one in spread(best, count)]


def ranked(setting: Setting, candidates: dict[int, list[Candidate]], count: int) -> list[Task]:
    """Designs that the searches trained, no network twice, spread over their LUTs."""
    met = {one.traits: (seed, one) for seed, done in candidates.items() for one in done if one.fits and one.curve}
    by_size = sorted(met.values(), key=lambda pair: (pair[1].luts, str(pair[1].traits)))
    return [
        Task(
            part="rank",
            seed=seed,
            number=one.number,
            traits=one.traits,
            model=search_folder(setting, seed) / "candidates" / f"{one.number:05d}.safetensors",
        )
        for seed, one in spread(by_size, count)
    ]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Searched networks beside uniform scalings of sfc.")
    parser.add_argument("--out", type=Path, default=Path("bench-out/search"), help="what is found, and gone on from")
    parser.add_argument("--report", action="store_true", help="only tell what is there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--minutes", type=float, default=1e4, help="end by then, with what there is")
    parser.add_argument("--search-minutes", type=float, default=1e4, help="no generation begins after so many")
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("BITWRIGHT_DATA"), help="folder of the data")
    parser.add_argument("--dataset", default="mnist", help="default: mnist")
    parser.add_argument("--board", default="pynq-z2", help="default: pynq-z2")
    parser.add_argument("--fps", type=float, default=1e6, help="frames a second of every design (default: a million)")
    parser.add_argument("--max-luts", type=int, default=5000, help="of a candidate (default: 5000)")
    parser.add_argument("--seeds", type=_numbers, default=(1, 2, 3), help="default: 1,2,3")
    parser.add_argument("--widths", type=_numbers, default=WIDTHS, help="hidden neurons a layer of the scalings")
    parser.add_argument("--epochs", type=int, default=12, help="of scalings and finalists (default: 12)")
    parser.add_argument("--search-epochs", type=int, default=2, help="of a candidate (default: 2)")
    parser.add_argument("--population", type=int, default=16, help="default: 16")
    parser.add_argument("--generations", type=int, default=6, help="default: 6")
    parser.add_argument("--finalists", type=int, default=6, help="networks of each frontier (default: 6)")
    parser.add_argument("--ranked", type=int, default=RANKED, help="designs that estimates are ranked over")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measures, or goes on, and tells what is there. Exit status 1 if something is left to do."""
    args = _arguments(argv)
    done = True
    if not args.report:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        setting = Setting(
            dataset=args.dataset,
            data_dir=None if args.data_dir is None else Path(args.data_dir),
            out=args.out,
            board=args.board,
            max_luts=args.max_luts,
            target_fps=args.fps,
            epochs=args.epochs,
            options=SearchOptions(
                population=args.population,
                generations=args.generations,
                epochs=args.search_epochs,
                scales=tuple(width / REFERENCE for width in SCALES),
            ),
        )
        started = time.monotonic()
        context = multiprocessing.get_context("spawn")
        run = Measurement(
            setting=setting,
            seeds=args.seeds,
            widths=args.widths,
            finalists=args.finalists,
            ranked=args.ranked,
            pool=ProcessPoolExecutor(args.jobs, mp_context=context, initializer=one_thread),
            end=started + 60 * args.minutes,
            search_end=started + 60 * args.search_minutes,
        )
        try:
            done = run.run()
        finally:
            run.stop()
    report(args.out)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
