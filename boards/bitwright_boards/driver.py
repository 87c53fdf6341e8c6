"""bitwright's driver for PYNQ overlays: frames through the AXI DMA, results back, every wait with an end.

This one file runs on the board, where it lies as bitwright_driver.py beside the overlay, and on the simulated board,
byte for byte the same. It needs Python 3.10, numpy and pynq, root and a login shell (XRT's environment).

    from bitwright_driver import Accelerator

    with Accelerator("/home/xilinx/bitwright/sfc") as accelerator:
        result = accelerator.run(frames)  # uint8, (n, 28, 28, 1)
        print(result.classes, result.frames_per_second)

An accelerator with loadable layers takes another network while it runs, from what `bitwright weights` wrote:

    accelerator.load("other.load")  # while the present network may compute
    accelerator.swap()              # between two frames
    accelerator.choose("digits")    # both, with digits.load of this folder

One that begins without weights gets its own network's, own.weights.load of the folder, as the driver is made.

The folder holds NAME.bit, NAME.hwh and design.json, which tells NAME, the shape of a frame, its packing, and the
network's digest. The AXI DMA is driven by its registers (AMD PG021, direct register mode); pynq loads the overlay,
sets the clock, and gives memory. Not for two threads, nor two processes, at once.
"""

# ruff: noqa: N818 (the names of errors say what is wrong)

import json
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pynq

FrameProgress = Callable[[int, int], None]  # (frames done, frames in all)

IDENTITY = 0x42545752  # "BTWR"
DMA, ACCELERATOR = "axi_dma_0", "accelerator_0"
SOFT_RESET, BATCH = 1, 2  # CONTROL
ERROR_BITS = {
    0: "short: a packet ended inside a frame",
    1: "long: a frame without TLAST",
    2: "keep: bytes marked as absent",
}
FRAME_COUNTERS = ("FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED")
BUFFER_BYTES = 1 << 20  # at most, for each of the four buffers, unless one frame is larger
MOST_FRAMES = 4096
LOAD_START, LOAD_SWAP, LOAD_CANCEL = 1, 2, 4  # LOAD, written
LOAD_READY, LOAD_SWAPPING, LOAD_FAILED, LOAD_EMPTY = 0x200, 0x400, 0x800, 0x2000  # LOAD, read
SWAP_SECONDS = 1.0
TIMED_CLOCK = ("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ")  # MHz, in the .hwh
LOOK_SECONDS = 0.01  # how often a wait looks at the accelerator's counters
RESET_SECONDS = 1.0


class DriverError(Exception):
    """Something on the board that went wrong, in one sentence. After any of these `run` can be called again."""


class NoDevice(DriverError):
    """pynq finds no FPGA here."""


class WrongOverlay(DriverError):
    """The overlay is not one of bitwright's, or not the one of design.json."""


class DigestMismatch(WrongOverlay):
    """The accelerator holds another network than design.json."""


class DmaError(DriverError):
    """The AXI DMA reports an error, or lost data."""


class FrameError(DriverError):
    """Frames that do not fit the network, or that the accelerator refused."""


class AcceleratorReset(DriverError):
    """The accelerator was reset in the middle of a batch: frames are lost."""


class WrongStructure(DriverError):
    """Weights of a network whose structure is not the accelerator's, or an accelerator whose weights are fixed."""


class LoadFailed(DriverError):
    """Weights that did not come whole: the accelerator computes the network that it had."""


class SwapRefused(DriverError):
    """A swap without a whole load, or one that waits for a frame which does not end."""


class Timeout(DriverError):
    """Nothing moved for longer than the time limit."""


@dataclass(frozen=True)
class Result:
    """What `run` gives for n frames."""

    classes: np.ndarray | None  # (n,), None for a network that gives bits
    scores: np.ndarray | None  # (n, classes), or (n, bits) of a network that gives bits, or None
    frames_per_second: float  # from the first frame packed to the last result unpacked
    latency_seconds: float  # from the start of the first transfer to its last result; run one frame for one frame's
    batches: int
    cycles_busy: int  # cycles in which the accelerator had frames in flight
    busy_frames_per_second: float  # the same frames over those cycles, at the clock that the board runs


@dataclass(frozen=True)
class SelfTest:
    """What `self_test` gives."""

    result: Result
    mismatches: tuple[int, ...]  # frames whose class or scores differ from the expected ones


