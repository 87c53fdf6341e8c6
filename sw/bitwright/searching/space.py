"""What a search may choose: a gene for each width, depth, number of bits and fold; and what a genome stands for.

Widths are genes as in M. Shen, K. Han, C. Xu, Y. Wang, "Searching for Accurate Binary Neural Architectures", ICCV
Workshops 2019, arXiv:1909.07378: each layer's channels are those of a given network times a factor of a short list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bitwright_core.errors import TrainingError
from bitwright_core.plan import Planes
from bitwright_train import ConvConfig, TrainConfig
from bitwright_train.config import ActivationBits, Bits

Choice = str | int | float
Genome = Mapping[str, Choice]

SCALES = (0.25, 0.375, 0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
_STEP = 8  # channels are whole multiples, so that folds divide them


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a genome stands for: a network's layers, and how its accelerator is folded."""

    convs: tuple[int, ...]  # channels of each convolution
    hidden: tuple[int, ...]  # neurons of each dense layer but the last
    weights: tuple[int | str, ...]  # bits of each layer's weights
    activations: tuple[int | str, ...]  # bits of each layer's activations, but the last's
    levels: int  # bits of each input value, spread evenly; 0: as the configuration has it
    cycles: int  # that a frame may take
    planes: Planes

    def __str__(self) -> str:
        widths = "-".join(map(str, (*self.convs, *self.hidden))) or "no hidden layer"
        kinds = f"W{_bits(self.weights)}A{_bits(self.activations)}"
        levels = f", {self.levels} levels" if self.levels else ""
        return f"{widths} {kinds}{levels}{', serial planes' if self.planes == 'serial' else ''}"


