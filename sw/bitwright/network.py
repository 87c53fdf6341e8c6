"""The parts of a Network, for those who build one by hand: what bitwright_core.network has.

`Encoding` and `Layer` are what `ThresholdEncoding` and `Operator` were called before; programs that say so still run.
"""

from bitwright_core.network import *  # noqa: F403
from bitwright_core.network import Operator, ThresholdEncoding
from bitwright_core.network import __all__ as __all__

Encoding = ThresholdEncoding
Layer = Operator
