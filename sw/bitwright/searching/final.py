"""The network that a search chose: trained whole, folded, generated, counted by Yosys and verified."""

from dataclasses import dataclass
from pathlib import Path

from bitwright.searching.candidates import Budget, Candidate, folded
from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress
from bitwright_data import load_held_out
from bitwright_hw import generate
from bitwright_hw.families import family_named
from bitwright_hw.synth import synthesize
from bitwright_train import TrainConfig, train


@dataclass(frozen=True, kw_only=True)
class ChosenNetwork:
    """What came of the chosen candidate. `test_accuracy` is a fraction of the test set, looked at once."""

    number: int
    test_accuracy: float
    validation_accuracy: float | None
    luts: int  # by the model
    counted_luts: int  # by Yosys
    block_rams: float
    cycles: int
    frames_per_second: float
    fits: bool  # whether the model finds the trained network within the budget
    verified_frames: int
    folder: str


def made_whole(
    chosen: Candidate,
    config: TrainConfig,
    out: Path,
    budget: Budget,
    *,
    data_dir: Path | None,
    frames: int,
    progress: Progress | None,
) -> ChosenNetwork:
    """Trains `config` from the start, writes network, plan and design under `out`, and runs `frames` of the test set.

    A training that was cut off goes on. Raises what training, generation and synthesis raise, and TrainingError where
    simulation differs.
    """
    from bitwright_sim import verify

    report = train(config, out, data_dir=data_dir, progress=progress)
    sized = folded(report.network, chosen.traits, budget)
    sized.plan.save(out / "plan.toml")
    design = generate(report.network, sized.plan, out / "design")
    counted = synthesize(design, family=family_named(budget.family), progress=progress)
    verified = 0
    if frames:
        held = load_held_out(config.dataset, data_dir).frames[:frames]
        if not verify(design, report.network, held, progress=progress).passed:
            raise TrainingError(f"{out}: the design differs from the network in simulation; see its reproducer")
        verified = len(held)
    total, rate = sized.estimate.total, sized.frames_per_second
    excess = budget.excess(luts=total.luts, block_rams=total.block_rams, frames_per_second=rate)
    return ChosenNetwork(
        number=chosen.number,
        test_accuracy=report.test_accuracy,
        validation_accuracy=report.validation_accuracy,
        luts=total.luts,
        counted_luts=counted.total.luts,
        block_rams=total.block_rams,
        cycles=sized.interval,
        frames_per_second=rate,
        fits=excess == 0,
        verified_frames=verified,
        folder=str(out),
    )
