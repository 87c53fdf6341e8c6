"""The block design of a PYNQ overlay as data: cells, connections, addresses, registers.

Vivado's Tcl, the .hwh of the simulated board, the driver's names and their tests all read this one description. What a
processing system adds to it is in `processing`.
Names and settings follow AMD PG021 (AXI DMA) and PG247 (SmartConnect).
"""

from dataclasses import dataclass, replace

from bitwright_boards.blocks import BlockCell, BlockConnection, Region, bus, stream
from bitwright_boards.processing import Platform, PlClock, ProcessingSystem
from bitwright_core.design import Manifest
from bitwright_core.errors import BoardError
from bitwright_core.framing import RESULT_BITS
from bitwright_core.ports import CONTROL
from bitwright_core.registers import DECLARED, LOAD_REGISTERS, Register

DMA = "axi_dma_0"
ACCELERATOR = "accelerator_0"
CONTROL_CONNECT = "control_smartconnect"
MEMORY_CONNECT = "memory_smartconnect"
RESET = "proc_sys_reset_0"

DMA_SIZE = ACCELERATOR_SIZE = 0x1_0000

IP_VENDOR, IP_LIBRARY, IP_VERSION = "bitwright", "accelerator", "1.0"
CONTROL_INTERFACE = CONTROL
ADDRESS_BLOCK = "registers"

LENGTH_BITS = 26  # the widest: transfers of up to 64 MiB less a byte
MAX_TRANSFER = (1 << LENGTH_BITS) - 1


@dataclass(frozen=True, kw_only=True)
class BlockDesign:
    """The whole block design. One clock (`clock_source`) and one reset (`reset_source`) drive every pin that cells
    name; `reset_input` is what the reset cell itself listens to."""

    name: str  # stem of .bit and .hwh
    system: ProcessingSystem
    clock: PlClock
    cells: tuple[BlockCell, ...]
    connections: tuple[BlockConnection, ...]
    regions: tuple[Region, ...]
    registers: tuple[Register, ...]
    reset_source: str = f"{RESET}/peripheral_aresetn"

    @property
    def clock_mhz(self) -> float:
        return self.clock.mhz

    @property
    def clock_source(self) -> str:
        return f"{self.system.name}/{self.system.clock}"

    @property
    def reset_input(self) -> tuple[str, str]:
        return f"{self.system.name}/{self.system.reset}", f"{RESET}/ext_reset_in"

    @property
    def spaces(self) -> dict[str, str]:
        """The address spaces' names (UG994) by their masters: a processor's Data, a DMA's by direction."""
        return {
            f"{self.system.name}/{self.system.control.name}": f"{self.system.name}/Data",
            f"{DMA}/M_AXI_MM2S": f"{DMA}/Data_MM2S",
            f"{DMA}/M_AXI_S2MM": f"{DMA}/Data_S2MM",
        }

    def cell(self, name: str) -> BlockCell:
        return next(cell for cell in self.cells if cell.name == name)


def accelerator_vlnv(manifest: Manifest) -> str:
    return f"{IP_VENDOR}:{IP_LIBRARY}:{manifest.top}:{IP_VERSION}"


def registers(manifest: Manifest) -> tuple[Register, ...]:
    """The accelerator's registers at the manifest's offsets, by offset."""
    declared = {register.name: register for register in (*DECLARED, *LOAD_REGISTERS)}
    return tuple(
        replace(declared[name], offset=offset)
        for name, offset in sorted(manifest.registers.items(), key=lambda item: item[1])
    )


def _dma(width: int, port_bits: int) -> BlockCell:
    """The AXI DMA in direct register mode: a stream of `width` bits to the accelerator, `port_bits` to memory."""
    return BlockCell(
        name=DMA,
        vlnv="xilinx.com:ip:axi_dma:7.1",
        interfaces=(
            bus("S_AXI_LITE"),
            bus("M_AXI_MM2S", initiator=True),
            bus("M_AXI_S2MM", initiator=True),
            stream("M_AXIS_MM2S", initiator=True),
            stream("S_AXIS_S2MM"),
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
            "c_m_axi_mm2s_data_width": str(max(port_bits, width)),
            "c_m_axis_mm2s_tdata_width": str(width),
            "c_m_axi_s2mm_data_width": str(port_bits),
            "c_mm2s_burst_size": "16",
            "c_s2mm_burst_size": "16",
        },
        derived={"c_s_axis_s2mm_tdata_width": str(RESULT_BITS), "c_micro_dma": "0", "c_addr_width": "32"},
    )


