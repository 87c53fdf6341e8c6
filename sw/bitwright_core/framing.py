"""How frames and results lie on the AXI4-Stream buses: shared by hardware, simulation and drivers.

Input: a frame is a whole number of beats of `data_bits`. Bits (one-bit values, or a frame encoded on the
host) are packed one a lane; values of 2 to 8 bits take a byte, wider ones two (little-endian). What is left
of the last beat is padding, with TKEEP low.

Output, beats of 64 bits: with scores, one signed score a beat, class 0 first; then one beat with the class.
A network that gives bits sends them packed, lane 0 first; one that gives integers likewise, each in 8, 16, 32 or 64
bits, little-endian. TLAST is on a result's last beat.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bitwright_core.bits import pack_bits, unpack_bits
from bitwright_core.errors import DataError, PlanError
from bitwright_core.network import Network
from bitwright_core.plan import DATA_BITS, Plan, ceil_div

RESULT_BITS = 64
ValueBits = Literal[1, 8, 16, 32, 64]


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


class OutputFormat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A result on the output stream."""

    outputs: int  # classes, or bits, or integers
    classifier: bool
    scores: bool
    value_bits: ValueBits = 1  # of each output of a network that gives no class: 1, or what an integer takes
    signed: bool = False  # of integers

    @property
    def beats(self) -> int:
        if not self.classifier:
            return ceil_div(self.outputs * self.value_bits, RESULT_BITS)
        return 1 + (self.outputs if self.scores else 0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What an integer lies in, in memory."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{max(1, self.value_bits // 8)}")

    def pack(self, classes: NDArray[Any] | None, values: NDArray[Any] | None) -> NDArray[np.int64]:
        """Classes (n,) and scores (n, outputs), if they are sent, or bits or integers, to beats (n, beats)."""
        if self.classifier:
            assert classes is not None
            sent = [values] if self.scores and values is not None else []
            return np.hstack([*sent, classes[:, None]]).astype(np.int64)
        assert values is not None
        if self.value_bits == 1:
            body = pack_bits(values.astype(np.uint8))
        else:
            body = np.ascontiguousarray(values.astype(self.dtype)).view(np.uint8)
        beats = np.zeros((len(values), self.beats * RESULT_BITS // 8), np.uint8)
        beats[:, : body.shape[1]] = body
        return beats.view(np.int64)

    def unpack(self, words: NDArray[Any]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Beats (n, beats) of 64 bits to (classes (n,) or None, scores, bits or integers (n, outputs) or None)."""
        words = np.ascontiguousarray(words).view(np.uint64).reshape(-1, self.beats)
        if self.classifier:
            signed = words.view(np.int64)
            return signed[:, -1].copy(), signed[:, :-1].copy() if self.scores else None
        if self.value_bits == 1:
            return None, unpack_bits(words.view(np.uint8), self.outputs).astype(np.int64)
        return None, words.view(self.dtype)[:, : self.outputs].astype(np.int64)

    def in_beat(self, beat: int) -> range:
        """The outputs, bits or integers, that lie in a beat."""
        each = RESULT_BITS // self.value_bits
        return range(beat * each, min(self.outputs, (beat + 1) * each))


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
    """The form of results on the output stream."""
    if network.gives != "integers":
        return OutputFormat(outputs=network.outputs, classifier=network.gives_scores, scores=plan.scores)
    number = network.nodes[-1].edge.number
    widths: tuple[ValueBits, ...] = (8, 16, 32, 64)
    wide = next(bits for bits in widths if bits >= number.bits)
    return OutputFormat(outputs=network.outputs, classifier=False, scores=False, value_bits=wide, signed=number.signed)


def pack_frames(network: Network, plan: Plan, frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Frames (n, ...) as the user has them to the bytes (n, stride) that the accelerator takes."""
    from bitwright_core.golden import check_frames, encode

    values = encode(network, frames) if plan.encoding == "host" else check_frames(network, frames)
    return input_format(network, plan).pack(values)
