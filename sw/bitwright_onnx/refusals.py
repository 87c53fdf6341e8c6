"""What cannot be imported, told all at once: node, operator and reason of each."""

from collections.abc import Iterable
from dataclasses import dataclass

from bitwright_core.errors import BitwrightError

_LISTED = 32  # different reasons
_NODES = 64  # of one reason
_NAME, _REASON = 120, 400  # characters shown; names in a file may be of any length


def _plain(text: str, most: int = _NAME) -> str:
    """Text from a file as a terminal may show it: on one line, not too long."""
    shown = text if len(text) <= most else f"{text[:most]}..."
    return shown if shown.isprintable() else ascii(shown)[1:-1]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One node that stands in the way; `node` and `operator` are empty where it is the file itself."""

    node: str = ""
    operator: str = ""
    reason: str

    def __str__(self) -> str:
        reason = _plain(self.reason, _REASON)
        return f"node {_plain(self.node)} ({_plain(self.operator)}): {reason}" if self.node else reason


def _of_all(nodes: list[str], operator: str, reason: str) -> str:
    """The same reason of several nodes, told once."""
    if len(nodes) < 2:
        return str(Refusal(node=nodes[0], operator=operator, reason=reason))
    names = ", ".join(map(_plain, nodes[:_NODES]))
    more = f" and {len(nodes) - _NODES} more" if len(nodes) > _NODES else ""
    return f"nodes {names}{more} ({_plain(operator)}): {_plain(reason, _REASON)}"


class OnnxError(BitwrightError):
    """A file that is no ONNX model, or a model that cannot become a Network; `refusals` holds every reason."""

    def __init__(self, refusals: Iterable[Refusal] | str) -> None:
        if isinstance(refusals, str):
            refusals = (Refusal(reason=refusals),)
        self.refusals = tuple(refusals)
        alike: dict[tuple[str, str], list[str]] = {}
        for refusal in self.refusals:
            alike.setdefault((refusal.operator, refusal.reason), []).append(refusal.node)
        texts = [_of_all(nodes, operator, reason) for (operator, reason), nodes in alike.items()]
        more = sum(map(len, list(alike.values())[_LISTED:]))
        super().__init__("; ".join(texts[:_LISTED]) + (f"; and {more} more" if more else ""))


class Refusals:
    """Collects refusals, so that a user learns of all of them in one run."""

    def __init__(self) -> None:
        self.found: list[Refusal] = []

    def add(self, node: str, operator: str, reason: str) -> None:
        refusal = Refusal(node=node, operator=operator, reason=reason)
        if refusal not in self.found:
            self.found.append(refusal)

    def raise_any(self) -> None:
        """Raises OnnxError if there is any."""
        if self.found:
            raise OnnxError(self.found)
