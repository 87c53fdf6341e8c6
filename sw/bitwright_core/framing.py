"""How frames and results lie on the AXI4-Stream buses: shared by hardware, simulation and drivers.

Input: a frame is a whole number of beats of `data_bits`. Bits (one-bit values, or a frame encoded on the
host) are packed one a lane; values of 2 to 8 bits take a byte, wider ones two (little-endian). What is left
of the last beat is padding, with TKEEP low.

Output, beats of 64 bits: with scores, one signed score a beat, class 0 first; then one beat with the class.
A network that gives bits sends them packed, lane 0 first. TLAST is on a result's last beat.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.bits import pack_bits, unpack_bits
from bitwright_core.errors import DataError, PlanError
from bitwright_core.network import Network
from bitwright_core.plan import DATA_BITS, Plan, ceil_div

RESULT_BITS = 64


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """A frame on the input stream: `values` values of `value_bits` bits (1, 8 or 16) each."""

    values: int
    value_bits: int
    data_bits: int
    encoded: bool  # True: the host sends encoded bits

    @property
    def bytes(self) -> int:
        """Bytes of a frame that carry data (TKEEP high)."""
        return ceil_div(self.values * self.value_bits, 8)

    @property
    def beats(self) -> int:
        return ceil_div(self.values * self.value_bits, self.data_bits)

    @property
    def stride(self) -> int:
        """Bytes from one frame to the next in memory: whole beats."""
        return self.beats * self.data_bits // 8

    def pack(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Values (n, `values`), already encoded if `encoded`, to bytes (n, stride)."""
        if values.ndim != 2 or values.shape[1] != self.values:
            raise DataError(f"frames of {self.values} values expected, not an array of shape {values.shape}")
        if self.value_bits == 1:
            body = pack_bits(values.astype(np.uint8))
        else:
            body = np.ascontiguousarray(values.astype("<u2" if self.value_bits == 16 else np.uint8)).view(np.uint8)
        packed = np.zeros((len(values), self.stride), np.uint8)
        packed[:, : body.shape[1]] = body
        return packed


@dataclass(frozen=True, kw_only=True)
class OutputFormat:
    """A result on the output stream."""

    outputs: int  # classes, or bits
    classifier: bool
    scores: bool

    @property
    def beats(self) -> int:
        if not self.classifier:
            return ceil_div(self.outputs, RESULT_BITS)
        return 1 + (self.outputs if self.scores else 0)

    def unpack(self, words: NDArray[Any]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Beats (n, beats) of 64 bits to (classes (n,) or None, scores or bits (n, outputs) or None)."""
        words = np.ascontiguousarray(words).view(np.uint64).reshape(-1, self.beats)
        if not self.classifier:
            return None, unpack_bits(words.view(np.uint8), self.outputs).astype(np.int64)
        signed = words.view(np.int64)
        return signed[:, -1].copy(), signed[:, :-1].copy() if self.scores else None


def input_format(network: Network, plan: Plan) -> InputFormat:
    """The form of frames on the input stream. Raises PlanError for a stream that is narrower than one value."""
    if plan.encoding == "host":
        return InputFormat(values=network.encoded_size, value_bits=1, data_bits=plan.data_bits, encoded=True)
    bits = network.input.bits
    width = 1 if bits == 1 else 8 if bits <= 8 else 16
    if width > plan.data_bits:
        raise PlanError(f"data_bits {plan.data_bits} is too narrow for {bits}-bit input values; use {width} or more")
    return InputFormat(values=network.input.size, value_bits=width, data_bits=plan.data_bits, encoded=False)


def frame_wide(plan: Plan, network: Network) -> Plan:
    """`plan` with the narrowest input stream that brings a frame in one beat, or the widest if none does."""
    for bits in DATA_BITS:
        wide = replace(plan, data_bits=bits)
        if bits >= 16 and input_format(network, wide).beats == 1:
            return wide
    return replace(plan, data_bits=DATA_BITS[-1])


def output_format(network: Network, plan: Plan) -> OutputFormat:
    return OutputFormat(outputs=network.outputs, classifier=network.gives_scores, scores=plan.scores)


def pack_frames(network: Network, plan: Plan, frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Frames (n, ...) as the user has them to the bytes (n, stride) that the accelerator takes."""
    from bitwright_core.golden import check_frames, encode

    values = encode(network, frames) if plan.encoding == "host" else check_frames(network, frames)
    return input_format(network, plan).pack(values)
