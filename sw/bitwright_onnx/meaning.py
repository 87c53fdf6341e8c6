"""What the outputs of a graph mean: one class of several, labels that each stand for itself, or numbers.

A class needs the order of the scores and nothing more, a label its own threshold, a number its zero and its scale.
The graph's last operators tell which it is as a rule; where they do not, the commoner use is taken, and said.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from bitwright_onnx.heads import CHOOSING

Meaning = Literal["class", "labels", "scores"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)
Ending = Literal["sums", "bits", "votes"]
_SOFT = frozenset(("Softmax", "LogSoftmax"))
CHOSEN = CHOOSING | _SOFT  # operators behind the scores of a class


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is taken of a graph's end: sums before any threshold, bits, or votes of the highest bit."""

    ending: Ending
    heads: tuple[str, ...]  # operators that were taken off, the last first
    count: int
    different_votes: bool = False
    pixels: int = 1  # of an image of outputs, `count` in all

    def chosen(self, asked: Meaning | None, *, known: bool = False) -> Meaning:
        """The meaning that was asked for, or the one that the graph tells. Raises ValueError if it cannot be had.

        `known` is for what an export of bitwright's own says: it may choose among one class.
        """
        meaning = asked or self._told()
        if meaning == "class" and self.count == 1 and not known:
            what = f"{self.heads[0]} of one output is always the same" if self.heads else "one output chooses no class"
            raise ValueError(f"{what}; --outputs labels takes it as a decision, --outputs scores as a number")
        if meaning == "scores" and self.ending != "sums":
            raise ValueError("the graph ends in bits, which are no scores; --outputs labels takes them")
        return meaning

    def _told(self) -> Meaning:
        if CHOSEN & set(self.heads):
            return "class"
        if self.ending == "bits" or "Sigmoid" in self.heads:
            return "labels"
        if self.pixels > 1 and self.ending == "sums":
            return "scores"
        if self.count == 1:
            return "labels" if self.ending == "votes" else "scores"
        return "labels" if self.ending == "votes" and not self.different_votes else "class"

    def sentence(self, meaning: Meaning) -> str:
        """What was taken of the graph's end, and how a result is read."""
        behind = [op for op in reversed(self.heads) if op not in CHOOSING]
        before = f" before {' and '.join(behind)}" if behind else ""
        match meaning:
            case "class" if self.pixels > 1:
                each = self.count // self.pixels
                return f"{each} scores of each of {self.pixels} pixels, the class of one its first largest"
            case "class":
                first = "smallest" if "ArgMin" in self.heads else "largest"
                return f"one class of {self.count}, the first {first} score; scores keep their order, not their size"
            case "labels" if self.ending == "sums":
                chance = ", that is from 0.5 of the Sigmoid" if "Sigmoid" in self.heads else ""
                return f"{_count(self.count, 'bit')}, 1 where the value{before} is 0 or more{chance}"
            case "labels":
                return f"{_count(self.count, 'bit')}, 1 where the graph gives the larger of its two values"
        # scores
        where = f" ({self.count // self.pixels} of each of {self.pixels} pixels)" if self.pixels > 1 else ""
        return f"{_count(self.count, 'number')}{where}, the value{before}: the step times the score"


def _count(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"{number} {what}s, each for itself"
