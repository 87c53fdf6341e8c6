"""A bank of networks beside an overlay with loadable layers: what goes to a board of each, and what its frames gave."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_boards.deployment import Vectors, make_vectors
from bitwright_core.design import Design
from bitwright_core.loading import Load
from bitwright_core.network import Network


@dataclass(frozen=True, kw_only=True, eq=False)
class BankedNetwork:
    """A network of the bank, by the name that the driver's `choose` takes, with vectors of its own."""

    name: str
    load: Load
    vectors: Vectors

    @property
    def vectors_file(self) -> str:
        return f"{self.name}.vectors.npz"

    @property
    def results_file(self) -> str:
        return f"{self.name}.results.npz"

    @property
    def files(self) -> dict[str, bytes]:
        """What lies on the board of it, by name."""
        return {f"{self.name}.load": self.load.content, self.vectors_file: self.vectors.to_bytes()}


def bank_of(
    design: Design,
    networks: Sequence[tuple[Network, Load]],
    frames: NDArray[np.integer],
    labels: NDArray[np.integer] | None,
) -> tuple[BankedNetwork, ...]:
    """The bank of `networks`, each with `frames` and what its golden model gives for them.

    Networks of one name get -2, -3 and so on behind it, in order.
    """
    bank: list[BankedNetwork] = []
    for network, load in networks:
        taken = {each.name for each in bank}
        name, number = network.name, 1
        while name in taken:
            number += 1
            name = f"{network.name}-{number}"
        bank.append(BankedNetwork(name=name, load=load, vectors=make_vectors(design, frames, labels, network=network)))
    return tuple(bank)
