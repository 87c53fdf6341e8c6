"""How the last layer's sums become the result, so that what a reader sees adds up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.reporting.svg import MINUS, TIMES
from bitwright_core.golden import Trace
from bitwright_core.network import MatrixLayer, Network, Scores, Thresholds, Votes


@dataclass(frozen=True, kw_only=True)
class LastSums:
    """The numbers from which each output follows: `columns` names them, `rows` has those of each output.

    `told` says in words how the output follows; `shown` names the column that the waves show of the last layer, and is
    empty where they show another number (the engine may count from elsewhere, and come to the same result).
    """

    layer: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    told: str
    shown: str


def sums_of(network: Network, golden: Trace) -> LastSums | None:
    """The sums of the first frame of `golden`; None where the last layer adds nothing up, or gives several levels."""
    layer, held = network.last.matrix, golden.layers[-1].accumulators
    if layer is None or held is None:
        return None
    counts = held[0].reshape(-1).astype(np.int64)
    what = "sum" if layer.sums_dots else "popcount"
    columns, facts, told = _facts(layer, len(counts))
    if any(len(fact) != len(counts) for fact in facts) or not told:
        return None
    margins = layer.margins(held[:1]).reshape(-1).astype(np.int64)
    shown, expected = what, counts
    if columns and columns[0] == "threshold":
        shown, expected = "difference", counts - facts[0]
        columns, facts = (columns[0], "difference", *columns[1:]), [facts[0], expected, *facts[1:]]
    return LastSums(
        layer=layer.name,
        columns=(what, *columns),
        rows=tuple(tuple(row) for row in np.stack([counts, *facts], axis=1).tolist()),
        told=told.format(
            layer=layer.name, what=what, inputs=f"{layer.inputs:,}", who="class" if network.is_classifier else "output"
        ),
        shown=shown if (margins == expected).all() else "",
    )


def _facts(layer: MatrixLayer, outputs: int) -> tuple[tuple[str, ...], list[NDArray[np.int64]], str]:
    """Names and numbers beside the sums, and how the result follows; no words of an output that is not told."""
    output = layer.output
    agree = (
        "that of the products with {inputs} inputs"
        if layer.sums_dots
        else "how many of {inputs} input bits are equal to them"
    )
    agree = f"Each {{who}} has a row of weights in {{layer}}; its {{what}} is {agree}. "
    difference = f"the difference, {{what}} {MINUS} threshold, is not negative"
    if isinstance(output, Votes):
        told = f"{agree}Where {difference}, the score is the {{who}}'s vote, else 0."
        if len(np.unique(output.votes)) == len(output.votes):
            told += " No two votes are equal, so one {who} wins where several have one."
        return ("threshold", "vote"), [output.thresholds, output.votes], told
    if isinstance(output, Scores):
        if (output.scale == 1).all() and not output.offset.any():
            return (), [], agree + "The scores are these {what}s."
        return (
            ("scale", "offset"),
            [output.scale, output.offset],
            f"{agree}The score is scale {TIMES} {{what}} + offset.",
        )
    if isinstance(output, Thresholds) and output.levels == 1 and output.outputs == outputs:
        return ("threshold",), [output.values[:, 0]], f"{agree}The bit is 1 where {difference}."
    return (), [], ""
