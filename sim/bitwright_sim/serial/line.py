"""A board with a serial link in this process, with the calls of pyserial's Serial that the driver uses.

Time is that of the simulation: a timeout of a second ends after a second of the board's clock.
"""

import ctypes
from importlib.resources import files
from pathlib import Path

from bitwright_core.board_build import built_design, load_build
from bitwright_core.progress import Progress
from bitwright_core.verilog_check import check_verilog
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.library import LibraryKind, build_library

_FOREVER = 1 << 62


def build_line(
    folder: Path, *, trust_verilog: bool = False, cache: BuildCache | None = None, progress: Progress | None = None
) -> Path:
    """The shared library of the board in build folder `folder`, from the cache or built now.

    Raises ToolError; DesignError for Verilog that could run something here, unless `trust_verilog`.
    """
    build, design = load_build(folder), built_design(folder, trust_verilog=trust_verilog)
    if not trust_verilog:
        check_verilog(folder / build.verilog)
    here = files(__package__)
    return build_library(
        [*design.simulation_sources, folder / build.verilog],
        name=build.top,
        texts={file.name: file.read_text() for file in here.iterdir() if file.name.endswith((".cpp", ".v"))},
        top=build.top,
        kind=LibraryKind(name="serial", prefix="Vserial", options=("--timescale", "1ns/1ps")),
        cache=cache,
        progress=progress,
    )


class SimulatedLine:
    """The host's end of the line to the simulated board of a build folder. Not for two threads at once.

    `skew` is by how much the host's baud rate is off: 0.01 makes its bits 1 % longer. `timeout` is as pyserial's, in
    seconds of the board's time. Raises ToolError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        timeout: float = 0.1,
        skew: float = 0.0,
        trust_verilog: bool = False,
        cache: BuildCache | None = None,
        progress: Progress | None = None,
    ):
        self.build = load_build(folder)
        self.timeout: float | None = timeout
        self._clock_hz = self.build.clock_mhz * 1e6
        library = ctypes.CDLL(str(build_line(folder, trust_verilog=trust_verilog, cache=cache, progress=progress)))
        handle, u64 = ctypes.c_void_p, ctypes.c_uint64
        library.serial_new.restype, library.serial_new.argtypes = handle, [ctypes.c_double]
        library.serial_free.argtypes = [handle]
        library.serial_put.argtypes = [handle, ctypes.c_char_p, u64]
        library.serial_put_item.argtypes = [handle, ctypes.c_int, ctypes.c_uint32]
        library.serial_run.argtypes, library.serial_run.restype = [handle, u64, u64], u64
        library.serial_take.argtypes, library.serial_take.restype = [handle, ctypes.c_char_p, u64], u64
        for name in ("serial_unsent", "serial_cycle", "serial_framing_errors"):
            getattr(library, name).argtypes, getattr(library, name).restype = [handle], u64
        library.serial_leds.argtypes, library.serial_leds.restype = [handle], ctypes.c_uint32
        self._library = library
        self._handle: int | None = library.serial_new(self._clock_hz / self.build.baud * (1 + skew))

    def __enter__(self) -> "SimulatedLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._handle is not None:
            self._library.serial_free(self._handle)
            self._handle = None

    @property
    def seconds(self) -> float:
        """Time on the board since it was switched on."""
        return self._library.serial_cycle(self._handle) / self._clock_hz

    @property
    def leds(self) -> int:
        return self._library.serial_leds(self._handle)

    @property
    def framing_errors(self) -> int:
        """Bytes of the board that came without stop bit."""
        return self._library.serial_framing_errors(self._handle)

    @property
    def in_waiting(self) -> int:
        return self._library.serial_run(self._handle, 0, 0)

    def write(self, data: bytes) -> int:
        """Puts `data` on the line; it is sent while the board's time passes, in `read` and `flush`."""
        self._library.serial_put(self._handle, bytes(data), len(data))
        return len(data)

    def flush(self) -> None:
        """Lets time pass until everything is sent."""
        while self._library.serial_unsent(self._handle):
            self._library.serial_run(self._handle, _FOREVER, 1 + round(self._clock_hz / self.build.baud))

    def read(self, size: int = 1) -> bytes:
        """Reads up to `size` bytes: fewer if they do not come within `timeout`, if there is one."""
        cycles = _FOREVER if self.timeout is None else round(self.timeout * self._clock_hz)
        self._library.serial_run(self._handle, size, cycles)
        buffer = ctypes.create_string_buffer(size)
        count = self._library.serial_take(self._handle, buffer, size)
        return buffer.raw[:count]

    def read_all(self) -> bytes:
        """Whatever has arrived."""
        buffer = ctypes.create_string_buffer(max(1, self.in_waiting))
        return buffer.raw[: self._library.serial_take(self._handle, buffer, len(buffer))]

    def send_break(self, duration: float = 0.001) -> None:
        """Holds the line low for `duration` seconds."""
        self.flush()
        self._library.serial_put_item(self._handle, 1, max(1, round(duration * self.build.baud)))
        self.idle(2)
        self.flush()

    def idle(self, bits: int) -> None:
        """Leaves the line idle for `bits` bits after what was written."""
        self._library.serial_put_item(self._handle, 2, bits)

    def write_without_stop_bit(self, byte: int) -> None:
        """A byte whose stop bit is low."""
        self._library.serial_put_item(self._handle, 3, byte)

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self._library.serial_run(self._handle, _FOREVER, round(seconds * self._clock_hz))
