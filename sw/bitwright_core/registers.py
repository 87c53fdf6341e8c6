"""The AXI4-Lite registers, declared once: the hardware that has them and all who read, describe or check them ask here.

The driver for boards, one file that stands alone there, repeats what it needs; tests/boards compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

IDENTITY = 0x42545752  # "BTWR"
VERSION = 0x00010000  # 1.0
ADDRESS_BITS = 8
DATA_BITS = 32

Access = Literal["ro", "rw", "w1c"]  # read only, read and write, or write 1 to clear


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register, from `bit` up."""

    name: str
    bit: int
    description: str
    width: int = 1

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.bit


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register of 32 bits at byte offset `offset`."""

    name: str
    offset: int
    access: Access
    description: str
    fields: tuple[Field, ...] = ()

    @property
    def bus_access(self) -> str:
        """The access in the words of IP-XACT and of Vivado's .hwh: read-only or read-write."""
        return "read-only" if self.access == "ro" else "read-write"

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        return {field.name: field for field in self.fields}[name]


CONTROL = Register(
    name="CONTROL",
    offset=0x08,
    access="rw",
    description="Soft reset and batch mode",
    fields=(
        Field(name="soft_reset", bit=0, description="Write 1 to reset the data path"),
        Field(name="batch", bit=1, description="A packet holds any number of frames"),
    ),
)
ERRORS = Register(
    name="ERRORS",
    offset=0x10,
    access="w1c",
    description="Broken frames, write 1 to clear",
    fields=(
        Field(name="short_frame", bit=0, description="TLAST came too early"),
        Field(name="long_frame", bit=1, description="TLAST came too late"),
        Field(name="keep", bit=2, description="TKEEP did not fit the frame"),
    ),
)
COUNTERS = (
    Register(name="FRAMES_IN", offset=0x14, access="ro", description="Frames accepted"),
    Register(name="FRAMES_OUT", offset=0x18, access="ro", description="Results sent"),
    Register(name="FRAMES_DROPPED", offset=0x1C, access="ro", description="Broken frames"),
    Register(name="CYCLES_BUSY", offset=0x20, access="ro", description="Cycles with busy high"),
)
DECLARED: tuple[Register, ...] = (  # by offset
    Register(name="IDENTITY", offset=0x00, access="ro", description="0x42545752, BTWR"),
    Register(name="VERSION", offset=0x04, access="ro", description="Version of the registers"),
    CONTROL,
    Register(
        name="STATUS",
        offset=0x0C,
        access="ro",
        description="Busy",
        fields=(Field(name="busy", bit=0, description="Frames are in flight"),),
    ),
    ERRORS,
    *COUNTERS,
    Register(name="INPUT_BYTES", offset=0x24, access="ro", description="Bytes of a frame"),
    Register(name="OUTPUT_BEATS", offset=0x28, access="ro", description="Beats of a result"),
    Register(name="OUTPUTS", offset=0x2C, access="ro", description="Classes, bits or integers"),
    *(
        Register(
            name=f"DIGEST_{k}",
            offset=0x30 + 4 * k,
            access="ro",
            description="Part of the network's digest, the first digits in DIGEST_0",
        )
        for k in range(8)
    ),
)

LOAD = Register(
    name="LOAD",
    offset=0x70,
    access="rw",
    description="Loads of weights: commands, and where a load is",
    fields=(
        Field(name="start", bit=0, description="Write 1 to begin a load"),
        Field(name="swap", bit=1, description="Write 1 to change to what was loaded, between two frames"),
        Field(name="cancel", bit=2, description="Write 1 to take a swap back that has not happened"),
        Field(name="loading", bit=8, description="A load was begun and not ended"),
        Field(name="ready", bit=9, description="A whole load waits for a swap"),
        Field(name="swapping", bit=10, description="A swap waits for the frames inside"),
        Field(name="failed", bit=11, description="The last command was refused, or the load was wrong"),
        Field(name="bank", bit=12, description="The bank that computes"),
        Field(name="empty", bit=13, description="No weights yet: no frame enters until a load is swapped in"),
    ),
)
LOAD_COMMANDS = ("start", "swap", "cancel")
LOAD_STATES = ("loading", "ready", "swapping", "failed", "bank")
EMPTY_STATE = "empty"  # behind them in designs that begin without weights; reads as 0 in others
LOAD_REGISTERS: tuple[Register, ...] = (  # of designs with loadable layers, by offset; a serial link's begin at 0x80
    *(
        Register(
            name=f"STRUCTURE_{k}",
            offset=0x50 + 4 * k,
            access="ro",
            description="Part of the digest of the structure, the first digits in STRUCTURE_0",
        )
        for k in range(8)
    ),
    LOAD,
    Register(name="LOAD_DATA", offset=0x74, access="rw", description="Write the next 32 bits of a load"),
    Register(
        name="WEIGHTS_CRC",
        offset=0x78,
        access="rw",
        description="CRC-32 of the weights that compute; write that of a load to end it",
    ),
)

REGISTERS: Mapping[str, int] = MappingProxyType({register.name: register.offset for register in DECLARED})
"""Byte offsets by name."""


LOADABLE: Mapping[str, int] = MappingProxyType(
    {**REGISTERS, **{register.name: register.offset for register in LOAD_REGISTERS}}
)
"""Byte offsets by name, of designs with loadable layers."""


def structure_constants(structure: str) -> dict[str, int]:
    """The registers that tell which loads an accelerator takes."""
    return {f"STRUCTURE_{k}": int(structure[8 * k : 8 * k + 8], 16) for k in range(8)}


def network_constants(digest: str) -> dict[str, int]:
    """The registers that tell which network this is: 32 bits of its digest in each, first hex digits first."""
    words = {f"DIGEST_{k}": int(digest[8 * k : 8 * k + 8], 16) for k in range(8)}
    return {"IDENTITY": IDENTITY, "VERSION": VERSION, **words}