def _connections(system: ProcessingSystem) -> tuple[BlockConnection, ...]:
    return tuple(
        BlockConnection(source=source, sink=sink)
        for source, sink in (
            (f"{system.name}/{system.control.name}", f"{CONTROL_CONNECT}/S00_AXI"),
            (f"{CONTROL_CONNECT}/M00_AXI", f"{DMA}/S_AXI_LITE"),
            (f"{CONTROL_CONNECT}/M01_AXI", f"{ACCELERATOR}/{CONTROL_INTERFACE}"),
            (f"{DMA}/M_AXI_MM2S", f"{MEMORY_CONNECT}/S00_AXI"),
            (f"{DMA}/M_AXI_S2MM", f"{MEMORY_CONNECT}/S01_AXI"),
            (f"{MEMORY_CONNECT}/M00_AXI", f"{system.name}/{system.memory.name}"),
            (f"{DMA}/M_AXIS_MM2S", f"{ACCELERATOR}/s_axis"),
            (f"{ACCELERATOR}/m_axis", f"{DMA}/S_AXIS_S2MM"),
        )
    )


def _regions(system: ProcessingSystem) -> tuple[Region, ...]:
    processor = f"{system.name}/{system.control.name}"
    return (
        Region(master=processor, cell=DMA, interface="S_AXI_LITE", block="Reg", base=system.dma_base, size=DMA_SIZE),
        Region(
            master=processor,
            cell=ACCELERATOR,
            interface=CONTROL_INTERFACE,
            block=ADDRESS_BLOCK,
            base=system.accelerator_base,
            size=ACCELERATOR_SIZE,
        ),
        *(
            Region(
                master=f"{DMA}/{channel}",
                cell=system.name,
                interface=system.memory.name,
                block=system.memory_block,
                base=0,
                size=system.memory_bytes,
                memory=True,
                memory_map=system.memory_map,
            )
            for channel in ("M_AXI_MM2S", "M_AXI_S2MM")
        ),
    )


def block_design(
    manifest: Manifest, platform: Platform, *, name: str | None = None, clock_mhz: float | None = None
) -> BlockDesign:
    """The block design for the processing system of `platform` around the accelerator of `manifest`.

    `name` is the overlay's (default: the manifest's), `clock_mhz` at most which the PL clock is to be (default: the
    manifest's). Raises BoardError for a clock that cannot be had, or an input stream too narrow for the DMA.
    """
    width = manifest.input.data_bits
    if width < 8:
        raise BoardError(f"AXI DMA has streams of 8 to 1024 bits, not {width}; generate with --data-bits 64")
    system = platform.system
    clock = system.pl_clock(manifest.clock_mhz if clock_mhz is None else clock_mhz, platform.settings)
    cells = (
        system.cell(clock),
        _dma(width, system.memory.bits),
        BlockCell(
            name=ACCELERATOR,
            vlnv=accelerator_vlnv(manifest),
            interfaces=(bus(CONTROL_INTERFACE), stream("s_axis"), stream("m_axis", initiator=True)),
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
        system=system,
        clock=clock,
        cells=cells,
        connections=_connections(system),
        regions=_regions(system),
        registers=registers(manifest),
    )


def _smartconnect(name: str, *, sources: int, sinks: int) -> BlockCell:
    return BlockCell(
        name=name,
        vlnv="xilinx.com:ip:smartconnect:1.0",
        interfaces=(
            *(bus(f"S{k:02d}_AXI") for k in range(sources)),
            *(bus(f"M{k:02d}_AXI", initiator=True) for k in range(sinks)),
        ),
        clocks=("aclk",),
        resets=("aresetn",),
        parameters={"NUM_SI": str(sources), "NUM_MI": str(sinks)},
    )
