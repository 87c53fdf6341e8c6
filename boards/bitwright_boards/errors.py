"""What can go wrong between here and a board: each its own class, each message one sentence with what to do."""

from bitwright_core.errors import BoardError


class HostError(BoardError):
    """No host of that name, or none that answers there."""


class HostKeyError(BoardError):
    """The host's key is unknown, or is not the one that is known."""


class LoginError(BoardError):
    """The host refuses the user, the key or the password; or sudo does."""


class DiskFullError(BoardError):
    """No room on the board."""


class ConnectionLostError(BoardError):
    """The connection broke on the way."""


class MissingPynqError(BoardError):
    """The board's Python has no pynq, or pynq finds no FPGA."""


class JobError(BoardError):
    """The job on the board failed. `kind` is the name of the driver's error, such as DigestMismatch."""

    def __init__(self, message: str, *, kind: str):
        super().__init__(message)
        self.kind = kind
