"""Random accelerators for the fuzzer: a network of any kind, a plan of any fold, target and stream, from a seed."""

import random
from dataclasses import replace

import numpy as np

from bitwright_core.framing import input_format
from bitwright_core.network import Conv2d, Network, Values
from bitwright_core.plan import DATA_BITS, LayerPlan, Plan
from tests.sw.conv_networks import random_conv_network
from tests.sw.drawn_networks import NEWER_KINDS, newer_network, random_pe
from tests.sw.networks import varied_network

KINDS = (
    "bits",
    "levels",
    "host",
    "integers",
    "images",
    "integer images",
    "hardwired",
    "fast tail",
    "wide",
    "rows of thresholds",
    "rows of tables",
    *NEWER_KINDS,
)


def random_case(seed: int) -> tuple[str, Network, Plan]:
    """What kind it is, the network, and the plan."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    bits = 1 if kind == "bits" else dice.choice([1, 2, 4, 8, 8, 12])
    scores = dice.random() < 0.7
    votes = False
    if kind in NEWER_KINDS:
        network = newer_network(kind, seed, dice)
        bits = network.input.bits
    elif kind.startswith("rows"):
        images = dice.random() < 0.5
        bits, votes = min(bits, 4), dice.random() < 0.3
        network = random_conv_network(
            seed,
            shape=(dice.randint(2, 6), dice.randint(1, 5) if images else 1, dice.randint(1, 4)),
            bits=bits,
            integers=kind == "rows of tables",
            convs=1 if images else 0,
            channels=(1, 2, 3, 5),
            dense=[dice.randint(1, 6)],
            classes=dice.randint(1, 4) if scores else 0,
            votes=votes and scores,
            rows=dice.choice(("channel", "value")),
        )
    elif kind in ("images", "integer images"):
        bits, votes = min(bits, 4), dice.random() < 0.3
        network = random_conv_network(
            seed,
            shape=(dice.randint(1, 7), dice.randint(1, 7), dice.randint(1, 4)),
            bits=bits,
            integers=kind == "integer images",
            convs=dice.randint(1, 2),
            channels=(1, 2, 3, 5),
            dense=[dice.randint(1, 6)] if dice.random() < 0.5 else [],
            classes=dice.randint(1, 4) if scores else 0,
            votes=votes and scores,
        )
    elif kind == "integers":
        network = random_conv_network(
            seed,
            shape=(dice.randint(1, 40), 1, 1),
            bits=bits,
            integers=True,
            convs=0,
            votes=dice.random() < 0.3,
            dense=[dice.randint(1, 9) for _ in range(dice.randint(1, 2))],
            classes=dice.randint(1, 5) if scores else 0,
        )
    else:
        most = 70 if kind == "wide" else 12
        sizes = [dice.randint(1, most) for _ in range(dice.randint(1, 3))]
        network = varied_network(
            rng,
            inputs=dice.randint(1, 90 if kind == "wide" else 24),
            sizes=sizes,
            bits=bits,
            scores=scores,
            levels=1 if bits == 1 else dice.randint(1, 3),
        )
    if dice.random() < 0.3:
        network = replace(network, labels=tuple(f"label {k}" for k in range(network.outputs)))
    if network.gives_scores and dice.random() < 0.2:
        network = replace(network, values=Values(step=0.5, error=0.25))
    folds = []
    for k, layer in enumerate(network.matrix_layers):
        fast = kind == "hardwired" or (kind == "fast tail" and k)
        pe = layer.outputs if fast else dice.choice([1, random_pe(layer, dice), layer.outputs])
        simd = layer.inputs if fast else dice.randint(1, layer.inputs)
        hard = kind == "hardwired" and dice.random() < 0.8 and not isinstance(layer, Conv2d)
        engine = "hardwired" if hard and layer.counts_bits else "matrix"
        pe, simd = (layer.outputs, layer.inputs) if engine == "hardwired" else (pe, simd)
        folds.append({"name": layer.name, "pe": pe, "simd": simd, "engine": engine})
    least = 16 if bits > 8 else 8
    few_or_half = 0.2 if kind == "fast tail" else 0.5
    encoding = "host" if kind == "host" else "hardware"
    plan = Plan(
        layers=tuple(LayerPlan(**{k: v for k, v in fold.items() if v != "matrix"}) for fold in folds),
        scores=network.gives == "values" or (network.is_classifier and dice.random() < few_or_half),
        data_bits=dice.choice([width for width in DATA_BITS if width >= least]),
        encoding=encoding,
        target=dice.choice(["generic", "generic", "xc7", "ecp5"]),
        clock_mhz=dice.choice([50, 100, 150, 250]),
    )
    input_format(network, plan)
    return kind, network, plan


def random_frames(network: Network, count: int, seed: int) -> np.ndarray:
    """Frames (n, ...), uniform for the most part, some sparse, dark or bright."""
    rng = np.random.default_rng(seed)
    top = (1 << network.input.bits) - 1
    frames = rng.integers(0, top + 1, (count, *network.input.shape))
    for k in range(count):
        match rng.integers(0, 8):
            case 0:
                frames[k] = 0
            case 1:
                frames[k] = top
            case 2:
                frames[k] *= rng.random(frames[k].shape) < rng.random()
    return frames
