"""The names and byte offsets of the AXI4-Lite registers, for the hardware that has them and all who read them."""

from collections.abc import Mapping
from types import MappingProxyType

REGISTERS: Mapping[str, int] = MappingProxyType(
    {
        name: 4 * index
        for index, name in enumerate(
            [
                *("IDENTITY", "VERSION", "CONTROL", "STATUS", "ERRORS"),
                *("FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED", "CYCLES_BUSY"),
                *("INPUT_BYTES", "OUTPUT_BEATS", "OUTPUTS"),
                *(f"DIGEST_{k}" for k in range(8)),
            ]
        )
    }
)
