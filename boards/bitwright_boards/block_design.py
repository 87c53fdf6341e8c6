"""The block design of a PYNQ overlay as data: cells, connections, addresses, registers.

Vivado's Tcl, the .hwh of the simulated board, the driver's names and their tests all read this one description.
Names and settings follow AMD PG021 (AXI DMA), UG585 (Zynq-7000: GP0, HP0, PL clocks) and PG247 (SmartConnect).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bitwright_core.design import Manifest
from bitwright_core.errors import BoardError
from bitwright_core.framing import RESULT_BITS
from bitwright_core.ports import CONTROL
from bitwright_core.registers import DECLARED, LOAD_REGISTERS, Register

PS = "processing_system7_0"
DMA = "axi_dma_0"
ACCELERATOR = "accelerator_0"
CONTROL_CONNECT = "control_smartconnect"
MEMORY_CONNECT = "memory_smartconnect"
RESET = "proc_sys_reset_0"

DMA_BASE, DMA_SIZE = 0x4040_0000, 0x1_0000
ACCELERATOR_BASE, ACCELERATOR_SIZE = 0x43C0_0000, 0x1_0000
DDR_BASE, DDR_SIZE = 0x0000_0000, 0x2000_0000

IP_VENDOR, IP_LIBRARY, IP_VERSION = "bitwright", "accelerator", "1.0"
CONTROL_INTERFACE = CONTROL
ADDRESS_BLOCK = "registers"

PORT_BITS = 64  # HP0; 32 corrupts data under PYNQ on Zynq-7000
LENGTH_BITS = 26  # the widest: transfers of up to 64 MiB less a byte
MAX_TRANSFER = (1 << LENGTH_BITS) - 1
IO_PLL_MHZ = 1000.0  # what the PYNQ images run; PL clocks are this over two dividers of 6 bits
MAX_DIVIDER = 63

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A bus interface of a cell. `kind` is aximm or axis."""

    name: str
    kind: str
    initiator: bool


@dataclass(frozen=True, kw_only=True)
class BlockCell:
    """A block of the design. `parameters` are set (CONFIG.*); `derived` ones are Vivado's answer to them and to
    the connections, and stand in the .hwh alone."""

    name: str
    vlnv: str
    interfaces: tuple[Interface, ...]
    clocks: tuple[str, ...]  # input pins on the one clock
    resets: tuple[str, ...]  # input pins on the one active-low reset
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    derived: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def module(self) -> str:
        """The IP's own name."""
        return self.vlnv.split(":")[2]


