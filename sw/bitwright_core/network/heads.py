"""One of several outputs of a network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.edge import Edge


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """One of several outputs: the layer that gives it, its shape and number type, and where it lies in a result."""

    name: str
    edge: Edge
    places: NDArray[np.int64]  # (values,), of `edge.shape` in raster order

    def of(self, results: NDArray[np.integer]) -> NDArray[np.integer]:
        """Its values (n, *shape) of results (n, outputs)."""
        return results[:, self.places].reshape(len(results), *self.edge.shape)
