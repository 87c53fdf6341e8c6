"""What every operator of a network can be asked, so that nobody has to know which one it is."""

from typing import Protocol

from bitwright_core.network.matrix import MatrixLayer
from bitwright_core.network.values import Edge
from bitwright_core.network.windows import Pooling, Windows


class Operator(Protocol):
    """An operator: Dense, Conv2d, MaxPool2d, and whatever joins them.

    What it can do is asked for as an object, which is None where it cannot: `layer.matrix is not None` means that it
    has weights, `layer.windows is not None` that it takes an image in windows.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """Its kind, as files and tables name it."""

    @property
    def matrix(self) -> MatrixLayer | None:
        """Its weights and what follows them."""

    @property
    def windows(self) -> Windows | None:
        """Where its windows stand on the image that it takes; None for one that takes flat values."""

    @property
    def pooling(self) -> Pooling | None:
        """How it reduces each window without weights."""

    @property
    def gives_scores(self) -> bool:
        """Whether what it gives are scores: such an operator is the last."""

    @property
    def source(self) -> Edge:
        """Shape and number type of what it takes."""

    @property
    def edge(self) -> Edge:
        """Shape and number type of what it gives."""

    @property
    def inputs(self) -> int:
        """Lanes of a window, of all channels."""

    @property
    def outputs(self) -> int:
        """Values of each pixel: neurons, or channels."""

    @property
    def pixels(self) -> int:
        """Windows of a frame; 1 for one that takes flat values."""

    @property
    def weight_bits(self) -> int: ...

    @property
    def operations(self) -> int:
        """Operations a frame, as the field counts them: multiplications and additions."""
