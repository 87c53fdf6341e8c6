"""Random networks whose result is integers: maps of scores, numbers of several levels, several outputs."""

import random

import numpy as np

from bitwright_core.network import ENCODED, Concat, Input, Network, ThresholdEncoding

from .graph_networks import GraphMaker


def _maker(seed, *, image=5, channels=3):
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    source = Input(shape=(dice.randint(2, image), dice.randint(2, image), dice.randint(1, channels)), bits=2)
    encoding = ThresholdEncoding(thresholds=np.array([1, 3]))
    return GraphMaker(rng, encoding.edge(source), 6, True), source, encoding


def _built(maker, source, encoding):
    return Network(
        name="integers", input=source, encoding=encoding, layers=tuple(maker.layers), takes=tuple(maker.takes)
    )


def map_network(seed):
    """A last convolution whose sums are the scores of each pixel; now and then a quantizer or pool behind it."""
    maker, source, encoding = _maker(seed)
    taken = maker.sums(maker.same_conv(ENCODED) if seed % 2 else ENCODED)
    if seed % 3 == 1:
        taken = maker.sum_pool(taken)
    if seed % 5 == 2:
        maker.quantize(taken)
    return _built(maker, source, encoding)


def heads_network(seed):
    """A trunk with two or three heads: maps and flat values, of sums, numbers of several levels and bits."""
    maker, source, encoding = _maker(seed)
    dice = random.Random(seed)
    trunk = maker.same_conv(ENCODED)
    side = seed % 3 == 0  # maps side by side, else one behind the other
    heads = [maker.sums(trunk), maker.same_conv(trunk)]
    if side:
        heads.append(maker.quantize(maker.sums(trunk)))
    else:
        flat = maker.sums(maker.dense(trunk, dice.randint(1, 9)))
        heads = [flat, maker.dense(trunk, dice.randint(1, 9)), dice.choice(heads)]
        maker.layers, maker.takes = _used(maker, heads)
    edges = [maker.edges[name] for name in heads]
    maker.add(
        Concat(
            name="outputs",
            sizes=tuple(edge.shape[-1] if side else edge.size for edge in edges),
            image=edges[0].shape[:2] if side else None,
            takes=tuple(edge.number for edge in edges),
        ),
        *heads,
    )
    return _built(maker, source, encoding)


def _used(maker, results):
    """The layers, and what each takes, that these results need."""
    needed, found = set(results), []
    for layer, takes in reversed(list(zip(maker.layers, maker.takes, strict=True))):
        if layer.name in needed:
            needed |= set(takes)
            found.append((layer, takes))
    return [layer for layer, _ in reversed(found)], [takes for _, takes in reversed(found)]