@dataclass(frozen=True)
class Status:
    """The accelerator's counters and errors."""

    busy: bool
    errors: tuple[str, ...]
    frames_in: int
    frames_out: int
    frames_dropped: int
    cycles_busy: int


class Description:
    """design.json: what the accelerator is, and how its frames and results lie in memory."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        file = self.folder / "design.json"
        try:
            values = json.loads(file.read_text("utf-8"))
            self.name = str(values["name"])
            self.digest = str(values["network_digest"])
            self.shape = tuple(int(n) for n in values["shape"])
            self.bits = int(values["bits"])
            self.thresholds = np.array(values["encoding_thresholds"], np.int64)
            self.input = values["input"]
            self.output = values["output"]
            load = values.get("load")
            self.load_bytes = 0 if load is None else int(load["bytes"])  # 0: weights are fixed
            first = None if load is None else load.get("first")  # the file of what must be loaded before it computes
            self.first_load = None if first is None else self.folder / str(first)
            self.registers = {str(name): int(offset) for name, offset in values["registers"].items()}
            if not all(0 <= offset < 256 and offset % 4 == 0 for offset in self.registers.values()):
                raise ValueError("register offsets beyond the registers")
            if Path(self.name).name != self.name or Path(str(first)).name != str(first):
                raise ValueError("a name that is no file's")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WrongOverlay(f"{file} cannot be read ({error}); deploy the overlay again") from None
        self.bit = self.folder / f"{self.name}.bit"
        self.beats = int(self.output["beats"])
        self.stride = int(self.input["stride"])

    def check(self, frames: np.ndarray) -> np.ndarray:
        """Frames (n, *shape) or (n, values) as (n, values); raises FrameError for others."""
        frames = np.asarray(frames)
        size = int(np.prod(self.shape))
        if frames.ndim < 2 or frames.shape[1:] not in (self.shape, (size,)) or not len(frames):
            wanted = ", ".join(map(str, self.shape))
            raise FrameError(f"frames have shape {frames.shape}, but the network takes (n, {wanted}), n at least 1")
        if frames.dtype == np.bool_:
            frames = frames.astype(np.uint8)
        if not np.issubdtype(frames.dtype, np.integer):
            raise FrameError(f"frames must be unsigned integers of {self.bits} bits, not {frames.dtype}")
        if frames.dtype.itemsize * 8 > self.bits or np.issubdtype(frames.dtype, np.signedinteger):
            low, high = int(frames.min()), int(frames.max())
            if low < 0 or high >> self.bits:
                raise FrameError(f"frame values must lie in 0..{(1 << self.bits) - 1}, not {low}..{high}")
        return frames.reshape(len(frames), size)

    def pack(self, values: np.ndarray, out: np.ndarray) -> None:
        """Values (n, values) of frames into bytes (n, stride), whose padding is left as it is."""
        if self.input["encoded"]:
            rows = self.thresholds.reshape(-1, self.thresholds.shape[-1])  # value i has row i modulo their number
            rows = np.tile(rows, (values.shape[1] // len(rows), 1))
            values = (values[:, :, None] >= rows).reshape(len(values), -1)
        if self.input["value_bits"] == 1:
            body = np.packbits(values.astype(np.uint8, copy=False), axis=1, bitorder="little")
        elif self.input["value_bits"] == 8:
            body = values
        else:
            body = np.ascontiguousarray(values, "<u2").view(np.uint8)
        out[:, : body.shape[1]] = body

    def unpack(self, words: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Beats int64 (n, beats) to classes and scores, or None and bits or integers."""
        outputs = int(self.output["outputs"])
        if not self.output["classifier"]:
            bits = int(self.output.get("value_bits", 1))
            if bits > 1:
                kind = "i" if self.output.get("signed") else "u"
                packed = np.ascontiguousarray(words).view(f"<{kind}{bits // 8}")
                return None, packed[:, :outputs].astype(np.int64)
            packed = np.ascontiguousarray(words).view(np.uint8)
            return None, np.unpackbits(packed, axis=1, bitorder="little", count=outputs).astype(np.int64)
        return words[:, -1].copy(), words[:, :-1].copy() if self.output["scores"] else None