@dataclass(frozen=True, kw_only=True)
class BlockConnection:
    """Bus `source` (cell/interface, the initiator) to `sink`."""

    source: str
    sink: str


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where `master` (cell/interface) sees interface `interface` of `cell`. `block` is the address block's name;
    `memory` is true for DDR, false for registers."""

    master: str
    cell: str
    interface: str
    block: str
    base: int
    size: int
    memory: bool = False

    @property
    def high(self) -> int:
        return self.base + self.size - 1


@dataclass(frozen=True, kw_only=True)
class BlockDesign:
    """The whole block design. One clock (`clock_source`) and one reset (`reset_source`) drive every pin that cells
    name; `reset_input` is what the reset cell itself listens to."""

    name: str  # stem of .bit and .hwh
    clock_mhz: float  # what the dividers give
    dividers: tuple[int, int]
    cells: tuple[BlockCell, ...]
    connections: tuple[BlockConnection, ...]
    regions: tuple[Region, ...]
    registers: tuple[Register, ...]
    clock_source: str = f"{PS}/FCLK_CLK0"
    reset_source: str = f"{RESET}/peripheral_aresetn"
    reset_input: tuple[str, str] = (f"{PS}/FCLK_RESET0_N", f"{RESET}/ext_reset_in")

    def cell(self, name: str) -> BlockCell:
        return next(cell for cell in self.cells if cell.name == name)


def clock_dividers(clock_mhz: float) -> tuple[int, int]:
    """The dividers of the fastest PL clock that is not above `clock_mhz`, the first one the larger.

    Raises BoardError if there is none.
    """
    pairs = [(a, b) for b in range(1, MAX_DIVIDER + 1) for a in range(b, MAX_DIVIDER + 1)]
    reachable = [(a, b) for a, b in pairs if IO_PLL_MHZ / (a * b) <= clock_mhz * (1 + 1e-6)]
    if not reachable or clock_mhz > 250:
        raise BoardError(f"a PL clock of {clock_mhz:g} MHz cannot be had on Zynq-7000; choose 0.26 to 250 MHz")
    return min(reachable, key=lambda pair: (pair[0] * pair[1], pair[0]))


def accelerator_vlnv(manifest: Manifest) -> str:
    return f"{IP_VENDOR}:{IP_LIBRARY}:{manifest.top}:{IP_VERSION}"


def registers(manifest: Manifest) -> tuple[Register, ...]:
    """The accelerator's registers at the manifest's offsets, by offset."""
    declared = {register.name: register for register in (*DECLARED, *LOAD_REGISTERS)}
    return tuple(
        replace(declared[name], offset=offset)
        for name, offset in sorted(manifest.registers.items(), key=lambda item: item[1])
    )


def _processor(dividers: tuple[int, int]) -> BlockCell:
    """The processing system with one clock for the logic."""
    return BlockCell(
        name=PS,
        vlnv="xilinx.com:ip:processing_system7:5.5",
        interfaces=(_bus("M_AXI_GP0", initiator=True), _bus("S_AXI_HP0")),
        clocks=("M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"),
        resets=(),
        parameters={
            "PCW_USE_M_AXI_GP0": "1",
            "PCW_USE_S_AXI_HP0": "1",
            "PCW_S_AXI_HP0_DATA_WIDTH": str(PORT_BITS),
            "PCW_EN_CLK0_PORT": "1",
            "PCW_EN_RST0_PORT": "1",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{_clock(dividers):.6f}",
        },
        derived={
            **{f"PCW_FPGA_FCLK{k}_ENABLE": str(int(k == 0)) for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_CLKSRC": "IO PLL" for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_DIVISOR0": str(dividers[0] if k == 0 else 1) for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_DIVISOR1": str(dividers[1] if k == 0 else 1) for k in range(4)},
        },
    )


def _dma(width: int) -> BlockCell:
    """The AXI DMA in direct register mode, with a stream of `width` bits to the accelerator."""
    return BlockCell(
        name=DMA,
        vlnv="xilinx.com:ip:axi_dma:7.1",
        interfaces=(
            _bus("S_AXI_LITE"),
            _bus("M_AXI_MM2S", initiator=True),
            _bus("M_AXI_S2MM", initiator=True),
            _stream("M_AXIS_MM2S", initiator=True),
            _stream("S_AXIS_S2MM"),
        ),
        clocks=("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk"),
        resets=("axi_resetn",),
        parameters={
            "c_include_mm2s": "1",
            "c_include_s2mm": "1",
            "c_include_sg": "0",
            "c_sg_include_stscntrl_strm": "0",
            "c_sg_length_width": str(LENGTH_BITS),
            "c_include_mm2s_dre": "0",
            "c_include_s2mm_dre": "0",
            "c_m_axi_mm2s_data_width": str(max(PORT_BITS, width)),
            "c_m_axis_mm2s_tdata_width": str(width),
            "c_m_axi_s2mm_data_width": str(PORT_BITS),
            "c_mm2s_burst_size": "16",
            "c_s2mm_burst_size": "16",
        },
        derived={"c_s_axis_s2mm_tdata_width": str(RESULT_BITS), "c_micro_dma": "0", "c_addr_width": "32"},
    )


def _connections() -> tuple[BlockConnection, ...]:
    return tuple(
        BlockConnection(source=source, sink=sink)
        for source, sink in (
            (f"{PS}/M_AXI_GP0", f"{CONTROL_CONNECT}/S00_AXI"),
            (f"{CONTROL_CONNECT}/M00_AXI", f"{DMA}/S_AXI_LITE"),
            (f"{CONTROL_CONNECT}/M01_AXI", f"{ACCELERATOR}/{CONTROL_INTERFACE}"),
            (f"{DMA}/M_AXI_MM2S", f"{MEMORY_CONNECT}/S00_AXI"),
            (f"{DMA}/M_AXI_S2MM", f"{MEMORY_CONNECT}/S01_AXI"),
            (f"{MEMORY_CONNECT}/M00_AXI", f"{PS}/S_AXI_HP0"),
            (f"{DMA}/M_AXIS_MM2S", f"{ACCELERATOR}/s_axis"),
            (f"{ACCELERATOR}/m_axis", f"{DMA}/S_AXIS_S2MM"),
        )
    )


def _regions() -> tuple[Region, ...]:
    processor = f"{PS}/M_AXI_GP0"
    return (
        Region(master=processor, cell=DMA, interface="S_AXI_LITE", block="Reg", base=DMA_BASE, size=DMA_SIZE),
        Region(
            master=processor,
            cell=ACCELERATOR,
            interface=CONTROL_INTERFACE,
            block=ADDRESS_BLOCK,
            base=ACCELERATOR_BASE,
            size=ACCELERATOR_SIZE,
        ),
        *(
            Region(
                master=f"{DMA}/{bus}",
                cell=PS,
                interface="S_AXI_HP0",
                block="HP0_DDR_LOWOCM",
                base=DDR_BASE,
                size=DDR_SIZE,
                memory=True,
            )
            for bus in ("M_AXI_MM2S", "M_AXI_S2MM")
        ),
    )


def block_design(manifest: Manifest, *, name: str | None = None, clock_mhz: float | None = None) -> BlockDesign:
    """The block design for a Zynq-7000 around the accelerator of `manifest`.

    `name` is the overlay's (default: the manifest's), `clock_mhz` at most which the PL clock is to be (default: the
    manifest's). Raises BoardError for a clock that cannot be had, or an input stream too narrow for the DMA.
    """
    width = manifest.input.data_bits
    if width < 8:
        raise BoardError(f"AXI DMA has streams of 8 to 1024 bits, not {width}; generate with --data-bits 64")
    wanted = manifest.clock_mhz if clock_mhz is None else clock_mhz
    dividers = clock_dividers(wanted)
    cells = (
        _processor(dividers),
        _dma(width),
        BlockCell(
            name=ACCELERATOR,
            vlnv=accelerator_vlnv(manifest),
            interfaces=(_bus(CONTROL_INTERFACE), _stream("s_axis"), _stream("m_axis", initiator=True)),
            clocks=("aclk",),
            resets=("aresetn",),
        ),
        _smartconnect(CONTROL_CONNECT, sources=1, sinks=2),
        _smartconnect(MEMORY_CONNECT, sources=2, sinks=1),
        BlockCell(
            name=RESET,
            vlnv="xilinx.com:ip:proc_sys_reset:5.0",
            interfaces=(),
            clocks=("slowest_sync_clk",),
            resets=(),
        ),
    )
    return BlockDesign(
        name=manifest.name if name is None else name,
        clock_mhz=_clock(dividers),
        dividers=dividers,
        cells=cells,
        connections=_connections(),
        regions=_regions(),
        registers=registers(manifest),
    )


def _clock(dividers: tuple[int, int]) -> float:
    return IO_PLL_MHZ / (dividers[0] * dividers[1])


def _bus(name: str, *, initiator: bool = False) -> Interface:
    return Interface(name=name, kind="aximm", initiator=initiator)


def _stream(name: str, *, initiator: bool = False) -> Interface:
    return Interface(name=name, kind="axis", initiator=initiator)


def _smartconnect(name: str, *, sources: int, sinks: int) -> BlockCell:
    return BlockCell(
        name=name,
        vlnv="xilinx.com:ip:smartconnect:1.0",
        interfaces=(
            *(_bus(f"S{k:02d}_AXI") for k in range(sources)),
            *(_bus(f"M{k:02d}_AXI", initiator=True) for k in range(sinks)),
        ),
        clocks=("aclk",),
        resets=("aresetn",),
        parameters={"NUM_SI": str(sources), "NUM_MI": str(sinks)},
    )
