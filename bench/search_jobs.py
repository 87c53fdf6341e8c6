"""What a worker of `bench/search_bench.py` does: train a network, size it by the search's rule, count its LUTs.

What it finds is kept as soon as it is there: the trained network, then one JSON file a design.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Literal

import msgspec
import torch

from bitwright.api.sizing import board_base
from bitwright.searching.candidates import (
    Assignment,
    Budget,
    JudgedCandidate,
    Surroundings,
    folded,
    judge,
    without_test_frames,
)
from bitwright.searching.space import SearchSpace, Traits
from bitwright.searching.whole import SearchOptions, space_of
from bitwright_boards import load_board
from bitwright_core import golden
from bitwright_core.atomic import write_bytes
from bitwright_core.network import Network, load
from bitwright_data import Dataset, load_dataset
from bitwright_hw import generate
from bitwright_hw.families import family_named
from bitwright_hw.synth import synthesize
from bitwright_train import TrainConfig, export_model, load_model
from bitwright_train.short import train_short

REFERENCE = 256  # neurons of each hidden layer of sfc
Part = Literal["scaling", "search", "rank"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all designs of a measurement share."""

    dataset: str
    data_dir: Path | None
    out: Path
    board: str
    max_luts: int
    target_fps: float
    epochs: int  # of a network whose accuracy is told
    options: SearchOptions

    @property
    def config(self) -> TrainConfig:
        """`sfc` with the plainest recipe, without a teacher, averages and augmentation, for every network alike."""
        return TrainConfig(
            name="sfc",
            dataset=self.dataset,
            hidden=(REFERENCE,) * 3,
            thresholds=(128,),
            epochs=self.epochs,
            batch_size=250,
            learning_rate=0.04,
            warmup_epochs=0.5,
            keep="last",
            validation_fraction=0.02,
        )

    @property
    def budget(self) -> Budget:
        """What each design may take, and the rate that each reaches."""
        board = load_board(self.board)
        base, limits = board_base(board, self.max_luts, None, {})
        return Budget(options=base, family=board.target, limits=limits, frames_per_second=self.target_fps)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A design to measure. With `model`, the model file of a candidate, it is not trained and its accuracy not told."""

    part: Part
    seed: int
    number: int  # hidden neurons a layer of a scaling, else that of the candidate
    traits: Traits
    model: Path | None = None

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.part}-s{self.seed}-{self.number:05d}"


@dataclass(frozen=True, kw_only=True)
class Design:
    """What was measured of a design. `accuracy` is a fraction of the test frames."""

    part: Part
    seed: int
    number: int
    network: str
    accuracy: float | None
    luts: int  # by the model
    counted_luts: int  # by Yosys
    block_rams: float
    cycles: int
    seconds: float


@cache
def dataset_of(name: str, data_dir: Path | None) -> Dataset:
    """The data set, loaded once a process."""
    return load_dataset(name, data_dir)


@cache
def _surroundings(setting: Setting) -> Surroundings:
    data = without_test_frames(dataset_of(setting.dataset, setting.data_dir))
    return Surroundings(dataset=data, budget=setting.budget, epochs=setting.options.epochs)


def space(setting: Setting, seed: int) -> SearchSpace:
    """What the search of `seed` may choose."""
    data = dataset_of(setting.dataset, setting.data_dir)
    return space_of(replace(setting.config, seed=seed), data, setting.budget, setting.options)


def judged(setting: Setting, assignment: Assignment) -> JudgedCandidate:
    """What the search's own judge finds of a candidate."""
    return judge(_surroundings(setting), assignment)


def one_thread() -> None:
    """Before anything else in a worker."""
    torch.set_num_threads(1)


def kept(setting: Setting, task: Task) -> Design | None:
    """What an earlier run found of a design."""
    file = _file(setting, task)
    return msgspec.json.decode(file.read_bytes(), type=Design) if file.exists() else None


def _file(setting: Setting, task: Task) -> Path:
    return setting.out / "designs" / f"{task.name}.json"


def measure(setting: Setting, task: Task) -> Design:
    """Trains a design's network, unless an earlier run did, and counts it. Raises what training and synthesis raise."""
    started = monotonic()
    network = _network(setting, task)
    data = dataset_of(setting.dataset, setting.data_dir)
    accuracy = None
    if task.model is None:
        accuracy = float((golden.classify(network, data.test_frames) == data.test_labels).mean())
    budget = setting.budget
    sized = folded(network, task.traits, budget)
    with TemporaryDirectory(prefix="bitwright-search-bench-") as folder:
        design = generate(network, sized.plan, Path(folder) / "design")
        counted = synthesize(design, family=family_named(budget.family))
    total = sized.estimate.total
    found = Design(
        part=task.part,
        seed=task.seed,
        number=task.number,
        network=str(task.traits),
        accuracy=accuracy,
        luts=total.luts,
        counted_luts=counted.total.luts,
        block_rams=total.block_rams,
        cycles=sized.interval,
        seconds=monotonic() - started,
    )
    write_bytes(_file(setting, task), msgspec.json.encode(found) + b"\n")
    return found


def _network(setting: Setting, task: Task) -> Network:
    file = setting.out / "networks" / f"{task.name}.safetensors"
    if file.exists():
        return load(file)
    data = dataset_of(setting.dataset, setting.data_dir)
    config = space(setting, task.seed).network_config(task.traits)
    model = load_model(task.model) if task.model else train_short(config, data)[0]
    labels = () if data.is_map else data.labels
    network = export_model(model, name=config.name, labels=labels, score_bits=config.score_bits)
    file.parent.mkdir(parents=True, exist_ok=True)
    network.save(file)
    return network


def scaling_task(setting: Setting, width: int, seed: int) -> Task:
    """`sfc` with `width` neurons in each hidden layer, one bit everywhere."""
    chosen = space(setting, seed)
    layers = len(chosen.config.hidden)
    traits = Traits(
        convs=(),
        hidden=(width,) * layers,
        weights=(1,) * (layers + 1),
        activations=(1,) * layers,
        levels=0,
        cycles=chosen.cycles[0],
        planes="parallel",
    )
    return Task(part="scaling", seed=seed, number=width, traits=traits)
