"""Designs that several tests of simulation share; they leave them as they are."""

import pytest

from bitwright_core.design import Design
from bitwright_core.network import Network
from tests.sim.designs import generate, small_network


@pytest.fixture(scope="session")
def network() -> Network:
    return small_network()


@pytest.fixture(scope="session")
def design(network, tmp_path_factory) -> Design:
    return generate(network, tmp_path_factory.mktemp("designs") / "small")


@pytest.fixture(scope="session")
def scores_design(network, tmp_path_factory) -> Design:
    return generate(network, tmp_path_factory.mktemp("designs") / "scores", scores=True, data_bits=16)
