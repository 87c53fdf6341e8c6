"""The errors that a user can cause: each message says what is wrong, where, and what to do.

The command line prints the message alone; any other exception is a defect of bitwright's own and keeps
its traceback.
"""


class BitwrightError(ValueError):
    """A mistake in what was given to bitwright, told in one sentence."""


class NetworkError(BitwrightError):
    """A network, or a network file, that breaks the rules of docs/network.md."""


class PlanError(BitwrightError):
    """A plan that does not fit its network: an unknown layer, an impossible fold, a bad setting."""


class BoardError(BitwrightError):
    """A board that is unknown, or that cannot do what was asked of it."""


class DataError(BitwrightError):
    """Frames or a data set of the wrong shape, type or range, or files that are missing or damaged."""


class DesignError(BitwrightError):
    """A generated design folder that is incomplete, damaged or of another version."""


class OutputError(BitwrightError):
    """A place that was named to write to, where nothing can be written."""


class TrainingError(BitwrightError):
    """A training configuration or checkpoint that cannot be used."""


class ExportError(BitwrightError):
    """A trained network that has no exact integer form (NaN weights, scores that need too many bits)."""


class ParameterSetError(BitwrightError):
    """A set of trained parameters to import, or the topology given with it, that is missing, damaged or odd."""


class ToolError(BitwrightError):
    """An external program that is missing, too old, or failed; says which version and how to get it."""
