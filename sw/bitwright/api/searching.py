"""Architecture search with the hardware in the loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitwright.api.common import PathLike, needs_extra
from bitwright.api.frames import default_data_dir
from bitwright.api.sizing import board_base
from bitwright.notebook import shows_progress
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright.searching.result import SearchResult
    from bitwright_train import TrainConfig

_SHARE = 10  # a candidate trains for a share of the configuration's epochs


@shows_progress
def search(
    config: "PathLike | TrainConfig",
    out: PathLike,
    *,
    board: str,
    max_luts: int | None = None,
    target_fps: float | None = None,
    max_brams: int | None = None,
    population: int = 12,
    generations: int = 8,
    search_epochs: int | None = None,
    scales: Sequence[float] = (),
    depths: Sequence[int] = (),
    weights: Sequence[int | str] = (),
    activations: Sequence[int | str] = (),
    levels: Sequence[int] = (),
    cycles: Sequence[int] = (),
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    data_dir: PathLike | None = None,
    frames: int = 10_000,
    ray: str | None = None,
    progress: Progress | None = None,
) -> "SearchResult":
    """Searches for the network that tells most frames right within `max_luts` LUTs of `board`, or at `target_fps`.

    Evolution (NSGA-II) over each layer's width (`scales` times the configuration's), the number of hidden dense layers
    (`depths`), bits of each layer's `weights` and `activations`, `levels` of the input encoding, and `cycles` a frame;
    what is not given stays the configuration's or has the choices that docs/search.md lists. Each of
    `population * generations` candidates is sized by the model; what keeps to the budget is trained for
    `search_epochs`, from the weights of the candidate that it descends from, and judged on validation frames.
    The most accurate is then trained whole (`epochs`), generated, counted by Yosys and verified on `frames` of the test
    set, which nothing looked at before.

    Writes index.html, frontier.png and results.json under `out`, all candidates, and the chosen network in a folder of
    its own. What a search that was cut off left there is taken up, and it ends as it would have; with more
    `generations` a finished one goes on. `ray`: on the Ray cluster at that address ("local": one of this machine's
    own).

        bw.search("sfc", "found", board="pynq-z2", max_luts=2000).made.test_accuracy

    Raises TrainingError where nothing keeps to the budget, PlanError for a rate that the streams cannot reach,
    ToolError if Optuna, torch, matplotlib or Ray is not installed.
    """
    from bitwright.searching.evolution import load_optuna
    from bitwright_boards import load_board

    load_optuna()
    with needs_extra("train", "searching"):
        import matplotlib  # noqa: F401

        import bitwright_train as training
        from bitwright.searching import whole
        from bitwright.searching.candidates import Budget

        chosen = config if isinstance(config, training.TrainConfig) else training.load_config(str(config))
        chosen = training.with_overrides(chosen, dataset=dataset, seed=seed)
        found = load_board(board)
        base, limits = board_base(found, max_luts, max_brams, {})
        options = whole.SearchOptions(
            population=population,
            generations=generations,
            epochs=max(1, chosen.epochs // _SHARE) if search_epochs is None else search_epochs,
            scales=tuple(map(float, scales)),
            depths=tuple(depths),
            weights=tuple(weights),
            activations=tuple(activations),
            levels=tuple(levels),
            cycles=tuple(cycles),
        )
        final = whole.FinalOptions(
            epochs=epochs, data_dir=default_data_dir() if data_dir is None else Path(data_dir), frames=frames
        )
        budget = Budget(options=base, family=found.target, limits=limits, frames_per_second=target_fps)
        return whole.search(chosen, found, budget, options, Path(out), final=final, ray=ray, progress=progress)
