"""Networks of lookup tables as torch trains them: a thermometer code, layers of tables, a sum for each class."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitwright_core.errors import TrainingError
from bitwright_core.network import ThresholdEncoding
from bitwright_train.lut_config import LutConfig
from bitwright_train.lut_layers import LutLayer
from bitwright_train.lut_minimise import minimised, seen_addresses
from bitwright_train.lut_prune import pruned
from bitwright_train.lut_trees import Began, tree_neurons
from bitwright_train.model import BinaryNetwork, as_tensor
from bitwright_train.thresholds import placed
from bitwright_train.trained import TrainedModel

_CHUNK = 4096
_FRAMES = 20_000  # that the first wiring looks at


class LutNetwork(TrainedModel):
    """Encoded frames (n, lanes) of 0 and 1 to logits (n, classes): counts of each class's bits over a temperature."""

    thresholds: Tensor
    multi_label = False
    can_be_recorded = False  # a recorded step was never compared with one that is not

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
        even = luts.placement == "even"
        levels = torch.tensor(thresholds, dtype=torch.int32)
        if luts.placement == "quantiles":
            levels = levels.repeat(int(np.prod(self.shape)), 1)
        self.register_buffer("thresholds", levels, persistent=not even)
        inputs = int(np.prod(self.shape)) * len(thresholds)
        stages: list[LutLayer] = []
        for neurons in luts.neurons:
            stages.append(LutLayer(inputs, neurons, luts.fan_in))
            inputs = neurons
        self.layers = nn.ModuleList(stages)

    @property
    def stages(self) -> tuple[LutLayer, ...]:
        """The layers, in order and with their type."""
        return tuple(cast(LutLayer, layer) for layer in self.layers)

    @property
    def encoding(self) -> ThresholdEncoding:
        """The thermometer code."""
        return ThresholdEncoding(thresholds=self.thresholds.cpu().numpy().astype(np.int64))

    @property
    def clipped(self) -> list[Tensor]:
        """What training keeps within -clip..clip: the entries of the tables."""
        return [layer.tables for layer in self.stages]

    def penalty(self) -> Tensor | None:
        """What is added to the loss."""
        return self.luts.spectral * self.spectrum if self.luts.spectral else None

    def prepare(self, frames: Tensor, labels: Tensor, generator: torch.Generator) -> None:
        """Places thresholds, and draws tables and wiring, of the lanes that differ between some training `frames`
        (n, ...).

        Where wiring is learned, layers get the scores that training needs. Raises TrainingError for frames that tell
        too little for so many thresholds.
        """
        if self.luts.placement != "even":
            found = placed(
                self.luts.placement,
                frames.cpu().numpy(),
                labels.cpu().numpy(),
                classes=self.classes,
                bits=self.input_bits,
                levels=self.thresholds.shape[-1],
                cost=self.luts.threshold_cost,
            )
            self.thresholds.copy_(torch.from_numpy(found))
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
            if self.luts.start == "tree" and index == 0:
                layer.begin(self._leaves(frames, labels))
            lanes, worth = torch.arange(layer.neurons), None

    def _leaves(self, frames: Tensor, labels: Tensor) -> list[Began | None]:
        """What the neurons of the first layer begin as: leaves of a decision tree, None for those that get none.

        A class has neurons of its own where the first layer is the last, too.
        """
        layer = self.stages[0]
        alone = len(self.stages) == 1
        return tree_neurons(
            frames.reshape(len(frames), -1).cpu().numpy(),
            labels.cpu().numpy(),
            self.encoding,
            classes=self.classes,
            bits=self.input_bits,
            fan_in=layer.fan_in,
            neurons=layer.neurons,
            group=self.group if alone else None,
        )

    def finish(self) -> None:
        """Fixes all wiring as it is, and drops what learning it took."""
        for layer in self.stages:
            layer.settle()

    def begin_with(self, source: BinaryNetwork, frames: Tensor, where: str) -> None:
        """Begins with the first dense layer of `source`, each of its neurons pruned to the inputs that tell most of it
        on some of the training `frames` (n, ...).

        `where` begins the message of the TrainingError for a layer of another size, or of other inputs.
        """
        layer, few, stage = self.stages[0], frames[:_FRAMES].cpu(), source.stages[0]
        if (
            source.convs
            or not source.hidden
            or not source.weight_types[0].xnor
            or not source.activations[0].number.xnor
        ):
            raise TrainingError(f"{where}: its first layer is not dense and of one bit; choose another start")
        if source.hidden[0] != layer.neurons:
            raise TrainingError(
                f"{where}: its first layer has {source.hidden[0]} neurons, this one's {layer.neurons}; make them alike"
            )
        if not torch.equal(source.thresholds, self.thresholds.cpu()):
            raise TrainingError(
                f"{where}: its thresholds are {source.thresholds.tolist()}, this network's "
                f"{self.thresholds.tolist()}; make them alike"
            )
        with torch.no_grad():
            bits = torch.cat([(stage(source.encode(part)) >= 0).float() for part in few.split(_CHUNK)])
            lanes = torch.cat([self.encode(part.to(self.thresholds.device)) for part in few.split(_CHUNK)]).cpu()
        layer.begin(pruned(lanes.t(), bits.t(), layer.fan_in))

    def after_training(self, frames: Tensor) -> None:
        """Minimises tables, if that is asked for: what they give for these frames stays, for others it may change."""
        if not self.luts.minimise:
            return
        seen: list[Tensor | None] = [None] * len(self.stages)
        for part in frames.split(_CHUNK):
            bits = self.encode(part).t().contiguous()
            for k, layer in enumerate(self.stages):
                found, before = seen_addresses(bits, layer.chosen), seen[k]
                seen[k] = found if before is None else before | found
                bits = layer(bits)
        with torch.no_grad():
            for layer, reached in zip(self.stages, seen, strict=True):
                assert reached is not None
                wanted = minimised(layer.tables >= 0, reached)
                layer.tables.copy_(torch.where(wanted == (layer.tables >= 0), layer.tables, -layer.tables - 1e-6))

    def kept_state(self) -> dict[str, Tensor]:
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
