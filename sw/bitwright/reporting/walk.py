"""One frame on its way through the network, in the golden model's integers: pictures, a neuron's lanes, scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.reporting.neuron import Neuron, neuron
from bitwright.reporting.picture import data_uri, frame_picture, maps, shades, strip
from bitwright.reporting.results import Score, class_name, scores_of
from bitwright.reporting.sums import LastSums, sums_of
from bitwright.reporting.svg import TIMES
from bitwright_core.design import Design
from bitwright_core.golden import Trace, trace
from bitwright_core.network import Network

_CHANNELS = 16  # of an image that are shown


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of the page."""

    title: str
    uri: str
    width: int  # in pixels of the image
    height: int
    alt: str
    note: str = ""

    @property
    def shown(self) -> int:
        """Width on the page: each value a whole number of pixels, as large as there is room."""
        return self.width * max(1, min(8, 256 // self.width))


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What the page shows of one frame."""

    name: str  # of the data set, with the frame's number
    label: str | None
    told: str  # the result in words
    pictures: tuple[Picture, ...]
    neuron: Neuron | None
    scores: tuple[Score, ...]
    sums: LastSums | None  # from which the scores follow


def walk(design: Design, frame: NDArray[Any], *, name: str, label: int | None) -> Walk:
    """The way of `frame` (1, values) through the design's network."""
    network = design.network
    golden = trace(network, frame)
    return Walk(
        name=name,
        label=None if label is None else class_name(network, label),
        told=_told(network, golden),
        pictures=pictures(network, frame, golden),
        neuron=neuron(design, golden),
        scores=scores_of(network, golden.layers[-1].values.reshape(-1)),
        sums=sums_of(network, golden),
    )


def _told(network: Network, golden: Trace) -> str:
    if golden.classes is not None and network.is_classifier:
        return f"class {class_name(network, int(golden.classes[0]))}"
    if network.gives != "bits":
        return f"{network.outputs} {'numbers' if network.gives == 'values' else 'integers'}"
    return f"{int(golden.layers[-1].values.sum())} of {network.outputs} bits are 1"


def pictures(network: Network, frame: NDArray[Any], golden: Trace) -> tuple[Picture, ...]:
    """The frame, its bits, and what each layer gives but the last."""
    shape = network.input.shape
    size = f" {TIMES} ".join(map(str, shape))
    flat = np.asarray(frame).reshape(-1)
    found = [
        _picture("the frame", frame_picture(flat, shape, network.input.bits), f"The frame, {size} values", f"{size}")
    ]
    if network.encoding.tables is None:
        found.append(_bits("encoded", _encoded(network, golden.encoded[0]), f"{network.encoded_size:,} bits"))
    for node, layer in zip(network.nodes[:-1], golden.layers[:-1], strict=True):
        values = layer.values[0]
        if node.edge.number.xnor:
            found.append(_bits(node.name, values, f"{values.size:,} bits, {int(values.sum()):,} are 1"))
        else:
            found.append(_levels(node.name, values))
    return tuple(found)


def _picture(title: str, pixels: NDArray[np.uint8], alt: str, note: str = "") -> Picture:
    height, width = pixels.shape[:2]
    return Picture(title=title, uri=data_uri(pixels), width=width, height=height, alt=alt, note=note)


def _encoded(network: Network, bits: NDArray[np.integer]) -> NDArray[np.integer]:
    """Bits as an image of a channel for each level, or flat."""
    shape = network.input.shape
    if len(shape) == 1:
        return bits
    return bits.reshape(*shape[:2], -1)


def _bits(title: str, values: NDArray[np.integer], note: str) -> Picture:
    return _shaded(title, shades(values, 1), f"Bits of {title}, white for 1: {note}", note)


def _levels(title: str, values: NDArray[np.integer]) -> Picture:
    """Numbers of several levels, the least black and the largest white."""
    numbers = np.asarray(values, np.int64)
    least, largest = int(numbers.min()), int(numbers.max())
    note = f"{numbers.size:,} numbers, {least:,} to {largest:,}"
    return _shaded(
        title, shades(numbers - least, largest - least), f"Values of {title}, lighter for more: {note}", note
    )


def _shaded(title: str, values: NDArray[np.uint8], alt: str, note: str) -> Picture:
    """Shades (h, w, channels) as channels side by side, any other ones as a strip."""
    if values.ndim == 3 and values.shape[0] > 1:
        shown = maps(values, _CHANNELS, across=4 if values.shape[1] > 12 else 8)
        if values.shape[2] > _CHANNELS:
            told = f"; the first {_CHANNELS} of {values.shape[2]} channels"
            note, alt = note + told, alt + told
    else:
        shown = strip(values.reshape(-1), 32)
    return _picture(title, shown, alt, note)
