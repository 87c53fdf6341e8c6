"""The parts of a Network, for those who build one by hand: what bitwright_core.network has."""

from bitwright_core.network import *  # noqa: F403
from bitwright_core.network import __all__  # noqa: F401
