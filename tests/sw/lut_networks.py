"""Random networks with layers of lookup tables, alone and beside dense layers."""

import random

import numpy as np

from bitwright_core.network import Dense, GroupSum, Input, Luts, Network, ThresholdEncoding, Thresholds


def random_luts(rng, name, inputs, outputs, fan_in):
    """Some tables read one input twice, or do not depend on all that they read."""
    tables = rng.integers(0, 2, (outputs, 1 << fan_in))
    tables[rng.random(outputs) < 0.1] = 1
    return Luts(name=name, inputs=inputs, wires=rng.integers(0, inputs, (outputs, fan_in)), tables=tables)


def random_lut_network(seed, *, most=20, dense=False):
    """One to three layers of tables over frames of bits, thermometers or single values; scores, or bits.

    With `dense`, a dense layer comes somewhere among them.
    """
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    bits = dice.choice([1, 8])
    levels = 1 if bits == 1 else dice.randint(1, 3)
    inputs = dice.randint(1, 40)
    kinds = ["luts"] * dice.randint(1, 3)
    if dense:
        kinds.insert(dice.randint(0, len(kinds)), "dense")
    layers, size = [], inputs * levels
    for k, kind in enumerate(kinds):
        outputs = dice.randint(2, most)
        if kind == "luts":
            layers.append(random_luts(rng, f"luts_{k}", size, outputs, dice.randint(1, 6)))
        else:
            thresholds = Thresholds(values=rng.integers(0, size + 2, (outputs, 1)))
            layers.append(Dense(name=f"dense_{k}", weights=rng.integers(0, 2, (outputs, size)), output=thresholds))
        size = outputs
    if dice.random() < 0.7:
        ends = sorted(dice.sample(range(1, size), dice.randint(0, min(4, size - 1))))
        groups = np.diff([0, *ends, size])
        layers.append(GroupSum(name="sums", groups=tuple(groups.tolist())))
    return Network(
        name="tables",
        input=Input(shape=(inputs,), bits=bits),
        encoding=ThresholdEncoding(thresholds=np.sort(rng.choice(np.arange(1, 1 << bits), levels, replace=False))),
        layers=tuple(layers),
    )
