"""What a layer with weights makes of its accumulators: activations, scores, or votes. A file for each."""

from bitwright_core.errors import NetworkError
from bitwright_core.outputs.scores import Scores
from bitwright_core.outputs.sums import Sums
from bitwright_core.outputs.thresholds import Thresholds
from bitwright_core.outputs.votes import Votes
from bitwright_core.tensors import Tensors

Output = Thresholds | Scores | Votes | Sums
OUTPUTS: tuple[type[Thresholds] | type[Scores] | type[Votes], ...] = (Thresholds, Scores, Votes, Sums)

__all__ = ["OUTPUTS", "Output", "Scores", "Sums", "Thresholds", "Votes", "read_output"]


def read_output(kind: str, tensors: Tensors, outputs: int, levels: int, base: int = 0) -> Output:
    """The output of that kind from a network file. Raises NetworkError."""
    for output in OUTPUTS:
        if output.kind == kind:
            found = output.read(tensors, outputs, levels, base)
            if (found.levels, found.base) != (levels, base):
                raise NetworkError(f"{kind} have no levels, so neither {levels} of them nor a base of {base}")
            return found
    raise NetworkError(f"an output must be one of {', '.join(output.kind for output in OUTPUTS)}, not {kind!r}")
