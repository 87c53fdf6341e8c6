"""The processing system of Zynq UltraScale+: zynq_ultra_ps_e (AMD PG201, UG1085).

Control over M_AXI_HPM0_FPD, whose lowest window is 0xa0000000 to 0xafffffff (UG1085, system address map; for registers
the LPD's port would do as well); memory over S_AXI_HP0_FPD, 128 bits wide at most, from where the lower
2 GB of DDR lie at 0. In Vivado's settings M_AXI_HPM0_FPD is M_AXI_GP0, and S_AXI_HP0_FPD is S_AXI_GP2. Both HPM ports
of the full-power domain are there unless switched off.

The PL clock is the IO PLL over two dividers. The PLL is a board's own: its feedback divider times 100/3 MHz, half of
that where DIV2 is set. pynq counts with 33.333 MHz, so it tells 0.001 % less than we do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bitwright_boards.processing.system import PlClock, ProcessingSystem, SystemPort
from bitwright_core.errors import BoardError

REFERENCE_MHZ = 100 / 3  # PSS_REF_CLK of every board here
PYNQ_REFERENCE_MHZ = 33.333
_CONTROL = SystemPort(name="M_AXI_HPM0_FPD", clock="maxihpm0_fpd_aclk", bits=32)
_MEMORY = SystemPort(name="S_AXI_HP0_FPD", clock="saxihp0_fpd_aclk", bits=128)
_PLL = "PSU__CRL_APB__IOPLL_CTRL__"


@dataclass(frozen=True, kw_only=True)
class ZynqUltra(ProcessingSystem):
    """Zynq UltraScale+ MPSoC."""

    title: str = "Zynq UltraScale+"
    family: str = "zynquplus"
    presets: str = "psu"
    name: str = "zynq_ultra_ps_e_0"
    vlnv: str = "xilinx.com:ip:zynq_ultra_ps_e:3.5"
    any_version: bool = True  # 3.3 of Vivado 2020.2, 3.4 of 2022.1, 3.5 of 2024.1
    pins_outside: bool = False
    control: SystemPort = _CONTROL
    memory: SystemPort = _MEMORY
    memory_map: str = "SAXIGP2"
    memory_block: str = "HP0_DDR_LOW"
    memory_bytes: int = 0x8000_0000
    clock: str = "pl_clk0"
    reset: str = "pl_resetn0"
    dma_base: int = 0xA000_0000
    accelerator_base: int = 0xA001_0000
    highest_mhz: float = 333.0  # against slips of the pen: what a design reaches, Vivado says

    def source_mhz(self, settings: Mapping[str, str]) -> float:
        try:
            return REFERENCE_MHZ * int(settings[f"{_PLL}FBDIV"]) / (1 + int(settings[f"{_PLL}DIV2"]))
        except KeyError as error:
            raise BoardError(
                f"the preset of {self.title} lacks {error.args[0]}, which its PL clock comes from"
            ) from None

    def parameters(self, clock: PlClock) -> dict[str, str]:
        return {
            "PSU__USE__M_AXI_GP0": "1",
            "PSU__USE__M_AXI_GP1": "0",
            "PSU__USE__M_AXI_GP2": "0",
            "PSU__MAXIGP0__DATA_WIDTH": str(self.control.bits),
            "PSU__USE__S_AXI_GP2": "1",
            "PSU__SAXIGP2__DATA_WIDTH": str(self.memory.bits),
            "PSU__FPGA_PL0_ENABLE": "1",
            "PSU__USE__FABRIC__RST": "1",
            "PSU__NUM_FABRIC_RESETS": "1",
            "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{clock.mhz:.6f}",
        }

    def derived(self, clock: PlClock) -> dict[str, str]:
        clocks: dict[str, str] = {}
        for k in range(4):
            control = f"PSU__CRL_APB__PL{k}_REF_CTRL__"
            first, second = clock.dividers if k == 0 else (4, 1)
            clocks |= {f"{control}DIVISOR0": str(first), f"{control}DIVISOR1": str(second)}
            if k:
                clocks |= {f"PSU__FPGA_PL{k}_ENABLE": "0", f"{control}SRCSEL": "RPLL"}
        return {
            **clocks,
            # pynq 4.0 sets this clock, 3.1 the dividers
            "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": f"{clock.mhz * PYNQ_REFERENCE_MHZ / REFERENCE_MHZ:.6f}",
            # pynq sets the ports' widths in the processing system by these (FPD_SLCR.AXI_FS, AFIFM2)
            "C_MAXIGP0_DATA_WIDTH": str(self.control.bits),
            "C_SAXIGP2_DATA_WIDTH": str(self.memory.bits),
        }
