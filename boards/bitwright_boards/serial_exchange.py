"""Requests and answers over a serial line that may lose or damage them: what is not answered is sent again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bitwright_boards.driver import DriverError, Timeout
from bitwright_core.serial_link import (
    ANSWER,
    BREAK_BITS,
    FLAG,
    HEADER,
    REFUSED_KIND,
    TRAILER,
    Decoder,
    Kind,
    Packet,
)


class LinkError(DriverError):
    """The line damages more than sending again can mend."""


class Line(Protocol):
    """What the driver needs of pyserial's Serial."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def flush(self) -> None: ...
    def send_break(self, duration: float = 0.25) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Request:
    """A packet to send, and how long the payload of its answer is."""

    kind: Kind
    payload: bytes
    answer_bytes: int


@dataclass(frozen=True, kw_only=True)
class LinkCounts:
    """What the line has cost since the driver was made."""

    sent: int
    repeated: int
    damaged_answers: int
    refused: int  # requests that the board refused


class Exchange:
    """The host's end of bitwright_core.serial_link on `line`, which it owns.

    After `timeout` seconds without any answer a call ends in Timeout; after `repeats` repetitions of one request in
    LinkError. `room` and `packets` are what the board holds; they start low enough for any board. `bitstream` is what
    messages call the board's configuration.
    """

    def __init__(self, line: Line, *, baud: int, timeout: float, repeats: int, quiet_seconds: float, bitstream: str):
        self.line = line
        self.baud = baud
        self.timeout = timeout
        self.repeats = repeats
        self.bitstream = bitstream
        self.room, self.packets = 64, 1
        self._quiet = quiet_seconds
        self._decoder = Decoder()
        self._sequence = 0
        self._sent = self._repeated = self._refused = self._damaged = 0

    @property
    def counts(self) -> LinkCounts:
        return LinkCounts(
            sent=self._sent,
            repeated=self._repeated,
            damaged_answers=self._damaged + self._decoder.damaged,
            refused=self._refused,
        )

    def reset(self) -> None:
        """A break, which resets link and accelerator, whatever was under way; and an empty line after it."""
        self.line.send_break(3 * BREAK_BITS / self.baud + 0.0001)
        self.line.flush()
        self.line.timeout = self._quiet
        while self.line.read(4096):  # what was on its way
            pass
        self._damaged += self._decoder.damaged
        self._decoder = Decoder()
        self.line.write(bytes([FLAG]))

    def run(self, requests: Sequence[Request], told: Callable[[int], None] | None = None) -> list[bytes]:
        """The answers to `requests`, in order. As many are under way as the board holds."""
        answers: list[bytes | None] = [None] * len(requests)
        tries = [0] * len(requests)
        under_way: dict[int, int] = {}  # sequence to request, in the order of sending
        waiting = list(range(len(requests)))
        silent = 0.0

        def lost(sequences: Sequence[int]) -> None:
            """Puts requests back to the front, to be sent again."""
            indices = [under_way.pop(sequence) for sequence in sequences]
            self._repeated += len(indices)
            waiting[:0] = indices

        while waiting or under_way:
            while waiting and self._fits(requests, under_way, waiting[0]):
                index = waiting.pop(0)
                tries[index] += 1
                if tries[index] > self.repeats + 1:
                    raise LinkError(
                        f"a request was sent {self.repeats + 1} times without a whole answer "
                        f"({self.counts.damaged_answers} damaged answers, {self._refused} requests refused); "
                        "check the cable"
                    )
                self._sequence = self._sequence % 255 + 1
                under_way[self._sequence] = index
                request = requests[index]
                packet = Packet(kind=request.kind, sequence=self._sequence, payload=request.payload)
                self.line.write(packet.encode())
                self._sent += 1
            self.line.timeout = self._quiet + self._line_seconds(requests[index] for index in under_way.values())
            received = self.line.read(max(1, self.line.in_waiting))
            if not received:
                silent += self.line.timeout or 0.0
                if silent >= self.timeout:
                    raise Timeout(
                        f"the board answered nothing for {silent:.1f} s; is it programmed with {self.bitstream}, "
                        "and this its port?"
                    )
                lost(list(under_way))
                continue
            silent = 0.0
            for packet in self._decoder.feed(received):
                if packet.kind == REFUSED_KIND:
                    self._refused += 1  # which one, the board cannot know: the order of answers will tell
                    continue
                found = under_way.get(packet.sequence)
                if found is None:
                    continue  # an answer that came after all, to a request that was sent again
                request = requests[found]
                if packet.kind != request.kind | ANSWER or len(packet.payload) != request.answer_bytes:
                    continue
                answers[found] = packet.payload
                del under_way[packet.sequence]
                older = [sequence for sequence in under_way if _before(sequence, packet.sequence)]
                lost(older)  # answers come in order, so theirs will not come any more
                if told is not None:
                    told(sum(answer is not None for answer in answers))
        return [answer for answer in answers if answer is not None]

    def _line_seconds(self, requests: Iterable[Request]) -> float:
        """How long requests and answers take on the line, every byte escaped."""
        overhead = 2 * (HEADER + TRAILER + 2)
        return sum(20 * (len(r.payload) + r.answer_bytes + overhead) for r in requests) / self.baud

    def _fits(self, requests: Sequence[Request], under_way: dict[int, int], index: int) -> bool:
        """Whether the board has room for another request."""
        taken = sum(len(requests[other].payload) for other in under_way.values())
        return not under_way or (len(under_way) < self.packets and taken + len(requests[index].payload) <= self.room)


def _before(sequence: int, other: int) -> bool:
    """Whether `sequence` was given out before `other`; they run from 1 to 255 and begin anew."""
    return 0 < (other - sequence) % 255 < 128
