"""A value of a graph as an expression of another one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.expression import Expr


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A value as an expression of another: shape without frames, index None where it is the source's own."""

    source: str
    shape: tuple[int, ...]
    index: NDArray[np.int64] | None
    expression: Expr

    @property
    def indices(self) -> NDArray[np.int64]:
        return np.arange(int(np.prod(self.shape))).reshape(self.shape) if self.index is None else self.index
