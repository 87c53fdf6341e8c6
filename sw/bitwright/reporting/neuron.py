"""One neuron's XNOR and popcount, lane by lane, in the words that its engine takes cycle by cycle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.reporting.svg import drawing, rect, text
from bitwright_core.design import Design
from bitwright_core.golden import Trace
from bitwright_core.network import MatrixLayer
from bitwright_core.ops.windows import pad, taps
from bitwright_core.plan import folds

LANES = 32  # in a row of the drawing
_WORDS = 10  # of a neuron's input that are drawn
_LEAST = 190  # width of the drawing, for the words
_CELL, _LEFT = 10, 42  # of the drawing, which a phone shows whole: a lane's side, room for names


@dataclass(frozen=True, kw_only=True)
class DrawnWord:
    """What the engine takes in a cycle: digits of the lanes, lane 0 first, and what they add."""

    given: str
    weights: str
    agree: str
    count: int
    total: int  # so far, with this word


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """One neuron's XNOR and popcount."""

    layer: str
    index: int
    place: str  # of a convolution's window; empty of a dense layer
    inputs: int
    popcount: int
    threshold: int | None  # None of a score
    bit: int | None  # None of a score, and of a layer with several levels
    levels: int  # thresholds of the neuron
    reached: int  # how many of them the popcount reaches
    svg: str
    words: tuple[DrawnWord, ...]  # that are drawn
    left_out: int  # words that are not


def neuron(design: Design, golden: Trace) -> Neuron | None:
    """A neuron of the first layer that counts bits: the one with the clearest result, at the middle pixel.

    None for a network without such a layer.
    """
    network = design.network
    matrices = {layer.name: k for k, layer in enumerate(network.matrix_layers)}
    held = {node.name: layer.values for node, layer in zip(network.nodes, golden.layers, strict=True)}
    for node in network.nodes:
        layer = node.operator.matrix
        if layer is None or layer.sums_dots or len(node.takes) != 1:
            continue
        given = held.get(node.takes[0], golden.encoded)
        pixel = 0
        if layer.windows is not None:
            down, across = layer.windows.shape
            pixel = down // 2 * across + across // 2
        fold = folds(network, design.plan)[matrices[layer.name]]
        return _neuron(layer, _window(layer, given, pixel), pixel, fold.simd)
    return None


def _window(layer: MatrixLayer, given: NDArray[np.integer], pixel: int) -> NDArray[np.uint8]:
    """The lanes (groups, inputs) that the layer counts for a pixel, of the bits (1, ...) that it takes."""
    if layer.windows is None:
        return given.reshape(1, -1).astype(np.uint8)
    padded = pad(given.reshape(1, *layer.source.shape).astype(np.uint8), layer.windows, layer.padding_lane)
    down, across = divmod(pixel, layer.windows.shape[1])
    window = taps(padded, layer.windows)[0, down, across]  # (ky, kx, channels)
    return np.moveaxis(window.reshape(*window.shape[:2], layer.groups, -1), 2, 0).reshape(layer.groups, layer.inputs)


def _neuron(layer: MatrixLayer, window: NDArray[np.uint8], pixel: int, simd: int) -> Neuron:
    lanes = np.repeat(window, layer.outputs // layer.groups, axis=0)  # of each row, those of its group
    agree = (layer.rows == lanes).astype(np.uint8)
    counts = agree.sum(axis=1, dtype=np.int64)
    compared = layer.output.compared
    levels = np.zeros((layer.outputs, 0), np.int64) if compared is None else compared
    thresholds = levels[:, 0] if levels.shape[1] else None
    index = int(np.argmax(counts if thresholds is None else np.abs(counts - thresholds)))
    popcount, threshold = int(counts[index]), None if thresholds is None else int(thresholds[index])
    words: list[DrawnWord] = []
    for start in range(0, layer.inputs, simd):
        given, weights, same = (
            _digits(bits[start : start + simd]) for bits in (lanes[index], layer.rows[index], agree[index])
        )
        total = same.count("1") + (words[-1].total if words else 0)
        words.append(DrawnWord(given=given, weights=weights, agree=same, count=same.count("1"), total=total))
    place = ""
    if layer.windows is not None:
        row, column = divmod(pixel, layer.windows.shape[1])
        place = f"at row {row}, column {column}"
    return Neuron(
        layer=layer.name,
        index=index,
        place=place,
        inputs=layer.inputs,
        popcount=popcount,
        threshold=threshold,
        bit=int(popcount >= threshold) if threshold is not None and levels.shape[1] == 1 else None,
        levels=levels.shape[1],
        reached=int((popcount >= levels[index]).sum()),
        svg=_draw(words[:_WORDS], layer.name, index),
        words=tuple(words[:_WORDS]),
        left_out=max(0, len(words) - _WORDS),
    )


def _digits(bits: NDArray[np.uint8]) -> str:
    """Lane 0 first."""
    return "".join(map(str, bits.tolist()))


def _draw(words: list[DrawnWord], layer: str, index: int) -> str:
    """Each word as what it adds to the sum, above rows of input, weights and XNOR."""
    parts: list[str] = []
    y = 16
    wide = max(min(LANES, len(word.given)) for word in words)
    for number, word in enumerate(words):
        parts.append(text(2, y - 4, f"cycle {number}: +{word.count} = {word.total}", class_="fact strong"))
        for start in range(0, len(word.given), LANES):
            lanes = slice(start, start + LANES)
            rows = (("input", word.given, "in"), ("weight", word.weights, "in"), ("XNOR", word.agree, "xnor"))
            for name, row, style in rows:
                parts.append(text(_LEFT - 5, y + 9, name, class_="fact", text_anchor="end"))
                parts += [
                    rect(_LEFT + _CELL * k, y, _CELL - 1, _CELL - 1, class_=f"lane {style}{bit}")
                    for k, bit in enumerate(row[lanes])
                ]
                y += _CELL + 1
            y += 3
        y += 17
    said = (
        f"{len(words)} words, the last of which brings the sum to {words[-1].total}; a table below has the same digits"
    )
    title = f"Neuron {index} of {layer}, lane by lane"
    width = max(_LEFT + _CELL * wide + 2, _LEAST)
    return drawing(width, y - 14, title, said, *parts, class_="lanes")
