"""Augmented copies of the training frames, made once, with what a teacher says of each.

A teacher is then asked once for each copy instead of once a step, as in Z. Shen, E. Xing, "A Fast Knowledge
Distillation Framework for Visual Recognition", ECCV 2022; and nothing is augmented while the network trains.
"""

import torch
from torch import Tensor

from bitwright_core.errors import TrainingError
from bitwright_core.progress import Progress
from bitwright_train.augment import Augmenter
from bitwright_train.trained import TrainedModel

_CHUNK = 500  # frames that are augmented, and that a teacher hears, at once


class Copies:
    """`count` copies of each of an augmenter's n frames, on their device.

    `chance` is of a CPU alone: with that seed they are the same in every run. `teacher` says its logits of all copies,
    if there is one. Raises TrainingError where they do not fit into memory.
    """

    def __init__(
        self,
        augmenter: Augmenter,
        count: int,
        seed: int,
        teacher: TrainedModel | None = None,
        progress: Progress | None = None,
    ) -> None:
        frames = augmenter.frames
        chance = torch.Generator().manual_seed(seed) if frames.device.type == "cpu" else None
        try:
            self.frames = frames.new_empty((count, *frames.shape))
        except RuntimeError:
            size = count * frames.numel() * frames.element_size() / 1e9
            raise TrainingError(
                f"{count} augmented copies of {len(frames)} frames take {size:,.1f} GB, more than there is; "
                "lower copies"
            ) from None
        said: list[Tensor] = []
        with torch.no_grad():
            for copy in range(count):
                for part in torch.arange(len(frames), device=frames.device).split(_CHUNK):
                    batch = augmenter.batch(part, chance)
                    self.frames[copy, part] = batch
                    if teacher is not None:
                        said.append(teacher(teacher.encode(batch)))
                    if progress:
                        progress("copies", copy * len(frames) + int(part[-1]) + 1, count * len(frames))
        self.said = torch.cat(said).reshape(count, len(frames), -1) if said else None

    def batch(self, index: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        """A copy of each frame of `index`, by chance, and the teacher's logits of it (n, classes)."""
        copy = torch.randint(0, len(self.frames), index.shape, generator=generator, device=index.device)
        return self.frames[copy, index], None if self.said is None else self.said[copy, index]
