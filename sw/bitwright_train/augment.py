"""Augmentation of batches of integer frames, on their device: shifts, flips, warps, holes and blends.

Warps are those of P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to
Visual Document Analysis", ICDAR 2003, with a coarse field of random moves between which pixels are interpolated; holes
are T. DeVries, G. Taylor, "Cutout", arXiv:1708.04552, 2017; blends H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz,
"mixup", ICLR 2018.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from bitwright_core.errors import TrainingError

_FIELD = 7  # pixels between two random moves of an elastic warp


class Augmenter:
    """Batches of frames (n, H, W[, C]), each shifted by up to `shift` pixels each way, zeros moving in.

    With `flip`, half of them, by chance, are turned left to right. `rotate` (degrees, each way), `zoom` (share, each
    way) and `elastic` (pixels that places move, each way) warp them; `cutout` is the side of a square set to 0. At last
    each value, of frames of any shape, moves by up to `jitter[0]`, each way, and stays in 0..`jitter[1]`.
    """

    def __init__(
        self,
        frames: Tensor,
        shift: int,
        flip: bool = False,
        *,
        rotate: float = 0.0,
        zoom: float = 0.0,
        elastic: float = 0.0,
        cutout: int = 0,
        jitter: tuple[int, int] = (0, 0),
    ) -> None:
        if (shift or flip) and frames.ndim < 3:
            raise TrainingError("shift and flip are for images; these frames are flat, so set shift = 0, flip = false")
        if (rotate or zoom or elastic or cutout) and frames.ndim < 3:
            raise TrainingError("rotate, zoom, elastic and cutout are for images; these frames are flat: set them to 0")
        self.shift = shift
        self.flip = flip
        self.rotate = rotate
        self.zoom = zoom
        self.elastic = elastic
        self.cutout = cutout
        self.jitter = jitter
        self.frames = frames
        if shift:
            height, width = frames.shape[1:3]
            padded = frames.new_zeros((len(frames), height + 2 * shift, width + 2 * shift, *frames.shape[3:]))
            padded[:, shift : shift + height, shift : shift + width] = frames
            self.windows = padded.unfold(1, height, 1).unfold(2, width, 1)

    def batch(self, index: Tensor, generator: torch.Generator | None) -> Tensor:
        """The frames of `index`, (n,) + frame shape. Without a generator, chance is the device's own."""
        batch = self._shifted(index, generator)
        if self.flip:
            turned = torch.rand(len(index), generator=generator, device=index.device) < 0.5
            batch = torch.where(turned.reshape(-1, *[1] * (batch.ndim - 1)), batch.flip(2), batch)
        if self.rotate or self.zoom or self.elastic:
            batch = self._warped(batch, generator)
        if self.cutout:
            batch = self._with_hole(batch, generator)
        return self._moved(batch, generator) if self.jitter[0] else batch

    def _moved(self, batch: Tensor, generator: torch.Generator | None) -> Tensor:
        most, top = self.jitter
        by = torch.randint(-most, most + 1, batch.shape, generator=generator, device=batch.device)
        return (batch.to(torch.int32) + by).clamp(0, top).to(batch.dtype)

    def _shifted(self, index: Tensor, generator: torch.Generator | None) -> Tensor:
        if not self.shift:
            return self.frames[index]
        moves = torch.randint(0, 2 * self.shift + 1, (2, len(index)), generator=generator, device=index.device)
        batch = self.windows[index, moves[0], moves[1]]  # (n, [C,] H, W)
        return batch.movedim(1, -1) if self.frames.ndim == 4 else batch

    def _warped(self, batch: Tensor, generator: torch.Generator | None) -> Tensor:
        def between(*shape: int) -> Tensor:  # -1 to 1
            return torch.rand(shape, generator=generator, device=batch.device) * 2 - 1

        count, height, width = batch.shape[:3]
        images = batch.reshape(count, height, width, -1).permute(0, 3, 1, 2).to(torch.float32)
        angle = between(count) * math.radians(self.rotate)
        size = 1 + between(count) * self.zoom
        sine, cosine, none = angle.sin() / size, angle.cos() / size, torch.zeros_like(angle)
        places = torch.stack((cosine, -sine, none, sine, cosine, none), 1).reshape(count, 2, 3)
        grid = functional.affine_grid(places, list(images.shape), align_corners=False)
        if self.elastic:
            field = between(count, 2, height // _FIELD + 1, width // _FIELD + 1)
            moves = functional.interpolate(field, (height, width), mode="bilinear", align_corners=True)
            grid = grid + torch.stack((moves[:, 0] * (2 / width), moves[:, 1] * (2 / height)), 3) * self.elastic
        warped = functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
        return warped.round_().permute(0, 2, 3, 1).reshape(batch.shape).to(batch.dtype)

    def _with_hole(self, batch: Tensor, generator: torch.Generator | None) -> Tensor:
        inside = None
        for axis in (1, 2):
            size = batch.shape[axis]
            begins = torch.rand(len(batch), generator=generator, device=batch.device) * size - self.cutout / 2
            at = torch.arange(size, device=batch.device) - begins[:, None].round()
            hit = (at >= 0) & (at < self.cutout)
            hit = hit.reshape(len(batch), *[size if of == axis else 1 for of in (1, 2)], *[1] * (batch.ndim - 3))
            inside = hit if inside is None else inside & hit
        assert inside is not None
        return batch.masked_fill(inside, 0)


def blended(batch: Tensor, targets: Tensor, share: float, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """A `share` of the frames, by chance, each mixed in a random proportion with the one before it, and its target.

    `targets` (n, classes) are of floating point; frames stay whole numbers.
    """
    count = len(batch)
    chance = torch.rand((2, count), generator=generator, device=batch.device)
    part = torch.where(chance[0] < share, chance[1], torch.ones_like(chance[1]))
    wide = part.reshape(-1, *[1] * (batch.ndim - 1))
    mixed = batch * wide + batch.roll(1, 0) * (1 - wide)
    goal = targets * part[:, None] + targets.roll(1, 0) * (1 - part[:, None])
    return mixed.round().to(batch.dtype), goal
