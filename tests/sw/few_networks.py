"""Random weights and thresholds of a few bits."""

from dataclasses import replace

import numpy as np

from bitwright_core.network import BINARY, Dense, NumberType, Scores, Thresholds, Votes
from bitwright_core.numbers import TERNARY, signed_type, unsigned_type

FEW_WEIGHTS = (BINARY, TERNARY, *map(signed_type, (2, 3, 4)))
FEW_ACTIVATIONS = (BINARY, TERNARY, *map(unsigned_type, (2, 3)), *map(signed_type, (2, 3)))


def random_weights(rng, shape, number):
    """Stored weights of a number type; now and then all zeros where it has them."""
    if number == BINARY:
        return rng.integers(0, 2, shape, dtype=np.uint8)
    least, largest = number.stored
    weights = rng.integers(least, largest + 1, shape, dtype=np.int8)
    return np.where(rng.random((len(weights), *[1] * (len(shape) - 1))) < 0.05, 0, weights).astype(np.int8)


def random_few_thresholds(rng, takes, weights, weight_type, number, *, zeros=False):
    """Thresholds that give values of type `number` for rows of those weights on `takes` values."""
    like = Dense(
        name="like",
        weights=weights.reshape(len(weights), -1),
        output=Scores(scale=np.ones(len(weights), np.int64), offset=np.zeros(len(weights), np.int64)),
        takes=takes,
        weight_type=weight_type,
    )
    least, largest = like.dot_range if zeros else like.accumulator_range
    middle, spread = (least + largest) / 2, max(1.0, (largest - least) ** 0.5)
    levels = number.stored[1] - number.stored[0]
    values = np.rint(rng.normal(middle, spread, (len(weights), levels))).astype(np.int64)
    values = np.where(rng.random(values.shape) < 0.05, rng.choice([least, largest + 1], values.shape), values)
    base = 0 if number == BINARY else number.stored[0]
    return Thresholds(values=np.sort(np.clip(values, least, largest + 1), axis=1), base=base)


def picked(rng, numbers: tuple[NumberType, ...]) -> NumberType:
    return numbers[int(rng.integers(len(numbers)))]


def random_few_dense(rng, name, edge, outputs, weight_types, act_types):
    """A dense layer of weights and activations out of these types; bits for none."""
    weight_type = picked(rng, weight_types)
    weights = random_weights(rng, (outputs, edge.size), weight_type)
    output = random_few_thresholds(rng, edge.number, weights, weight_type, picked(rng, act_types or (BINARY,)))
    return Dense(name=name, weights=weights, output=output, takes=edge.number, weight_type=weight_type)


def with_scores(rng, layer, votes):
    """A dense layer of bits with random votes at its thresholds, or with random scores."""
    if votes:
        output = Votes(thresholds=layer.output.values[:, 0], votes=rng.integers(0, 5, layer.outputs))
    else:
        output = Scores(scale=rng.integers(0, 9, layer.outputs), offset=rng.integers(-40, 40, layer.outputs))
    return replace(layer, output=output)
