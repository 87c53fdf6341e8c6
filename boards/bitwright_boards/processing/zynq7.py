"""The processing system of Zynq-7000: processing_system7 (AMD PG082, UG585).

Control over M_AXI_GP0, memory over S_AXI_HP0, which are at most 32 and 64 bits wide; GP0 is 0x40000000 to 0x7fffffff.
The PL clock is an IO PLL of 1,000 MHz, as PYNQ images run it, over two dividers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bitwright_boards.processing.system import PlClock, ProcessingSystem, SystemPort

IO_PLL_MHZ = 1000.0
_CONTROL = SystemPort(name="M_AXI_GP0", clock="M_AXI_GP0_ACLK", bits=32)
_MEMORY = SystemPort(name="S_AXI_HP0", clock="S_AXI_HP0_ACLK", bits=64)  # 32 corrupts data under PYNQ


@dataclass(frozen=True, kw_only=True)
class Zynq7(ProcessingSystem):
    """Zynq-7000."""

    title: str = "Zynq-7000"
    family: str = "zynq"
    presets: str = "ps7"
    name: str = "processing_system7_0"
    vlnv: str = "xilinx.com:ip:processing_system7:5.5"
    any_version: bool = False
    pins_outside: bool = True
    control: SystemPort = _CONTROL
    memory: SystemPort = _MEMORY
    memory_map: str = "S_AXI_HP0"
    memory_block: str = "HP0_DDR_LOWOCM"
    memory_bytes: int = 0x2000_0000
    clock: str = "FCLK_CLK0"
    reset: str = "FCLK_RESET0_N"
    dma_base: int = 0x4040_0000
    accelerator_base: int = 0x43C0_0000
    highest_mhz: float = 250.0

    def source_mhz(self, settings: Mapping[str, str]) -> float:
        return IO_PLL_MHZ

    def parameters(self, clock: PlClock) -> dict[str, str]:
        return {
            "PCW_USE_M_AXI_GP0": "1",
            "PCW_USE_S_AXI_HP0": "1",
            "PCW_S_AXI_HP0_DATA_WIDTH": str(self.memory.bits),
            "PCW_EN_CLK0_PORT": "1",
            "PCW_EN_RST0_PORT": "1",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{clock.mhz:.6f}",
        }

    def derived(self, clock: PlClock) -> dict[str, str]:
        dividers = clock.dividers
        return {
            **{f"PCW_FPGA_FCLK{k}_ENABLE": str(int(k == 0)) for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_CLKSRC": "IO PLL" for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_DIVISOR0": str(dividers[0] if k == 0 else 1) for k in range(4)},
            **{f"PCW_FCLK{k}_PERIPHERAL_DIVISOR1": str(dividers[1] if k == 0 else 1) for k in range(4)},
        }
