"""The simulated board as pynq sees it: a Device with registers, memory and a way to load a bitstream.

Runs in pynq's environment; imports numpy, pynq and the standard library alone. Importing it makes the board known to
pynq, which finds it as it finds a real one: only where XILINX_XRT is set, that is in a login shell.

The processor has a cache: a buffer and the board's DDR are two memories until flushed or invalidated. Environment:
BITWRIGHT_BOARD_PART is the part as a .bit names it, and says which processing system the board has;
BITWRIGHT_BOARD_PACE=fast lets a poll of the DMA run the simulation to the transfer's end.
"""

import ctypes
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pynq
from numpy.typing import DTypeLike, NDArray
from pynq.bitstream import Bitstream
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata

PART = "7z020clg400"  # unless BITWRIGHT_BOARD_PART says another


Handle = tuple[int, NDArray[np.uint8]]  # of a buffer: its physical address, and what the cache has of it

FAULTS = (
    "none",
    "send decode error",
    "receive slave error",
    "truncate",
    "stall send",
    "stall receive",
    "hard reset",
    "soft reset",
    "lose last",
)
_PROBLEMS = {
    1: "a bus error: no block at the address",
    2: "a DMA address that is not aligned to the memory port",
    3: "a DMA transfer started while another was under way",
    4: "an AXI4-Lite access without an answer",
}


class BoardFaultError(RuntimeError):
    """What would crash or hang a real board."""


class _Zynq7:
    """The processing system of a Zynq-7000, as far as pynq reads and writes it: the SLCR's clocks (UG585)."""

    ARCH = "armv7l"
    WINDOWS: tuple[tuple[int, int], ...] = ((0xF800_0000, 0x1000),)

    def __init__(self, part: str):
        # a crystal of 50 MHz times 26 (ARM), 21 (DDR), 20 (IO); PL clocks by the last, here over dividers 10 and 2
        base = self.WINDOWS[0][0]
        start = {0x100: 0x0001_A008, 0x104: 0x0001_5008, 0x108: 0x0001_4008, 0x120: 0x1F00_0200}
        start |= {0x170 + 0x10 * k: 0x0020_0A00 for k in range(4)}
        self.registers = {base + offset: value for offset, value in start.items()}

    def has(self, address: int) -> bool:
        return any(base <= address < base + size for base, size in self.WINDOWS)

    def fits(self, logic: "_Logic") -> str:
        """What is wrong with the ports' widths for this logic; empty if nothing is. Those of a Zynq-7000 are fixed."""
        return ""


class _ZynqUltra(_Zynq7):
    """The processing system of a Zynq UltraScale+: clocks (CRL_APB, CRF_APB) and the ports' widths (UG1085, UG1087).

    It boots with the control port at 128 and the memory port at 64 bits: pynq must set what the overlay has.
    """

    ARCH = "aarch64"
    CRL, CRF, AXI_FS, AFIFM2 = 0xFF5E_0000, 0xFD1A_0000, 0xFD61_5000, 0xFD38_0000
    WINDOWS = ((CRL, 0x100), (CRF, 0x100), (AXI_FS, 4), (0xFF41_9000, 4), (AFIFM2, 0x18))
    CONTROL_WIDTHS = (32, 64, 128, None)  # by AXI_FS.DW_SS0_SEL
    MEMORY_WIDTHS = (128, 64, 32, None)  # by FABRIC_WIDTH of AFIFM_RDCTRL and AFIFM_WRCTRL

    def __init__(self, part: str):
        def pll(feedback: int, divided: int = 1) -> int:
            return divided << 16 | feedback << 8

        # multiples of 33.333 MHz, halved; the IO PLL of a K26 runs at 1,000 MHz, others' at 1,500
        io_pll = pll(60 if part.startswith("xck26") else 90)
        self.registers = {
            self.CRL + 0x20: io_pll,
            self.CRL + 0x30: pll(90),
            **{self.CRL + 0xC0 + 4 * k: 1 << 24 | 1 << 16 | 15 << 8 for k in range(4)},
            self.CRF + 0x20: pll(72),
            self.CRF + 0x2C: pll(64),
            self.CRF + 0x38: pll(90),
            self.CRF + 0x60: 1 << 8,
            self.AXI_FS: 2 << 8,
            self.AFIFM2: 0x3B1,
            self.AFIFM2 + 0x14: 0x3B1,
        }

    def fits(self, logic: "_Logic") -> str:
        control = self.CONTROL_WIDTHS[self.registers[self.AXI_FS] >> 8 & 3]
        if control != logic.library.board_control_bits():
            return f"the control port is {control} bits wide, the logic's {logic.library.board_control_bits()}"
        for offset, way in ((0, "read"), (0x14, "write")):
            memory = self.MEMORY_WIDTHS[self.registers[self.AFIFM2 + offset] & 3]
            if memory != logic.library.board_port_bits():
                return f"the memory port is {memory} bits wide to {way}, the logic's {logic.library.board_port_bits()}"
        return ""


class _Logic:
    """The programmable logic: the library of a bitstream, loaded."""

    def __init__(self, image: bytes):
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-board-")
        file = Path(self._folder.name) / "logic.so"
        file.write_bytes(image)
        library = ctypes.CDLL(str(file))
        library.board_new.restype = ctypes.c_void_p
        library.board_memory.restype = ctypes.c_void_p
        library.board_cycles.restype = ctypes.c_uint64
        for name in ("board_free", "board_memory", "board_cycles"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.board_pace.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32]
        library.board_fault.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64]
        library.board_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)]
        library.board_write.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
        self.library = library
        self.handle = library.board_new()
        base = library.board_memory(self.handle)
        window = (ctypes.c_uint8 * _Memory.SIZE).from_address(base)
        self.memory = np.ctypeslib.as_array(window)

    def close(self) -> None:
        self.library.board_free(self.handle)
        self._folder.cleanup()


