"""What each of two processes does that torchrun starts for test_train_together; the first one says what it found."""

import dataclasses
import sys
from pathlib import Path

import torch

from bitwright_data import load_dataset
from bitwright_train import TrainConfig
from bitwright_train.loop import LoopOptions, run
from bitwright_train.together import Together, together

LINEAR = TrainConfig(
    name="linear",
    dataset="digits",
    input_bits=5,
    thresholds=(4, 10),
    final_norm=False,
    epochs=3,
    batch_size=64,
    learning_rate=0.02,
    keep="last",
    seed=3,
)
DEEP = dataclasses.replace(
    LINEAR, name="deep", hidden=(24, 16), final_norm=True, dropout=0.1, shift=1, ema=0.9, recalibrate=2, distill=0.5,
    teacher_width=4, teacher_epochs=1, epochs=4,
)  # fmt: skip


def trained(config, out, processes, **options):
    """The state that is kept, and the record, of a run in the folder `out`."""
    own = LoopOptions(
        device=torch.device("cpu"),
        teacher=out / "teacher.safetensors",
        checkpoint_seconds=0.0,
        together=processes,
        **options,
    )
    model, record = run(config, load_dataset("digits", None), out / "checkpoint.safetensors", own)
    return model.state_dict(), record


def largest_difference(one, other):
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


def main(out):
    torch.set_num_threads(1)
    with together(torch.device("cpu")) as (processes, _):
        both, _ = trained(LINEAR, out / "linear", processes)
        whole, record = trained(DEEP, out / "whole", processes)
        trained(DEEP, out / "cut", processes, enough=lambda history: len(history) == 2)
        resumed, again = trained(DEEP, out / "cut", processes)
        if processes.is_first:
            alone, _ = trained(LINEAR, out / "alone", Together())
            print("linear", largest_difference(both, alone))
            print("resumed", largest_difference(whole, resumed))
            print("histories", record.history == again.history)
        else:
            seen = torch.cat([tensor.flatten().double() for tensor in whole.values()])
            print("sum of the second", repr(seen.sum().item()))
        if processes.is_first:
            seen = torch.cat([tensor.flatten().double() for tensor in whole.values()])
            print("sum of the first", repr(seen.sum().item()))
        processes.meet()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
