"""The golden model, layer by layer: what users need of bitwright_core.golden."""

from bitwright_core.golden import (
    LayerTrace,
    Trace,
    classify,
    encode,
    outputs,
    trace,
    values,
)

__all__ = [
    "LayerTrace",
    "Trace",
    "classify",
    "encode",
    "outputs",
    "trace",
    "values",
]