class _Memory:
    """Physical addresses of the DDR window, handed out page by page."""

    BASE, SIZE, PAGE = 0x1000_0000, 0x400_0000, 4096

    def __init__(self) -> None:
        self.used: dict[int, int] = {}

    def take(self, nbytes: int) -> int:
        pages = -(-max(nbytes, 1) // self.PAGE) * self.PAGE
        at = self.BASE
        for start, size in sorted(self.used.items()):
            if start - at >= pages:
                break
            at = start + size
        if at + pages > self.BASE + self.SIZE:
            raise MemoryError(f"the simulated board has no {nbytes} bytes of contiguous memory left")
        self.used[at] = pages
        return at

    def return_pointer(self, pointer: int) -> None:
        """Called by PynqBuffer.freebuffer."""
        self.used.pop(pointer, None)


class SimulatedBoard(pynq.Device):
    """A board that runs PYNQ, whose bitstreams come from bitwright_boards.simulated.bitstream."""

    _probe_priority_ = 5

    @classmethod
    def _probe_(cls) -> "list[SimulatedBoard]":
        return [cls()] if os.environ.get("XILINX_XRT") else []

    def __init__(self) -> None:
        super().__init__("bitwright simulated board")
        self.name = "simulated"
        self.part = os.environ.get("BITWRIGHT_BOARD_PART", PART)
        self.processor = (_Zynq7 if self.part.startswith("7z") else _ZynqUltra)(self.part)
        self.arch = self.processor.ARCH
        self.capabilities = {"REGISTER_RW": True}
        self.logic: _Logic | None = None
        self.memory = _Memory()
        self.downloads = 0

    # what pynq calls

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> RuntimeMetadataParser:
        return RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))

    def download(self, bitstream: Bitstream, parser: object = None) -> None:
        from pynq.pl_server.embedded_device import EmbeddedDevice, parse_bit_header

        fields = parse_bit_header(Path(bitstream.bitfile_name).read_bytes())
        if fields["part"] != self.part:
            raise RuntimeError(f"the bitstream is for a {fields['part']}, not for the {self.part} of this board")
        if self.logic is not None:
            self.logic.close()
        try:
            image = gzip.decompress(fields["data"])
        except (OSError, EOFError) as error:
            raise RuntimeError(f"{bitstream.bitfile_name} is not a simulated board's bitstream ({error})") from None
        self.logic = _Logic(image)
        self.pace(fast=os.environ.get("BITWRIGHT_BOARD_PACE") == "fast")
        EmbeddedDevice.set_axi_port_width(self, parser)
        self.downloads += 1
        self.post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Bitstream, parser: object = None) -> None:
        pass

    def allocate(self, shape: int | tuple[int, ...], dtype: DTypeLike, **_: object) -> PynqBuffer:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = self.memory.take(nbytes)
        cache = np.empty(nbytes, np.uint8)
        cache[:] = 0xA5  # memory comes as it is
        buffer = PynqBuffer(
            shape, dtype, buffer=cache.data, device=self, device_address=address, bo=(address, cache), coherent=False
        )
        buffer.memory = self.memory
        buffer.pointer = address
        buffer.return_to = self.memory
        buffer.freed = True  # once the pointer is returned nothing is left for munmap
        return buffer

    def flush(self, bo: Handle, offset: int, ptr: int, size: int) -> None:
        address, cache = bo
        at = address + offset - _Memory.BASE
        self._loaded().memory[at : at + size] = cache[offset : offset + size]

    def invalidate(self, bo: Handle, offset: int, ptr: int, size: int) -> None:
        address, cache = bo
        at = address + offset - _Memory.BASE
        cache[offset : offset + size] = self._loaded().memory[at : at + size]

    def read_registers(self, address: int, length: int) -> bytes:
        if length != 4:
            raise BoardFaultError(f"registers are read 4 bytes at a time, not {length}")
        if self.processor.has(address):
            return self.processor.registers.get(address, 0).to_bytes(4, "little")
        logic, value = self._reached(), ctypes.c_uint32()
        self._check(logic.library.board_read(logic.handle, address, ctypes.byref(value)), f"read of 0x{address:08x}")
        return value.value.to_bytes(4, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        value = int.from_bytes(bytes(data), "little")
        if self.processor.has(address):
            self.processor.registers[address] = value
            return
        logic = self._reached()
        what = f"write of 0x{value:08x} to 0x{address:08x}"
        self._check(logic.library.board_write(logic.handle, address, value), what)

    # what tests call

    def fault(self, kind: str, beat: int) -> None:
        """Lets one of FAULTS strike once, at `beat` of the packet under way or the next."""
        logic = self._loaded()
        logic.library.board_fault(logic.handle, FAULTS.index(kind), beat)

    def pace(self, *, access_cycles: int = 24, fast: bool = False) -> None:
        logic = self._loaded()
        logic.library.board_pace(logic.handle, access_cycles, fast)

    @property
    def cycles(self) -> int:
        """Clock cycles since the bitstream was loaded."""
        logic = self._loaded()
        return logic.library.board_cycles(logic.handle)

    def _loaded(self) -> _Logic:
        if self.logic is None:
            raise BoardFaultError("no bitstream is loaded: a real board would hang")
        return self.logic

    def _reached(self) -> _Logic:
        """The logic, over ports that are as wide as its own."""
        logic = self._loaded()
        if wrong := self.processor.fits(logic):
            raise BoardFaultError(f"{wrong}: a real board would corrupt data")
        return logic

    @staticmethod
    def _check(problem: int, what: str) -> None:
        if problem:
            raise BoardFaultError(f"{what}: {_PROBLEMS[problem]}")
