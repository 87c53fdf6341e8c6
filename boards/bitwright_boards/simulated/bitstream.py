"""What a simulated board is programmed with: a .bit whose payload is the compiled simulation of the overlay.

The file has the header of a real .bit (fields a to e: design, part, date, time, length), which pynq's own parser
reads. The payload is the gzip-compressed shared library, in whole 32-bit words.
"""

import gzip
import struct
from importlib.resources import files
from pathlib import Path

from bitwright_boards import block_design as bd
from bitwright_boards.hwh import handoff
from bitwright_boards.processing import ZYNQ_7020, Platform, ProcessingSystem
from bitwright_core.atomic import write_bytes, write_text
from bitwright_core.design import Design
from bitwright_core.progress import Progress
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.library import LibraryKind, build_library

MEMORY_BASE, MEMORY_SIZE = 0x1000_0000, 0x400_0000  # the DDR that the simulated board lends
_MAGIC = b"\x0f\xf0\x0f\xf0\x0f\xf0\x0f\xf0\x00"


def write_overlay(
    design: Design,
    folder: Path,
    *,
    platform: Platform = ZYNQ_7020,
    cache: BuildCache | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes NAME.bit and NAME.hwh for the simulated board of `platform` into `folder`; returns the .bit.

    Raises ToolError if the simulation cannot be built, BoardError for a design that has no overlay.
    """
    overlay = bd.block_design(design.manifest, platform)
    library = build_board(design, platform, cache=cache, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    bit = folder / f"{overlay.name}.bit"
    write_bytes(bit, bit_file(overlay.name, platform.bitstream_part, gzip.compress(library.read_bytes(), 6, mtime=0)))
    write_text(bit.with_suffix(".hwh"), handoff(overlay))
    return bit


def build_board(
    design: Design, platform: Platform, *, cache: BuildCache | None = None, progress: Progress | None = None
) -> Path:
    """The shared library of the programmable logic: board.cpp around the design, from the cache or built now."""
    source = (files(__package__) / "board.cpp").read_text()
    return build_library(
        design.simulation_sources,
        name=design.manifest.name,
        texts={"board.cpp": source, "board_config.h": config(design, platform.system)},
        top=design.manifest.top,
        kind=LibraryKind(name="board", prefix="Vboard"),
        cache=cache,
        progress=progress,
    )


def config(design: Design, system: ProcessingSystem) -> str:
    """board_config.h: addresses and widths of the block design."""
    stream = design.manifest.input.data_bits // 8
    constants = {
        "DMA_BASE": system.dma_base,
        "DMA_SIZE": bd.DMA_SIZE,
        "ACCELERATOR_BASE": system.accelerator_base,
        "ACCELERATOR_SIZE": bd.ACCELERATOR_SIZE,
        "CONTROL_OFFSET": design.manifest.registers["CONTROL"],
        "LENGTH_MASK": bd.MAX_TRANSFER,
        "CONTROL_BITS": system.control.bits,
        "PORT_BITS": system.memory.bits,
    }
    sizes = {
        "MEMORY_BASE": MEMORY_BASE,
        "MEMORY_SIZE": MEMORY_SIZE,
        "STREAM_BYTES": stream,
        "SEND_ALIGNMENT": max(system.memory.bits // 8, stream),
    }
    lines = ["#include <cstdint>"]
    lines += [f"constexpr uint32_t {name} = {value:#x};" for name, value in constants.items()]
    lines += [f"constexpr uint64_t {name} = {value:#x};" for name, value in sizes.items()]
    return "\n".join(lines) + "\n"


def bit_file(name: str, part: str, payload: bytes) -> bytes:
    """A .bit for `part` around `payload`, which is filled up to whole words."""
    fields = (f"{name};UserID=0XFFFFFFFF;Version=simulated", part, "1970/01/01", "00:00:00")
    header = struct.pack(">H", len(_MAGIC)) + _MAGIC + b"\x00\x01"
    for key, text in zip(b"abcd", fields, strict=True):
        header += struct.pack(">BH", key, len(text) + 1) + text.encode() + b"\0"
    payload += bytes(-len(payload) % 4)
    return header + b"e" + struct.pack(">I", len(payload)) + payload
