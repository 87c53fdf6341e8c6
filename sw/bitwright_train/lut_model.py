"""Networks of lookup tables as torch trains them: a thermometer code, layers of tables, a sum for each class."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright_core.network import Input, ThresholdEncoding
from bitwright_train.lut_config import LutConfig
from bitwright_train.lut_layers import LutLayer

_CHUNK = 4096
_FRAMES = 20_000  # that the first wiring looks at


class LutNetwork(nn.Module):
    """Encoded frames (n, lanes) of 0 and 1 to logits (n, classes): counts of each class's bits over a temperature."""

    thresholds: Tensor
    multi_label = False

    def __init__(
        self, *, shape: tuple[int, ...], input_bits: int, thresholds: tuple[int, ...], luts: LutConfig, classes: int
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.input_bits = input_bits
        self.luts = luts
        self.classes = classes
        self.group = luts.group(classes)
        self.scale = luts.logit_scale(classes)
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.int32), persistent=False)
        self.encoding = ThresholdEncoding(thresholds=np.array(thresholds))
        inputs = int(np.prod(self.encoding.edge(Input(shape=self.shape, bits=input_bits)).shape))
        stages: list[LutLayer] = []
        for neurons in luts.neurons:
            stages.append(LutLayer(inputs, neurons, luts.fan_in))
            inputs = neurons
        self.layers = nn.ModuleList(stages)

    @property
    def stages(self) -> tuple[LutLayer, ...]:
        """The layers, in order and with their type."""
        return tuple(cast(LutLayer, layer) for layer in self.layers)

    def prepare(self, frames: Tensor, labels: Tensor, generator: torch.Generator) -> None:
        """Draws tables and wiring, of the lanes that differ between some of the training `frames` (n, ...).

        Where wiring is learned, layers get the scores that training needs.
        """
        some = torch.randperm(len(frames), generator=generator)[:_FRAMES].to(frames.device)
        encoded = torch.cat([self.encode(part) for part in frames[some].split(_CHUNK)])
        share = encoded.mean(0)
        lanes = torch.nonzero(torch.minimum(share, 1 - share) >= self.luts.rare).reshape(-1).cpu()
        if not len(lanes):
            lanes = torch.arange(encoded.shape[1])
        worth = None
        if self.luts.start == "information":
            worth = information(encoded, labels[some], self.classes).cpu()[lanes]
            worth = worth / worth.mean().clamp_min(1e-9)
        for index, layer in enumerate(self.stages):
            layer.initialise(lanes, generator)
            if self.luts.wiring == "all" or (self.luts.wiring == "first" and index == 0):
                layer.learn_wiring(lanes, worth, generator)
            lanes, worth = torch.arange(layer.neurons), None

    def settle(self) -> None:
        """Fixes all wiring as it is, and drops what learning it took."""
        for layer in self.stages:
            layer.settle()

    def settled_state(self) -> dict[str, Tensor]:
        """A copy of the state that this model would have once settled."""
        state = {name: tensor.detach().clone() for name, tensor in self.state_dict().items() if "scores" not in name}
        return state | {f"layers.{k}.wires": layer.chosen.clone() for k, layer in enumerate(self.stages)}

    def encode(self, frames: Tensor) -> Tensor:
        """Integer frames (n, ...) to (n, values * levels) of 0 and 1, lane value * levels + level."""
        flat = frames.reshape(len(frames), -1, 1)
        return (flat >= self.thresholds.to(flat.dtype)).reshape(len(frames), -1).to(torch.float32)

    def counts(self, x: Tensor) -> Tensor:
        """How many bits of each class are 1, (n, classes)."""
        bits = x.t().contiguous()
        for layer in self.stages:
            bits = layer(bits)
        return bits.reshape(self.classes, self.group, -1).sum(1).t()

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.counts(x) / self.scale

    @property
    def spectrum(self) -> Tensor:
        """The mean norm of the tables' spectra, over all neurons."""
        return torch.cat([layer.spectrum for layer in self.stages]).mean()


def information(encoded: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mutual information of each lane (n, lanes) with the class, in bits, (lanes,)."""
    one = nn.functional.one_hot(labels, classes).to(torch.float32)
    both = one.t() @ encoded / len(encoded)  # (classes, lanes): of class c and 1
    of_class, of_lane = one.mean(0)[:, None], encoded.mean(0)[None]

    def part(joint: Tensor, lane: Tensor) -> Tensor:
        return (joint * torch.log2((joint / (of_class * lane).clamp_min(1e-12)).clamp_min(1e-12))).sum(0)

    return (part(both, of_lane) + part((of_class - both).clamp_min(0), 1 - of_lane)).clamp_min(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class LutTrace:
    """What a network of tables computes for n frames, in evaluation mode."""

    encoded: NDArray[np.uint8]  # (n, lanes)
    bits: tuple[NDArray[np.uint8], ...]  # of each layer, (n, neurons)
    counts: NDArray[np.int64]  # (n, classes)


def trace_luts(model: LutNetwork, frames: NDArray[Any]) -> LutTrace:
    """Runs `model` on integer frames (n, ...), layer by layer, and keeps every bit."""
    from bitwright_train.model import as_tensor

    device = model.thresholds.device
    parts: list[list[NDArray[Any]]] = []
    with torch.no_grad():
        for chunk in as_tensor(frames).split(_CHUNK):
            encoded = model.encode(chunk.to(device))
            arrays, bits = [encoded], encoded.t().contiguous()
            for layer in model.stages:
                bits = layer(bits)
                arrays.append(bits.t())
            parts.append([array.to(torch.uint8).cpu().numpy() for array in arrays])
            parts[-1].append(model.counts(encoded).to(torch.int64).cpu().numpy())
    encoded_bits, *bits_of, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    return LutTrace(encoded=encoded_bits, bits=tuple(bits_of), counts=counts)
