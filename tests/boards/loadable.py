"""A design with loadable layers, and three networks of its structure."""

from dataclasses import replace

import pytest

import bitwright as bw
from bitwright_core.plan import with_loadable
from tests.sw.networks import random_network


def network_of(seed):
    return random_network(seed, shape=(6, 6), bits=8, levels=1, hidden=(14, 9), classes=5)


@pytest.fixture(scope="module")
def networks():
    """Of one structure and, as from one configuration, of one name."""
    first = network_of(3)
    return [first, *(replace(first, layers=network_of(seed).layers) for seed in (4, 5))]


@pytest.fixture(scope="module")
def design(networks, tmp_path_factory):
    plan = with_loadable(bw.size(networks[0], cycles=60, scores=True), networks[0], "all")
    return bw.generate(networks[0], plan, tmp_path_factory.mktemp("loadable") / "design")
