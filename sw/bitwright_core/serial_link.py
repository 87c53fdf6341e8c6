"""Packets between a host and a board on a serial line: shared by hardware, simulation and driver.

Framing is that of RFC 1662, "PPP in HDLC-like Framing": a packet lies between flag bytes; a flag or escape byte
inside is sent as ESCAPE and the byte with bit 5 inverted; ESCAPE FLAG abandons a packet. So whatever is lost or
added on the line, the next flag begins anew, and costs at most the packets that it touched.

Inside, all little-endian:

    kind (1)  sequence (1)  length (2)  payload (length)  CRC-32 of all before (4), as zlib.crc32 has it

Every request has one answer, of kind request | ANSWER and the same sequence, in order of the requests:

| kind | payload | payload of the answer |
| --- | --- | --- |
| READ | offset of the first register (1), number of registers (1) | 4 bytes a register |
| WRITE | offset (1), value (4) | none |
| RUN | frames, INPUT_BYTES each, without padding | results, 8 x OUTPUT_BEATS bytes each |

Offsets below LINK_REGISTERS["LINK_VERSION"] are the accelerator's own registers, the others the link's. A packet that
is not answered so is answered by REFUSED, whose payload is a reason (1) and whose sequence is 0: nothing of a
damaged packet can be trusted. A break on the line, two bytes long or more, resets link and accelerator.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

FLAG, ESCAPE, INVERT = 0x7E, 0x7D, 0x20
HEADER, TRAILER = 4, 4  # bytes before and behind the payload
ANSWER = 0x80
LINK_VERSION = 1
MAX_LENGTH = (1 << 16) - 1
REFUSED_KIND = 0xFF
BREAK_BITS = 20


class Kind(IntEnum):
    """Requests."""

    READ = 1
    WRITE = 2
    RUN = 3


class Reason(IntEnum):
    """Why a packet was refused."""

    CRC = 1  # damaged, or cut off
    LENGTH = 2  # not the length that its kind or its own length field asks for
    KIND = 3  # no such request
    ROOM = 4  # the board's buffer was full


LINK_REGISTERS = {
    "LINK_VERSION": 0x80,
    "LINK_BYTES": 0x84,  # payload bytes that the board holds
    "LINK_PACKETS": 0x88,  # packets that the board holds
    "LINK_REFUSED": 0x8C,  # packets refused since the last reset
    "CLOCK_KHZ": 0x90,
    "FRAMES_A_PACKET": 0x94,  # the most
}


@dataclass(frozen=True, kw_only=True)
class Packet:
    """A packet as it was sent, or as it arrived with a good CRC."""

    kind: int
    sequence: int
    payload: bytes

    def encode(self) -> bytes:
        """The bytes on the line, a flag at either end."""
        body = struct.pack("<BBH", self.kind, self.sequence, len(self.payload)) + self.payload
        body += struct.pack("<I", zlib.crc32(body))
        return bytes([FLAG]) + stuff(body) + bytes([FLAG])


def stuff(body: bytes) -> bytes:
    """`body` with its flags and escapes escaped."""
    escape = bytes([ESCAPE])
    for special in (ESCAPE, FLAG):
        body = body.replace(bytes([special]), escape + bytes([special ^ INVERT]))
    return body


class Decoder:
    """Bytes to packets. `damaged` counts what lay between flags and was no packet."""

    def __init__(self) -> None:
        self.damaged = 0
        self._body = bytearray()
        self._escaped = False

    def feed(self, received: bytes) -> list[Packet]:
        """The packets that end in `received`, in order; what is begun is kept."""
        packets = []
        for byte in received:
            if byte == FLAG:
                packet = self._end()
                if packet is not None:
                    packets.append(packet)
            elif byte == ESCAPE:
                self._escaped = True
            elif len(self._body) <= HEADER + MAX_LENGTH + TRAILER:  # else damaged already
                self._body.append(byte ^ INVERT if self._escaped else byte)
                self._escaped = False
        return packets

    def _end(self) -> Packet | None:
        body, escaped = bytes(self._body), self._escaped
        self._body.clear()
        self._escaped = False
        if not body and not escaped:
            return None  # flags follow each other
        if not escaped and len(body) >= HEADER + TRAILER:
            kind, sequence, length = struct.unpack_from("<BBH", body)
            (crc,) = struct.unpack("<I", body[-TRAILER:])
            if length == len(body) - HEADER - TRAILER and crc == zlib.crc32(body[:-TRAILER]):
                return Packet(kind=kind, sequence=sequence, payload=body[HEADER:-TRAILER])
        self.damaged += 1
        return None