class _Channel:
    """One direction of the AXI DMA."""

    def __init__(self, mmio: "pynq.MMIO", name: str, offset: int, address_bits: int):
        self.mmio = mmio
        self.name = name
        self.offset = offset
        self.address_bits = address_bits

    def start(self, buffer: "pynq.buffer.PynqBuffer", nbytes: int) -> None:
        """Starts a transfer: LENGTH, written last, does it. Raises DmaError for a buffer that it cannot reach."""
        address = int(buffer.device_address)
        if address + int(nbytes) > 1 << self.address_bits:
            raise DmaError(
                f"pynq gave a buffer at 0x{address:x}, beyond the DMA's {self.address_bits} bits of address; "
                "boot with contiguous memory below 4 GB (cma=512M@0-2G in the kernel's arguments)"
            )
        self.mmio.write(self.offset + 0x18, address & 0xFFFFFFFF)
        self.mmio.write(self.offset + 0x1C, address >> 32)
        self.mmio.write(self.offset + 0x28, int(nbytes))

    def done(self) -> bool:
        """True if the channel is idle. Raises DmaError if it stopped."""
        status = self.mmio.read(self.offset + 0x04)
        if status & 0x71:
            reasons = [
                (0x10, "internal error: a packet larger than its buffer, or length 0"),
                (0x20, "slave error: memory refused the access"),
                (0x40, "decode error: no memory at the address"),
                (0x01, "halted"),
            ]
            reason = next(text for bit, text in reasons if status & bit)
            raise DmaError(f"the DMA's {self.name} channel stopped ({reason}; status 0x{status:08x})")
        return bool(status & 0x02)

    @property
    def received(self) -> int:
        """Bytes of the last packet, after a receive."""
        return self.mmio.read(self.offset + 0x28) & 0x3FFFFFF


