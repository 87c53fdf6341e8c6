"""The parts of a Network, for those who build one by hand: what bitwright_core.network has.

`Encoding` and `Layer` are what `ThresholdEncoding` and `Operator` were called before; programs that say so still run.
"""

from bitwright_core.network import *  # noqa: F403
from bitwright_core.network import (
    Operator,
    ThresholdEncoding,
    __all__,  # noqa: F401
)

Encoding = ThresholdEncoding
Layer = Operator
