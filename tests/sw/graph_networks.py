"""Random networks that branch and meet again."""

from dataclasses import replace

import numpy as np

from bitwright_core.network import (
    BINARY,
    ChannelArgMax,
    Concat,
    Conv2d,
    Dense,
    Input,
    IntegerEncoding,
    Network,
    Scores,
    Sums,
    ThresholdEncoding,
    Votes,
)

from .conv_networks import random_thresholds
from .graph_maker import GraphMaker


def step(maker):
    """Adds a random layer."""
    rng = maker.rng
    if maker.mixed and rng.random() < 0.3:
        newer_step(maker)
        return
    loose = [name for name in maker.unused if maker.edges[name].number != BINARY]
    if maker.integers and loose and rng.random() < 0.5:
        maker.quantize(str(rng.choice(loose)))
        return
    images = [name for name, edge in maker.edges.items() if len(edge.shape) == 3]
    if not images or rng.random() < 0.15:
        taken = maker.pick(maker.edges)
        alike = maker.alike(taken)
        if maker.edges[taken].number.bits > 12 and maker.integers:
            maker.quantize(taken)
        elif maker.integers and len(maker.edges[taken].shape) == 1 and rng.random() < 0.3:
            maker.add_up(*(maker.pick(maker.same_shape(taken)) for _ in range(2)))
        elif maker.integers and len(maker.edges[taken].shape) == 1 and rng.random() < 0.3:
            maker.sums(maker.bits(taken))
        elif len(maker.edges[taken].shape) == 1 and rng.random() < 0.4 and maker.edges[taken].size < 100:
            maker.concat(*(maker.pick(alike) for _ in range(int(rng.integers(2, 4)))))
        else:
            maker.dense(taken, int(rng.integers(1, maker.most + 1)))
        return
    taken = maker.pick(images)
    number = maker.edges[taken].number
    kind = rng.random()
    if number.bits > 12 or (maker.integers and number != BINARY and rng.random() < 0.4):
        maker.quantize(taken)
    elif maker.integers and kind < 0.15:
        maker.sums(maker.bits(taken))
    elif maker.integers and kind < 0.35:
        maker.add_up(*(maker.pick(maker.same_shape(taken)) for _ in range(2)))
    elif maker.integers and kind < 0.45 and number != BINARY:
        maker.quantize(taken)
    elif kind < (0.38 if maker.integers else 0.35) and maker.edges[taken].shape[2] < 40:
        alike = maker.alike(taken)
        maker.concat(*(maker.pick(alike) for _ in range(int(rng.integers(2, 4)))))
    elif kind < (0.48 if maker.mixed else 0.42) and maker.integers:
        maker.sum_pool(taken)
    elif kind < 0.5 and (number == BINARY or maker.integers):
        maker.pool(taken)
    elif not (number.xnor or number.signed):
        maker.quantize(taken)
    elif kind < 0.7:
        maker.conv(taken)
    else:
        maker.same_conv(taken)


def newer_step(maker):
    """Adds a layer of lookup tables, an upsampling, or a dense layer of a few bits."""
    rng = maker.rng
    bits = [name for name, edge in maker.edges.items() if edge.number == BINARY and edge.size <= 200]
    images = [name for name, edge in maker.edges.items() if len(edge.shape) == 3 and edge.size <= 80]
    takers = [name for name, edge in maker.edges.items() if edge.number.bits <= 8 and edge.size <= 200]
    kind = rng.random()
    if kind < 0.15 and bits:
        maker.luts(maker.pick(bits))
    elif kind < 0.6 and images:
        maker.upsample(maker.pick(images))
    elif takers:
        maker.few_dense(maker.pick(takers))
    else:
        maker.quantize(maker.pick(maker.edges))


def scores_of(maker, joined, classes):
    """Adds the last layer of a classifier, on bits: scores, and of a mixed network votes or sums of groups, too."""
    rng = maker.rng
    kind = rng.random() if maker.mixed else 1
    if kind < 0.1:
        maker.group_sum(joined, classes)
    elif kind < 0.3:
        thresholds = random_thresholds(rng, maker.edges[joined].size, classes)[:, 0]
        maker.dense(joined, classes, Votes(thresholds=thresholds, votes=rng.integers(0, 5, classes)))
    else:
        maker.dense(joined, classes, Scores(scale=rng.integers(0, 9, classes), offset=rng.integers(-40, 40, classes)))