class _Dma:
    """Both directions. A reset of either resets the whole engine."""

    def __init__(self, mmio: "pynq.MMIO", address_bits: int):
        self.mmio = mmio
        self.send = _Channel(mmio, "send", 0x00, address_bits)
        self.receive = _Channel(mmio, "receive", 0x30, address_bits)

    def reset(self) -> None:
        self.mmio.write(0x00, 0x4)
        self._until(lambda: not (self.mmio.read(0x00) | self.mmio.read(0x30)) & 0x4, "its reset did not end")
        for channel in (self.send, self.receive):
            self.mmio.write(channel.offset, 0x1)
        self._until(lambda: not (self.mmio.read(0x04) | self.mmio.read(0x34)) & 0x1, "it does not start")

    @staticmethod
    def _until(done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + RESET_SECONDS
        while not done():
            if time.monotonic() > end:
                raise Timeout(f"the AXI DMA does not answer: {what} within {RESET_SECONDS:g} s; load the overlay again")


class _Slot:
    """A batch's two buffers, and what is under way in them."""

    def __init__(self, frames: int, design: Description):
        import pynq

        self.frames = pynq.allocate((frames, design.stride), np.uint8)
        self.words = pynq.allocate((frames, design.beats), np.int64)
        self.frames[:] = 0
        self.first = self.count = 0

    def collect(self, words: np.ndarray) -> None:
        """Copies the batch's results to their place among all."""
        words[self.first : self.first + self.count] = self.words[: self.count]

    def free(self) -> None:
        self.frames.freebuffer()
        self.words.freebuffer()


_Driver = TypeVar("_Driver", bound="Driver")


class Driver:
    """What the drivers of all boards share. Each adds how it reads a register, runs frames and closes."""

    design: Description
    _waiting_crc: "int | None" = None  # of what was loaded last, and is whole

    def __enter__(self: _Driver) -> _Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def run(self, frames: np.ndarray, *, progress: FrameProgress | None = None) -> Result:
        raise NotImplementedError

    def _read(self, name: str) -> int:
        raise NotImplementedError

    @property
    def identity(self) -> int:
        """The IDENTITY register."""
        return self._read("IDENTITY")

    def status(self) -> Status:
        """Counters and errors."""
        errors = self._read("ERRORS")
        return Status(
            busy=bool(self._read("STATUS") & 1),
            errors=tuple(text for bit, text in ERROR_BITS.items() if errors >> bit & 1),
            frames_in=self._read("FRAMES_IN"),
            frames_out=self._read("FRAMES_OUT"),
            frames_dropped=self._read("FRAMES_DROPPED"),
            cycles_busy=self._read("CYCLES_BUSY"),
        )

    def _write(self, name: str, values: "list[int]") -> None:
        """Writes values to a register, one after the other."""
        raise NotImplementedError

    @property
    def structure(self) -> str:
        """The digest of what loads do not change, 64 hex digits. Raises WrongStructure where weights are fixed."""
        if not self.design.load_bytes:
            raise WrongStructure(
                f"{self.design.name}: its weights are fixed; generate and build a design with --loadable all"
            )
        return "".join(f"{self._read(f'STRUCTURE_{k}'):08x}" for k in range(8))

    @property
    def weights_crc(self) -> int:
        """The CRC-32 of the weights that compute; a load file tells that of its own in its first line."""
        _ = self.structure
        return self._read("WEIGHTS_CRC")

    @property
    def networks(self) -> "tuple[str, ...]":
        """The bank: the networks whose load files lie in the folder of design.json, by the files' names. What an
        accelerator that begins without weights has loaded first is none of them."""
        return tuple(sorted(file.stem for file in self.design.folder.glob("*.load") if file != self.design.first_load))

    def choose(self, name: str) -> None:
        """Makes the accelerator compute network `name` of the bank, from the next frame on.

        It is loaded and swapped in, or stays where it computes already. Raises LoadFailed for a name that is not in the
        bank, and what `load` and `swap` raise.
        """
        file = self.design.folder / f"{name}.load"
        if name not in self.networks:
            raise LoadFailed(f"there is no network {name} here; there are: {', '.join(self.networks) or 'none'}")
        if self._read_load(file)[0] != self.weights_crc:
            self.load(file)
            self.swap()

    def _read_load(self, file: "str | Path") -> "tuple[int, bytes]":
        """The CRC-32 and the bytes of a load file for this accelerator. Raises WrongStructure, LoadFailed."""
        structure = self.structure
        try:
            line, _, data = Path(file).read_bytes().partition(b"\n")
            header = json.loads(line)
            wanted, crc, size = str(header["structure"]), int(header["crc"]), int(header["bytes"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise LoadFailed(f"{file} is no load file ({error}); write it with: bitwright weights") from None
        if len(data) != size or size % 4 or zlib.crc32(data) != crc:
            raise LoadFailed(f"{file} is damaged; write it again with: bitwright weights")
        if wanted != structure or size != self.design.load_bytes:
            raise WrongStructure(
                f"{file} is for structure {wanted[:12]}, but the accelerator has {structure[:12]}; write it for this "
                "design with: bitwright weights"
            )
        return crc, data

    def _begin(self) -> None:
        """Loads the design's own network into an accelerator that has no weights yet, and swaps it in; one that another
        process left there, or another network, stays. Raises what `load` and `swap` raise."""
        if self.design.first_load is not None and self._read("LOAD") & LOAD_EMPTY:
            self.load(self.design.first_load)
            self.swap()

    def _check_begun(self) -> None:
        """Raises LoadFailed where there are no weights, with which no frame would be taken."""
        if self.design.first_load is not None and self._read("LOAD") & LOAD_EMPTY:
            raise LoadFailed(
                "the accelerator has no weights, as something configured the FPGA again; load some and swap, or make "
                "the driver anew, which does both"
            )

    def load(self, file: "str | Path") -> None:
        """Brings the weights of a load file (`bitwright weights`); `swap` makes the accelerator use them.

        Meanwhile the present network computes. Raises WrongStructure for weights of another structure, LoadFailed for
        a damaged file, or weights that did not come whole.
        """
        crc, data = self._read_load(file)
        self._waiting_crc = None
        self._write("LOAD", [LOAD_START])
        self._write("LOAD_DATA", np.frombuffer(data, "<u4").tolist())
        self._write("WEIGHTS_CRC", [crc])
        if not self._read("LOAD") & LOAD_READY:
            raise LoadFailed(
                f"the weights of {file} did not come whole; the accelerator computes what it did: load them again"
            )
        self._waiting_crc = crc

    def swap(self) -> None:
        """Makes the accelerator compute what `load` brought, from the next frame on.

        Frames inside are finished by the network that they began with. Raises SwapRefused without a whole load, or
        where frames inside do not end within SWAP_SECONDS: the swap is taken back then, and the load still waits.
        """
        _ = self.structure
        self._write("LOAD", [LOAD_SWAP])
        end = time.monotonic() + SWAP_SECONDS
        while (status := self._read("LOAD")) & LOAD_SWAPPING:
            if time.monotonic() > end:
                self._write("LOAD", [LOAD_CANCEL])
                if self._read("LOAD") & LOAD_READY:
                    raise SwapRefused(
                        "a frame that is half inside, or a result that nobody takes, keeps the swap waiting; "
                        "it was taken back: end the frame, or reset, and swap again"
                    )
                return  # it happened just then
        # a command that came twice over a serial line fails the second time
        if status & LOAD_FAILED and self._read("WEIGHTS_CRC") != self._waiting_crc:
            raise SwapRefused("there is no whole load to swap in; load one first")

    def _check_sizes(self, where: str) -> None:
        """That frames and results are of the sizes of design.json; the error begins with `where`."""
        design = self.design
        expected = {
            "INPUT_BYTES": design.input["bytes"],
            "OUTPUT_BEATS": design.beats,
            "OUTPUTS": design.output["outputs"],
        }
        for register, value in expected.items():
            if (got := self._read(register)) != value:
                raise DigestMismatch(f"{where}{register} reads {got}, but design.json says {value}")

    def self_test(self, vectors: str | Path | None = None, *, progress: FrameProgress | None = None) -> SelfTest:
        """Runs the frames of `vectors` (a .npz of frames, and expected classes or scores, or both; default:
        vectors.npz in the folder of design.json), and compares. Raises FrameError for a file that cannot be used."""
        file = self.design.folder / "vectors.npz" if vectors is None else Path(vectors)
        try:
            with np.load(file, allow_pickle=False) as stored:
                expected = {name: stored[name] for name in stored.files}
            frames = expected["frames"]
        except (OSError, ValueError, KeyError) as error:
            raise FrameError(f"{file} holds no vectors ({error}); deploy them again") from None
        result = self.run(frames, progress=progress)
        wrong = np.zeros(len(frames), bool)
        compared = 0
        for name, got in (("classes", result.classes), ("scores", result.scores)):
            if name in expected and got is not None:
                wrong |= (got != expected[name]).reshape(len(frames), -1).any(axis=1)
                compared += 1
        if not compared:
            raise FrameError(f"{file} tells neither classes nor scores to compare with")
        return SelfTest(result=result, mismatches=tuple(int(k) for k in np.flatnonzero(wrong)))


def _timed_clock(cells: "dict[str, dict[str, Any]]") -> float:
    """The PL clock in MHz, which is slowed down first where it runs faster than Vivado timed the overlay for.

    pynq 3.1 sets the dividers of the .hwh, 4.0 those that come nearest to its clock: both are too fast where the
    board's PLL runs faster than the overlay says.
    """
    import pynq

    told = [cell.get("parameters", {}).get(name) for cell in cells.values() for name in TIMED_CLOCK]
    timed = next((float(value) for value in told if value is not None), None)
    clock = float(pynq.Clocks.fclk0_mhz)
    if timed is None:
        return clock
    wanted = timed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynq's, where no divider gives what is asked for
        while clock > 1.001 * timed and wanted > 1:
            pynq.Clocks.fclk0_mhz = wanted
            clock = float(pynq.Clocks.fclk0_mhz)
            wanted *= 0.97
    return clock


class Accelerator(Driver):
    """The accelerator of an overlay folder, loaded, checked and ready. `close` it, or use `with`."""

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        batch_frames: int | None = None,
        timeout: float = 5.0,
        download: bool = True,
    ):
        """Loads the overlay of `folder` (default: where this file lies), unless `download` is false, and checks it.

        A transfer holds up to `batch_frames` frames (default: 1 MiB of them, at most 4,096). `timeout` is how many
        seconds may pass without a frame taken or a result given. Raises NoDevice, WrongOverlay, DigestMismatch.
        """
        import pynq

        self.design = Description(Path(__file__).resolve().parent if folder is None else folder)
        self.timeout = timeout
        for file in (self.design.bit, self.design.bit.with_suffix(".hwh")):
            if not file.is_file():
                raise WrongOverlay(f"{file} is missing; deploy the overlay again")
        if not pynq.Device.devices:
            raise NoDevice("pynq finds no FPGA: this must run on the board, as root, in a login shell (sudo -i)")
        self.overlay = pynq.Overlay(str(self.design.bit), download=False)
        cells = self.overlay.ip_dict
        for cell in (DMA, ACCELERATOR):
            if cell not in cells:
                raise WrongOverlay(f"{self.design.bit.name} has no block {cell}; it has {', '.join(sorted(cells))}")
        parameters = cells[DMA]["parameters"]
        if str(parameters.get("c_include_sg")) != "0":
            raise WrongOverlay(f"{DMA} has scatter-gather; the driver needs direct register mode")
        if download:
            self.overlay.download()
        self.clock_mhz = _timed_clock(cells)
        self._control = pynq.MMIO(cells[ACCELERATOR]["phys_addr"], cells[ACCELERATOR]["addr_range"])
        address_bits = int(parameters.get("c_addr_width", 32))
        self._dma = _Dma(pynq.MMIO(cells[DMA]["phys_addr"], cells[DMA]["addr_range"]), address_bits)
        self._check()
        largest = (1 << int(parameters["c_sg_length_width"])) - 1
        row = max(self.design.stride, 8 * self.design.beats)
        if row > largest:
            raise WrongOverlay(f"a frame of {row} bytes exceeds what {DMA} can transfer, {largest}")
        most = max(1, min(MOST_FRAMES, BUFFER_BYTES // row)) if batch_frames is None else batch_frames
        if not 1 <= most <= largest // row:
            raise FrameError(f"batch_frames must lie in 1..{largest // row}, not {most}")
        self.batch_frames = most
        self._slots: list[_Slot] = []
        self.reset()
        self._begin()

    def close(self) -> None:
        """Gives the buffers back. The overlay stays loaded."""
        for slot in self._slots:
            slot.free()
        self._slots = []

    def _read(self, name: str) -> int:
        return int(self._control.read(self.design.registers[name]))

    def _write(self, name: str, values: "list[int]") -> None:
        offset = self.design.registers[name]
        for value in values:
            self._control.write(offset, value)

    @property
    def digest(self) -> str:
        """The digest of the network that the accelerator was generated with, 64 hex digits."""
        return "".join(f"{self._read(f'DIGEST_{k}'):08x}" for k in range(8))

    def registers(self) -> dict[str, int]:
        """Every register's value, by name."""
        return {name: self._read(name) for name in self.design.registers}

    def _check(self) -> None:
        """That the accelerator is ours, and holds the network of design.json."""
        design, name = self.design, self.design.bit.name
        if self.identity != IDENTITY:
            raise WrongOverlay(f"{name}: IDENTITY reads 0x{self.identity:08x}, not 0x{IDENTITY:08x}; not a bitwright's")
        if self.digest != design.digest:
            raise DigestMismatch(
                f"{name} holds the network of digest {self.digest[:12]}, but design.json is of {design.digest[:12]}; "
                "build the bitstream of this design, and deploy both"
            )
        self._check_sizes(f"{name}: ")

    def reset(self) -> None:
        """Brings DMA and accelerator to a known state, whatever was under way: both ends of both streams.

        The DMA goes first, so that no beat of an aborted transfer reaches an accelerator that was just reset.
        """
        self._dma.reset()
        self._control.write(self.design.registers["CONTROL"], SOFT_RESET | BATCH)
        end = time.monotonic() + RESET_SECONDS
        while self._read("CONTROL") != BATCH:
            if time.monotonic() > end:
                raise Timeout("the accelerator's soft reset does not end; load the overlay again")

    def run(self, frames: np.ndarray, *, progress: FrameProgress | None = None) -> Result:
        """Classes and scores of frames (n, *shape) of unsigned integers.

        While a batch is in the accelerator, the next one is packed and the last one unpacked. `progress(done, total)`
        is called after each batch. Raises FrameError, DmaError, AcceleratorReset or Timeout; DMA and accelerator are
        reset then, and the next call starts afresh.
        """
        values = self.design.check(frames)
        self._check_begun()
        total = len(values)
        most = min(self.batch_frames, total)
        words = np.empty((total, self.design.beats), np.int64)
        if not self._slots or len(self._slots[0].frames) < most:
            self.close()
            self._slots = [_Slot(most, self.design), _Slot(most, self.design)]
        began = time.perf_counter()
        latency, busy = 0.0, 0
        current, other = self._slots
        other.count = 0
        self._fill(current, values, 0)
        try:
            while current.count:
                before = self._counts()
                sent = time.perf_counter()
                self._start(current)
                other.collect(words)  # the batch before, then the batch after
                self._fill(other, values, current.first + current.count)
                self._wait(current, before)
                latency = latency or time.perf_counter() - sent
                busy += (self._read("CYCLES_BUSY") - before["CYCLES_BUSY"]) & 0xFFFFFFFF
                current, other = other, current
                if progress is not None:
                    progress(other.first + other.count, total)
            other.collect(words)
        except BaseException:
            self.reset()
            raise
        classes, scores = self.design.unpack(words)
        seconds = time.perf_counter() - began
        return Result(
            classes=classes,
            scores=scores,
            frames_per_second=total / seconds,
            latency_seconds=latency,
            batches=-(-total // most),
            cycles_busy=busy,
            busy_frames_per_second=total * self.clock_mhz * 1e6 / busy if busy else 0.0,
        )

    def _fill(self, slot: _Slot, values: np.ndarray, first: int) -> None:
        """Packs the batch that begins at frame `first`; none is left if `first` is beyond the last."""
        batch = values[first : first + len(slot.frames)]
        slot.first, slot.count = first, len(batch)
        if slot.count:
            self.design.pack(batch, slot.frames[: slot.count])

    def _start(self, slot: _Slot) -> None:
        """Arms the receiver, then sends."""
        frames, words = slot.frames[: slot.count], slot.words[: slot.count]
        words.flush()  # no line of it may be written back over what the DMA writes
        frames.flush()
        self._dma.receive.start(words, words.nbytes)
        self._dma.send.start(frames, frames.nbytes)

    def _counts(self) -> dict[str, int]:
        return {name: self._read(name) for name in (*FRAME_COUNTERS, "CYCLES_BUSY")}

    def _wait(self, slot: _Slot, before: dict[str, int]) -> None:
        """Until the batch's results are there, complete; raises what went wrong otherwise."""
        now = moved = time.monotonic()
        look = now + LOOK_SECONDS
        last, quiet = before, 0
        while not self._dma.receive.done():
            self._dma.send.done()
            now = time.monotonic()
            if now < look:
                continue
            look = now + LOOK_SECONDS
            counts = self._counts()
            moving = any(counts[name] != last[name] for name in FRAME_COUNTERS)
            moved = now if moving else moved
            # nothing in flight and nothing to send, twice in a row: what is missing will never come
            ended = not moving and self._dma.send.done() and not self._read("STATUS") & 1
            quiet = quiet + 1 if ended else 0
            self._judge(slot, before, last, counts, ended=quiet > 1)
            if now - moved > self.timeout:
                raise Timeout(self._stalled(slot, before, counts))
            last = counts
        received = self._dma.receive.received
        counts = self._counts()
        wanted = 8 * self.design.beats * slot.count
        self._judge(slot, before, last, counts, ended=True)
        if received != wanted:
            raise DmaError(f"{received} bytes of results arrived, not {wanted}, though no frame was refused")
        if not self._dma.send.done():
            raise DmaError("all results are there, but the DMA's send channel is not idle")
        slot.words[: slot.count].invalidate()

    def _judge(
        self, slot: _Slot, before: dict[str, int], last: dict[str, int], now: dict[str, int], *, ended: bool
    ) -> None:
        """Raises if counters and errors say that frames are lost. `ended`: nothing more is coming."""
        taken, out, dropped = ((now[name] - before[name]) & 0xFFFFFFFF for name in FRAME_COUNTERS)
        lost = f"of a batch of {slot.count} frames {taken} were taken, {dropped} refused, {out} answered"
        backwards = (now["FRAMES_IN"] - last["FRAMES_IN"]) & 0x80000000
        if backwards or self._read("CONTROL") != BATCH:
            raise AcceleratorReset("the accelerator was reset in the middle of a batch; run the frames again")
        if not ended:
            return
        errors = self.status().errors
        if taken + dropped < slot.count and not errors:
            raise AcceleratorReset(f"the accelerator was reset in the middle of a batch ({lost}); run the frames again")
        if errors or dropped or taken != slot.count:
            raise FrameError(f"frames were refused or cut ({'; '.join(errors) or 'no reason given'}): {lost}")
        if out != slot.count:
            raise Timeout(f"the accelerator went idle without all results: {lost}")

    def _stalled(self, slot: _Slot, before: dict[str, int], now: dict[str, int]) -> str:
        taken, out = ((now[name] - before[name]) & 0xFFFFFFFF for name in ("FRAMES_IN", "FRAMES_OUT"))
        if out == slot.count:
            side = "the DMA waits for the end of the results' packet"
        else:
            side = "results are not taken" if taken - out > 1 else "frames do not arrive"
        return (
            f"nothing moved for {self.timeout:g} s ({side}): of a batch of {slot.count} frames {taken} were taken, "
            f"{out} answered; DMA and accelerator were reset"
        )