def _bits(each: tuple[int | str, ...]) -> str:
    """1 where all layers have one bit, else 1/2/1."""
    words = [str(bits) for bits in each]
    return words[0] if len(set(words)) == 1 else "/".join(words)


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A configuration, and what may be chosen in its place. Raises TrainingError for what makes no sense."""

    config: TrainConfig
    scales: tuple[float, ...] = SCALES  # of channels and neurons
    depths: tuple[int, ...] = ()  # dense layers before the last; none given: from one to those of the configuration
    weights: tuple[int | str, ...] = ()  # bits of any layer's weights; none given: as the configuration has them
    activations: tuple[int | str, ...] = ()
    levels: tuple[int, ...] = ()
    cycles: tuple[int, ...]  # that a frame may take
    planes: tuple[Planes, ...] = ("parallel",)

    def __post_init__(self) -> None:
        if self.config.luts is not None:
            raise TrainingError(
                f"{self.config.name} has layers of lookup tables, whose sizes bitwright explore --accuracy measures"
            )
        for name, each, kind in (("weights", self.weights, Bits), ("activations", self.activations, ActivationBits)):
            try:
                msgspec.convert(each, tuple[kind, ...])  # type: ignore[valid-type]
            except msgspec.ValidationError as error:
                raise TrainingError(f"{name}, bits of any layer's: {error}") from None
        if not self.scales or min(self.scales) <= 0 or max(self.scales) > 64:
            raise TrainingError(f"scales are factors of widths, above 0 and at most 64, not {list(self.scales)}")
        if self.depths and (min(self.depths) < 0 or max(self.depths) > 64):
            raise TrainingError(f"depths are dense layers before the last, 0 to 64, not {list(self.depths)}")
        if self.depths and max(self.depths) > 0 and not self.config.hidden:
            raise TrainingError(f"{self.config.name} has no hidden dense layer whose width others could have")
        if self.config.pixels and self.depths:
            raise TrainingError("classes of pixels have no dense layers; remove depths")
        if self.levels and self.config.encoding != "bits":
            raise TrainingError('levels are for an encoding to bits; remove them with encoding = "integers"')

    @property
    def _depths(self) -> tuple[int, ...]:
        most = len(self.config.hidden)
        own = tuple(range(1, most + 1)) if most else (0,)
        return self.depths or own

    def _reference(self, layer: int) -> int:
        """Neurons of hidden layer `layer` at a scale of 1: beyond the configuration's, those of its last."""
        hidden = self.config.hidden
        return hidden[min(layer, len(hidden) - 1)]

    @property
    def genes(self) -> dict[str, tuple[Choice, ...]]:
        """The name of each gene, and what it may be."""
        found: dict[str, tuple[Choice, ...]] = {}
        convs, most = len(self.config.convs), max(self._depths)
        for root in sorted(set(self._tied)):
            found[f"conv{root}"] = self.scales
        found["depth"] = self._depths
        for layer in range(most):
            found[f"dense{layer}"] = self.scales
        for layer in range(convs + most):
            if self.activations:
                found[f"activations{layer}"] = self.activations
        for layer in [*range(convs + most), "last"] if self.weights else []:
            found[f"weights{layer}"] = self.weights
        if self.levels:
            found["levels"] = self.levels
        return found | {"cycles": self.cycles, "planes": self.planes}

    @property
    def _tied(self) -> list[int]:
        """For each convolution the first one that must be as wide: a shortcut adds what both give."""
        root = list(range(len(self.config.convs)))
        for place, conv in enumerate(self.config.convs):
            others = [place - conv.shortcut] if conv.shortcut else []
            if conv.depthwise and place >= conv.takes:
                others.append(place - conv.takes)
            for other in others:
                one, two = sorted((root[place], root[other]))
                root = [one if each == two else each for each in root]
        return root

    def uniform(self) -> Iterator[dict[str, Choice]]:
        """The configuration's own shape at each scale, the largest first, at the first of all other choices."""
        genes = self.genes
        own = len(self.config.hidden)
        for scale in sorted(self.scales, reverse=True):
            genome = {name: scale if name.startswith(("conv", "dense")) else each[0] for name, each in genes.items()}
            genome["depth"] = own if own in self._depths else self._depths[-1]
            yield genome

    def traits(self, genome: Genome) -> Traits:
        """What `genome` stands for; genes of layers that it has not do not matter."""
        convs, depth = self.config.convs, int(genome["depth"])
        layers = [*range(len(convs) + depth)]
        activations = tuple(genome.get(f"activations{k}", self._own(self.config.activation_bits, k)) for k in layers)
        weights = tuple(genome.get(f"weights{k}", self._own(self.config.weight_bits, k)) for k in [*layers, "last"])
        simple = all(bits == 1 for bits in (*activations, *weights)) and self.config.encoding == "bits"
        return Traits(
            convs=tuple(
                _scaled(conv.outputs, genome[f"conv{root}"]) for conv, root in zip(convs, self._tied, strict=True)
            ),
            hidden=tuple(_scaled(self._reference(k), genome[f"dense{k}"]) for k in range(depth)),
            weights=weights,  # type: ignore[arg-type]
            activations=activations,  # type: ignore[arg-type]
            levels=int(genome.get("levels", 0)),
            cycles=int(genome["cycles"]),
            planes="parallel" if simple else genome["planes"],  # type: ignore[arg-type]
        )

    @staticmethod
    def _own(bits: tuple[int | str, ...], layer: int | str) -> int | str:
        """The bits that the configuration gives a layer; to one that it has not, those of its last."""
        if layer == "last" or not bits:
            return bits[-1] if bits else 1
        return bits[min(int(layer), len(bits) - 1)]

    def network_config(self, traits: Traits) -> TrainConfig:
        """The configuration of a network of these traits. Raises TrainingError for one that cannot be trained."""
        config = self.config
        convs: tuple[ConvConfig, ...] = tuple(
            replace(conv, outputs=width) for conv, width in zip(config.convs, traits.convs, strict=True)
        )
        changes: dict[str, Any] = {
            "convs": convs,
            "hidden": traits.hidden,
            "weights": traits.weights,
            "activations": traits.activations or 1,
            "start": "",
            "baseline": False,
        }
        if traits.levels:
            changes |= {"thresholds": (), "levels": traits.levels}
        if 1 not in traits.activations:
            changes["estimator"] = "straight_through"  # others are for activations of 1 bit
        return replace(config, **changes)


def _scaled(width: int, scale: Choice) -> int:
    """`width` times `scale`, as a multiple of _STEP where `width` is one or larger than that."""
    wanted = width * float(scale)
    return max(1, round(wanted)) if width < _STEP else max(_STEP, _STEP * round(wanted / _STEP))
