"""What a configuration says of layers of lookup tables."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from bitwright_core.errors import TrainingError
from bitwright_train.thresholds import Placement

Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


@dataclass(frozen=True, kw_only=True)
class LutConfig:
    """Layers of lookup tables, and the sums of the last one's bits, an equal group for each class.

    `wiring` says which layers learn what their neurons read; the others keep what chance gave them.
    """

    neurons: tuple[Count, ...]
    fan_in: Annotated[int, msgspec.Meta(ge=1, le=6)] = 6
    temperature: Annotated[float, msgspec.Meta(gt=0, le=1000)] | None = None  # counts over it are logits; None: by size
    wiring: Literal["first", "all", "random"] = "first"
    start: Literal["random", "information", "tree"] = "random"  # of the first layer's wiring, and with tree its tables
    placement: Placement = "even"  # of the code's `levels` thresholds, where none are given
    threshold_cost: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # bits that a LUT of a comparison has to tell
    rare: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.002  # inputs that differ in fewer frames are not read
    minimise: bool = False  # what no training frame reads of a table is chosen so that it depends on few inputs
    spectral: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # weight of the norms of the tables' spectra

    def __post_init__(self) -> None:
        if not self.neurons:
            raise TrainingError("luts.neurons must name the neurons of at least one layer")

    def group(self, classes: int) -> int:
        """Bits of a class. Raises TrainingError if the last layer cannot be divided so."""
        last = self.neurons[-1]
        if last % classes:
            raise TrainingError(
                f"the last layer of lookup tables has {last} neurons, which {classes} classes cannot share equally; "
                f"take {max(1, last // classes) * classes} or {(last // classes + 1) * classes}"
            )
        return last // classes

    def logit_scale(self, classes: int) -> float:
        """What a count is divided by: `temperature`, or a third of the root of a group's size."""
        return self.temperature or max(1.0, self.group(classes) ** 0.5 / 3)
