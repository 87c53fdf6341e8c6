"""The errors that bitwright raises: those of bitwright_core.errors."""

from bitwright_core.errors import (
    BitwrightError,
    BoardError,
    DataError,
    DesignError,
    ExportError,
    NetworkError,
    OutputError,
    ParameterSetError,
    PlanError,
    ToolError,
    TrainingError,
)

__all__ = [
    "BitwrightError",
    "BoardError",
    "DataError",
    "DesignError",
    "ExportError",
    "NetworkError",
    "OutputError",
    "ParameterSetError",
    "PlanError",
    "ToolError",
    "TrainingError",
]