def heads_of(maker):
    """Makes every loose end an output: side by side where all are images of one size, else one behind the other."""
    ends = list(maker.unused)
    if len(ends) == 1:  # one output alone: sums, such as the scores of each pixel
        if maker.edges[ends[0]].number.bits <= 8:
            maker.sums(ends[0])
        return
    edges = [maker.edges[name] for name in ends]
    side = len(edges[0].shape) == 3 and len({edge.shape[:2] for edge in edges}) == 1
    sizes = tuple(edge.shape[-1] if side else edge.size for edge in edges)
    numbers = tuple(edge.number for edge in edges)
    maker.add(Concat(name="outputs", sizes=sizes, image=edges[0].shape[:2] if side else None, takes=numbers), *ends)


def random_graph_network(
    seed, *, shape=(5, 4, 2), bits=3, integers=False, steps=5, most=6, classes=3, sums=False, mixed=False, heads=False
):
    """A network of random convolutions, pools, dense layers and concatenations, whose loose ends meet in a dense layer
    of scores, or of bits where `classes` is 0, or with `heads` are its outputs as they are; of a flat input, `shape` of
    one axis, dense layers alone.

    With `mixed`, convolutions have groups, dilations, and weights and activations of a few bits, and there are
    upsampling, dense layers of a few bits, lookup tables, votes and sums of groups, too."""
    rng = np.random.default_rng(seed)
    source = Input(shape=shape, bits=bits)
    encoding = ThresholdEncoding(
        thresholds=np.sort(rng.choice(np.arange(1, 1 << bits), min(2, (1 << bits) - 1), replace=False))
    )
    if integers:
        encoding = IntegerEncoding(table=rng.integers(-(1 << bits) // 2, (1 << bits) // 2, 1 << bits))
    maker = GraphMaker(rng, encoding.fitted(source).edge(source), most, sums, mixed)
    for _ in range(steps):
        step(maker)
    if len(shape) == 3 and not any(isinstance(layer, Conv2d) for layer in maker.layers):
        maker.same_conv(maker.pick([name for name, edge in maker.edges.items() if len(edge.shape) == 3]))
    if heads:
        heads_of(maker)
        return _network(source, encoding, maker)
    ends = [
        name if len(maker.edges[name].shape) == 1 and maker.edges[name].number == BINARY else maker.dense(name, 4)
        for name in maker.unused
    ]
    joined = maker.concat(*ends) if len(ends) > 1 else ends[0]
    if classes:
        scores_of(maker, joined, classes)
    elif rng.random() < 0.5 or not any(isinstance(layer, Conv2d | Dense) for layer in maker.layers):
        maker.dense(joined, int(rng.integers(1, most + 1)))
    return _network(source, encoding, maker)


def _network(source, encoding, maker):
    layers, takes = tuple(maker.layers), tuple(maker.takes)
    return Network(name="random_graph", input=source, encoding=encoding, layers=layers, takes=takes)


def with_class_map(network, dice):
    """One network of four with the class of each pixel, or of a frame: of what it gives, or, as one more output, of an
    inner value; any other as it is.

    Scores become sums then, of which no class is chosen otherwise; votes and sums of groups stay as they are."""
    last = network.nodes[-1]
    inner = [node for node in network.nodes[:-1] if node.outputs > 1]
    behind = last.outputs > 1 and (not inner or dice.random() < 0.5)
    layers, takes = list(network.layers), [node.takes for node in network.nodes]
    if network.gives == "class":
        if not isinstance(getattr(network.last, "output", None), Scores):
            return network
        scores = network.last.output
        layers[-1] = replace(network.last, output=Sums(scale=scores.scale, offset=scores.offset))
        edge = layers[-1].infer(last.given)
    else:
        edge = last.edge
    if dice.random() >= 0.25 or not (behind or inner):
        return network
    chosen = last if behind else dice.choice(inner)
    of = edge if behind else chosen.edge
    classes = ChannelArgMax(name="classes", shape=of.shape, takes=of.number)
    layers, takes = [*layers, classes], [*takes, (chosen.name,)]
    if not behind:
        ends = edge, classes.edge
        both = Concat(name="both", sizes=tuple(end.size for end in ends), takes=tuple(end.number for end in ends))
        layers, takes = [*layers, both], [*takes, (last.name, classes.name)]
    return replace(network, layers=tuple(layers), takes=tuple(takes))
