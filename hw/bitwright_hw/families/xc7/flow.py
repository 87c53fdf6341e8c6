"""What Vivado needs beside the Verilog of a board's top: constraints, and a PLL for the clock."""

from bitwright_hw.families.flow import Pins, TopFlow
from bitwright_hw.families.xc7.pll import choose_pll


def xdc(pins: Pins) -> str:
    """Vivado's constraints (UG903): pins, the oscillator, and the voltage of the configuration bank."""
    lines = ["set_property CFGBVS VCCO [current_design]", "set_property CONFIG_VOLTAGE 3.3 [current_design]"]
    for pin in pins.pins:
        settings = " ".join(f"{name} {value}" for name, value in pin.attributes.items())
        lines.append(f"set_property -dict {{PACKAGE_PIN {pin.site} {settings}}} [get_ports {{{pin.port}}}]")
    lines.append(f"create_clock -name clk -period {1000 / pins.clock_mhz:.3f} [get_ports {{clk}}]")
    # a line that no clock of ours moves: it is sampled through two registers, and its bits are many cycles long
    lines.append("set_false_path -from [get_ports {rx}]")
    lines.append("set_false_path -to [get_ports {tx led[*]}]")
    return "\n".join(lines) + "\n"


VIVADO = TopFlow(constraints_file="pins.xdc", constraints=xdc, bitstream_suffix="bit", choose_pll=choose_pll)
