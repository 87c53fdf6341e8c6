"""The golden model's integers as the bit planes that a sliced simulator compares with, a step of all lanes each."""

import numpy as np
from numpy.typing import NDArray

from bitwright_core.derived import CLASS, OUTPUT, SCORES, integers_a_frame
from bitwright_core.design import Design
from bitwright_core.network import Network
from bitwright_sim.compare import expected_values
from bitwright_sim.native.build import probes
from bitwright_sim.sliced.model import SlicedModel

_FRAMES = 16  # traced at a time: the arrays stay in the cache, and memory stays bounded


def expected_words(design: Design) -> list[int]:
    """Words of a frame that each probe shows, and beats of its result."""
    return [*(probe.words for probe in probes(design.manifest)), design.manifest.output.beats]


class Expected:
    """Bit planes by (probe, step): those of a step are made when the first is asked for, and each is given once."""

    def __init__(
        self, design: Design, network: Network, flat: NDArray[np.integer], order: NDArray[np.int64], model: SlicedModel
    ):
        self.design, self.network, self.flat, self.order, self.model = design, network, flat, order, model
        self.classes = np.zeros(order.shape, np.int64)
        self.bits = np.zeros((*order.shape, 0 if design.manifest.output.classifier else network.outputs), np.int64)
        self.counts: dict[str, int] = {}
        self._planes: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._made = 0

    def __call__(self, probe: int, step: int) -> NDArray[np.uint8] | None:
        if step >= self.order.shape[1]:
            return None  # one too many, which the counts tell
        while self._made <= step:
            self._make(self._made)
            self._made += 1
        return self._planes.pop((probe, step))

    def _make(self, step: int) -> None:
        frames = self.flat[self.order[:, step]]
        kept: dict[str, NDArray[np.integer]] = {}
        for at in range(0, len(frames), _FRAMES):
            values = expected_values(self.network, frames[at : at + _FRAMES])[1]
            for name, array in values.items():
                if name not in kept:
                    kept[name] = np.empty((len(frames), array.shape[1]), self._type(name))
                    self.counts[name] = array.shape[1]
                kept[name][at : at + len(array)] = array
        names = [name for name in kept if name not in (CLASS, OUTPUT)]
        for number, (name, probe) in enumerate(zip(names, self.model.probes, strict=True)):
            self._planes[number, step] = self.model.planes(kept.pop(name) if name != SCORES else kept[name], probe.bits)
        output = self.design.manifest.output
        if CLASS in kept:
            self.classes[:, step] = kept[CLASS][:, 0]
            if output.scores:
                self.counts[OUTPUT] = output.outputs
            beats = output.pack(kept[CLASS][:, 0], kept.get(SCORES))
        else:
            self.bits[:, step] = kept[OUTPUT]
            beats = output.pack(None, kept[OUTPUT])
        self._planes[len(self.model.probes), step] = self.model.planes(beats, 64)

    def _type(self, name: str) -> type:
        if name in (CLASS, OUTPUT, SCORES):
            return np.int64
        shown = [each for each in integers_a_frame(self.network) if each not in (CLASS, OUTPUT)]
        wide = self.model.probes[shown.index(name)].bits
        return np.int16 if wide <= 16 else np.int32 if wide <= 32 else np.int64
