"""A decision tree as neurons: each reads what a path compares, and is 1 where the path is taken."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.network import ThresholdEncoding
from bitwright_train.trees import Leaf, Tree


@dataclass(frozen=True, kw_only=True)
class Began:
    """A neuron: the lanes that it reads, in rising order, and its table, bit k of an address being lane k of these."""

    lanes: tuple[int, ...]
    table: tuple[int, ...]


def tree_neurons(
    values: NDArray[np.integer],
    labels: NDArray[np.integer],
    encoding: ThresholdEncoding,
    *,
    classes: int,
    bits: int,
    fan_in: int,
    neurons: int,
    group: int | None,
) -> list[Began | None]:
    """What `neurons` neurons of a first layer begin as: leaves of a tree over frames (n, values), None for the rest.

    The tree grows until its leaves need more neurons than there are. Leaves of a class share a neuron where it reads
    no more than `fan_in` lanes. With `group`, each class has so many neurons, one class after the other.
    """
    thresholds = sorted(set(encoding.rows.reshape(-1).tolist()) - {0, 1 << bits})
    tree = Tree(values, labels, classes=classes, bits=bits, thresholds=thresholds, depth=fan_in)
    found = _arranged(tree.leaves, encoding, classes, fan_in, neurons, group)
    assert found is not None  # one leaf always fits
    while tree.grow():
        more = _arranged(tree.leaves, encoding, classes, fan_in, neurons, group)
        if more is None:
            break
        found = more
    return found


def _arranged(
    leaves: tuple[Leaf, ...],
    encoding: ThresholdEncoding,
    classes: int,
    fan_in: int,
    neurons: int,
    group: int | None,
) -> list[Began | None] | None:
    """The neurons of `leaves` at their places; None if they need more than there are."""
    of_class: list[list[Began]] = [[] for _ in range(classes)]
    for leaf in leaves:
        one = _neuron(leaf, encoding)
        if one is not None:
            _share(of_class[leaf.klass], one, fan_in)
    places: list[Began | None] = []
    if group is None:
        places.extend(itertools.chain.from_iterable(of_class))
    else:
        for mine in of_class:
            if len(mine) > group:
                return None
            places += [*mine, *[None] * (group - len(mine))]
    return None if len(places) > neurons else [*places, *[None] * (neurons - len(places))]


def _neuron(leaf: Leaf, encoding: ThresholdEncoding) -> Began | None:
    """The neuron of a leaf; None for the tree that is one leaf."""
    rows = encoding.rows
    wanted: dict[int, int] = {}
    for value, threshold, reaches in leaf.path:
        level = int(np.flatnonzero(rows[value % len(rows)] == threshold)[0])
        wanted[value * encoding.levels + level] = int(reaches)
    if not wanted:
        return None
    lanes = tuple(sorted(wanted))
    only = sum(wanted[lane] << k for k, lane in enumerate(lanes))
    return Began(lanes=lanes, table=tuple(int(address == only) for address in range(1 << len(lanes))))


def _share(neurons: list[Began], one: Began, fan_in: int) -> None:
    """Adds `one` to that of `neurons` with which it reads the fewest lanes, if they are at most `fan_in`, else anew."""
    fits = [(len({*each.lanes, *one.lanes}), place) for place, each in enumerate(neurons)]
    size, place = min(fits, default=(fan_in + 1, 0))
    if size > fan_in:
        neurons.append(one)
    else:
        neurons[place] = _either(neurons[place], one)


def _either(a: Began, b: Began) -> Began:
    """The neuron that is 1 where one of two is."""
    lanes = tuple(sorted({*a.lanes, *b.lanes}))
    table = []
    for address in range(1 << len(lanes)):
        bit = {lane: address >> k & 1 for k, lane in enumerate(lanes)}
        table.append(int(any(one.table[sum(bit[lane] << k for k, lane in enumerate(one.lanes))] for one in (a, b))))
    return Began(lanes=lanes, table=tuple(table))
