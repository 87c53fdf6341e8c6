"""What a block design must fulfil, on Zynq-7000 and Zynq UltraScale+; from the IPs' documents, not from the generator.

Each check gives the faults that it finds, as sentences; an empty list is a pass.
"""

from dataclasses import dataclass
from itertools import combinations

from bitwright_core.design import Manifest
from tests.boards.vivado.recording import Recording

SOURCE_RESET = "proc_sys_reset_0/peripheral_aresetn"


@dataclass(frozen=True, kw_only=True)
class Ip:
    """Pins that must be driven, and bus interfaces: name to (protocol, is it the initiator)."""

    clocks: tuple[str, ...]
    resets: tuple[str, ...]
    buses: dict[str, tuple[str, bool]]
    widths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Processor:
    """A processing system: its cell, pins and ports, the window of its control port, its memory, what is set of it.

    `clock` is the setting of the PL clock; `automation` says whether memory and fixed pins go to the outside.
    """

    cell: str
    vlnv: str
    family: str
    clock_pin: str
    reset_pin: str
    control: tuple[str, str]  # port, its clock's pin
    memory: tuple[str, str]
    memory_bits: int
    window: tuple[int, int]
    memory_bytes: int
    segment: str  # of the memory, as Vivado names it
    settings: dict[str, str]
    clock: str
    automation: int


# AMD PG082, UG585: GP0 is 0x40000000 to 0x7fffffff; 512 MB of memory begin at 0; HP0 is 64 bits wide
ZYNQ7 = Processor(
    cell="processing_system7_0",
    vlnv="xilinx.com:ip:processing_system7:5.5",
    family="zynq",
    clock_pin="FCLK_CLK0",
    reset_pin="FCLK_RESET0_N",
    control=("M_AXI_GP0", "M_AXI_GP0_ACLK"),
    memory=("S_AXI_HP0", "S_AXI_HP0_ACLK"),
    memory_bits=64,
    window=(0x40000000, 0x80000000),
    memory_bytes=0x20000000,
    segment="S_AXI_HP0/HP0_DDR_LOWOCM",
    settings={
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_S_AXI_HP0": "1",
        "PCW_S_AXI_HP0_DATA_WIDTH": "64",
        "PCW_UIPARAM_DDR_PARTNO": "MT41J256M16 RE-125",
        "PCW_UIPARAM_DDR_BUS_WIDTH": "16 Bit",
    },
    clock="PCW_FPGA0_PERIPHERAL_FREQMHZ",
    automation=1,
)
# AMD PG201, UG1085: HPM0_FPD is 0xa0000000 to 0xafffffff below 4 GB; 2 GB of memory begin at 0; both HPM ports of the
# full-power domain are on by default, and a port that is on needs its clock; S_AXI_HP0_FPD is S_AXI_GP2, 128 bits
ZYNQ_ULTRA = Processor(
    cell="zynq_ultra_ps_e_0",
    vlnv="xilinx.com:ip:zynq_ultra_ps_e",
    family="zynquplus",
    clock_pin="pl_clk0",
    reset_pin="pl_resetn0",
    control=("M_AXI_HPM0_FPD", "maxihpm0_fpd_aclk"),
    memory=("S_AXI_HP0_FPD", "saxihp0_fpd_aclk"),
    memory_bits=128,
    window=(0xA0000000, 0xB0000000),
    memory_bytes=0x80000000,
    segment="SAXIGP2/HP0_DDR_LOW",
    settings={
        "PSU__USE__M_AXI_GP0": "1",
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__USE__S_AXI_GP2": "1",
        "PSU__SAXIGP2__DATA_WIDTH": "128",
        "PSU__FPGA_PL0_ENABLE": "1",
        "PSU__USE__FABRIC__RST": "1",
        "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": "IOPLL",
    },
    clock="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
    automation=0,
)


def ip_models(manifest: Manifest, ps: Processor) -> dict[str, Ip]:
    """By VLNV: the processing system, AMD PG021 (DMA), PG247 (SmartConnect), PG164 (reset)."""
    return {
        ps.vlnv: Ip(
            clocks=(ps.control[1], ps.memory[1]),
            resets=(),
            buses={ps.control[0]: ("aximm", True), ps.memory[0]: ("aximm", False)},
        ),
        "xilinx.com:ip:axi_dma:7.1": Ip(
            clocks=("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk"),
            resets=("axi_resetn",),
            buses={
                "S_AXI_LITE": ("aximm", False),
                "M_AXI_MM2S": ("aximm", True),
                "M_AXI_S2MM": ("aximm", True),
                "M_AXIS_MM2S": ("axis", True),
                "S_AXIS_S2MM": ("axis", False),
            },
        ),
        "xilinx.com:ip:smartconnect:1.0": Ip(clocks=("aclk",), resets=("aresetn",), buses={}),
        "xilinx.com:ip:proc_sys_reset:5.0": Ip(clocks=("slowest_sync_clk",), resets=(), buses={}),
        f"bitwright:accelerator:{manifest.top}:1.0": Ip(
            clocks=("aclk",),
            resets=("aresetn",),
            buses={"s_axi_control": ("aximm", False), "s_axis": ("axis", False), "m_axis": ("axis", True)},
        ),
    }


def _cells(found: Recording, manifest: Manifest, ps: Processor) -> tuple[dict[str, Ip], list[str]]:
    models = ip_models(manifest, ps)
    cells, faults = {}, []
    for name, vlnv in found.cells.items():
        if vlnv not in models:
            faults.append(f"{name} is a {vlnv}, which there is none of")
            continue
        model = models[vlnv]
        if "smartconnect" in vlnv:
            settings = found.settings.get(name, {})
            buses = {f"S{k:02d}_AXI": ("aximm", False) for k in range(int(settings.get("NUM_SI", "1")))}
            buses |= {f"M{k:02d}_AXI": ("aximm", True) for k in range(int(settings.get("NUM_MI", "1")))}
            model = Ip(clocks=model.clocks, resets=model.resets, buses=buses)
        cells[name] = model
    return cells, faults


def check_cells(found: Recording, manifest: Manifest, ps: Processor) -> list[str]:
    """Exactly one of each that is needed, and nothing unknown."""
    _, faults = _cells(found, manifest, ps)
    kinds = sorted(vlnv.split(":")[2] for vlnv in found.cells.values())
    wanted = sorted([ps.vlnv.split(":")[2], "axi_dma", manifest.top, "smartconnect", "smartconnect", "proc_sys_reset"])
    if kinds != wanted:
        faults.append(f"cells are {', '.join(kinds)}")
    return faults


def check_pins(found: Recording, manifest: Manifest, ps: Processor) -> list[str]:
    """Every clock pin on the one clock, every reset pin on the one reset, each exactly once."""
    cells, faults = _cells(found, manifest, ps)
    clock = f"{ps.cell}/{ps.clock_pin}"
    wanted = {f"{name}/{pin}": clock for name, ip in cells.items() for pin in ip.clocks}
    wanted |= {f"{name}/{pin}": SOURCE_RESET for name, ip in cells.items() for pin in ip.resets}
    wanted["proc_sys_reset_0/ext_reset_in"] = f"{ps.cell}/{ps.reset_pin}"
    for pin, source in wanted.items():
        drivers = [a for a, b in found.pins if b == pin]
        if drivers != [source]:
            faults.append(f"{pin} is driven by {drivers or 'nothing'}, not by {source}")
    faults += [f"{pin} is no pin that is to be driven" for _, pin in found.pins if pin not in wanted]
    return faults


def check_buses(found: Recording, manifest: Manifest, ps: Processor) -> list[str]:
    """Every bus interface connected once, initiator to target of the same protocol, and the data path as it must be."""
    cells, faults = _cells(found, manifest, ps)
    ends = {f"{name}/{bus}": end for name, ip in cells.items() for bus, end in ip.buses.items()}
    for end in ends:
        count = sum(end in pair for pair in found.buses)
        if count != 1:
            faults.append(f"{end} has {count} connections")
    for source, sink in found.buses:
        for end in (source, sink):
            if end not in ends:
                faults.append(f"{end} does not exist")
        if (
            source in ends
            and sink in ends
            and (ends[source], ends[sink])
            != (
                (ends[source][0], True),
                (ends[source][0], False),
            )
        ):
            faults.append(f"{source} cannot drive {sink}")
    faults += [
        f"no path from {a} to {b}"
        for a, b in (
            (f"{ps.cell}/{ps.control[0]}", "axi_dma_0/S_AXI_LITE"),
            (f"{ps.cell}/{ps.control[0]}", "accelerator_0/s_axi_control"),
            ("axi_dma_0/M_AXI_MM2S", f"{ps.cell}/{ps.memory[0]}"),
            ("axi_dma_0/M_AXI_S2MM", f"{ps.cell}/{ps.memory[0]}"),
            ("axi_dma_0/M_AXIS_MM2S", "accelerator_0/s_axis"),
            ("accelerator_0/m_axis", "axi_dma_0/S_AXIS_S2MM"),
        )
        if b not in _reached(found, a)
    ]
    return faults


def _reached(found: Recording, start: str) -> set[str]:
    """Interfaces that `start` reaches, through SmartConnects."""
    reached, todo = set(), [start]
    while todo:
        source = todo.pop()
        for a, b in found.buses:
            if a != source or b in reached:
                continue
            reached.add(b)
            cell = b.partition("/")[0]
            if "smartconnect" in found.cells.get(cell, ""):
                todo += [x for x, _ in found.buses if x.startswith(f"{cell}/M")]
    return reached


def check_addresses(found: Recording, ps: Processor) -> list[str]:
    """Each target in the space of who reaches it, on a multiple of its size, in the port's window, without overlap."""
    faults = []
    wanted = {
        (f"{ps.cell}/Data", "axi_dma_0/S_AXI_LITE/Reg"),
        (f"{ps.cell}/Data", "accelerator_0/s_axi_control/registers"),
        ("axi_dma_0/Data_MM2S", f"{ps.cell}/{ps.segment}"),
        ("axi_dma_0/Data_S2MM", f"{ps.cell}/{ps.segment}"),
    }
    placed = {(space, segment) for space, segment, _, _ in found.addresses}
    faults += [f"{segment} has no address in {space}" for space, segment in sorted(wanted - placed)]
    faults += [f"{segment} is not to be in {space}" for space, segment in sorted(placed - wanted)]
    for space, segment, offset, size in found.addresses:
        if size < 4096 or size & size - 1 or offset % size:
            faults.append(f"{segment} at {offset:#x} with {size:#x} bytes is not aligned to its size")
        low, high = ps.window if space.startswith(ps.cell) else (0, ps.memory_bytes)
        if not low <= offset <= offset + size <= high:
            faults.append(f"{segment} at {offset:#x} is outside of {space}")
    for one, other in combinations(found.addresses, 2):
        if one[0] == other[0] and one[2] < other[2] + other[3] and other[2] < one[2] + one[3]:
            faults.append(f"{one[1]} and {other[1]} overlap at {max(one[2], other[2]):#x}")
    return faults


def check_dma(found: Recording, manifest: Manifest, ps: Processor) -> list[str]:
    """Direct register mode, both directions, lengths of 26 bits, widths of the port and of the streams (PG021)."""
    wanted = {
        "c_include_sg": "0",
        "c_sg_include_stscntrl_strm": "0",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_sg_length_width": "26",
        "c_m_axis_mm2s_tdata_width": str(manifest.input.data_bits),
        "c_m_axi_mm2s_data_width": str(max(ps.memory_bits, manifest.input.data_bits)),
        "c_m_axi_s2mm_data_width": str(ps.memory_bits),
        "c_mm2s_burst_size": "16",
        "c_s2mm_burst_size": "16",
    }
    settings = found.settings.get("axi_dma_0", {})
    return [
        f"axi_dma_0 has {name} {settings.get(name)}, not {value}"
        for name, value in wanted.items()
        if settings.get(name) != value
    ]


def check_processor(found: Recording, clock_mhz: float, ps: Processor) -> list[str]:
    """The ports that are used, their width, the clock; memory and fixed pins to the outside."""
    settings = found.settings.get(ps.cell, {})
    faults = [
        f"{ps.cell} has {name} {settings.get(name)}, not {value}"
        for name, value in ps.settings.items()
        if settings.get(name) != value
    ]
    if abs(float(settings.get(ps.clock, "0")) - clock_mhz) > 1e-3:
        faults.append(f"{ps.clock_pin} is {settings.get(ps.clock)} MHz, not {clock_mhz}")
    if found.commands.count("apply_bd_automation") != ps.automation:
        faults.append("memory and fixed pins are not brought outside")
    return faults


def check_part(found: Recording, part: str) -> list[str]:
    return [] if found.parts == [part, part] else [f"parts are {found.parts}, not {part} twice"]


def check_package(found: Recording, manifest: Manifest) -> list[str]:
    """Interfaces with all their signals, clock and reset associated, every register of the manifest."""
    faults = []
    stream = ("tdata", "tkeep", "tvalid", "tready", "tlast")
    lite = [
        "awaddr",
        "awprot",
        "awvalid",
        "awready",
        "wdata",
        "wstrb",
        "wvalid",
        "wready",
        "bresp",
        "bvalid",
        "bready",
        "araddr",
        "arprot",
        "arvalid",
        "arready",
        "rdata",
        "rresp",
        "rvalid",
        "rready",
    ]
    wanted = {
        "aclk": ("xilinx.com:signal:clock_rtl:1.0", "slave", ["aclk"]),
        "aresetn": ("xilinx.com:signal:reset_rtl:1.0", "slave", ["aresetn"]),
        "s_axis": ("xilinx.com:interface:axis_rtl:1.0", "slave", [f"s_axis_{x}" for x in stream]),
        "m_axis": ("xilinx.com:interface:axis_rtl:1.0", "master", [f"m_axis_{x}" for x in stream]),
        "s_axi_control": ("xilinx.com:interface:aximm_rtl:1.0", "slave", [f"s_axi_control_{x}" for x in lite]),
    }
    for name, (vlnv, mode, ports) in wanted.items():
        got = found.inferred.get(name, ("",))
        faults += [f"{name} lacks {port}" for port in ports if port not in got[1:]]
        if got[0] != vlnv:
            faults.append(f"{name} is a {got[0] or 'nothing'}, not a {vlnv}")
        if found.properties.get(name, {}).get("interface_mode") != mode:
            faults.append(f"{name} is not a {mode}")
    busifs = sorted(a["busif"] for a in found.associations if a.get("clock") == "aclk" and "busif" in a)
    if busifs != ["m_axis", "s_axi_control", "s_axis"]:
        faults.append(f"the clock is associated with {busifs}")
    if {"clock": "aclk", "reset": "aresetn"} not in found.associations:
        faults.append("the reset is not associated with the clock")
    if found.properties.get("aresetn:POLARITY", {}).get("value") != "ACTIVE_LOW":
        faults.append("the reset is not active low")
    registers = {name: block for kind, name, block in found.added if kind == "register"}
    for name, offset in manifest.registers.items():
        handle = f"{registers.get(name)}:{name}"
        properties = found.properties.get(handle, {})
        if name not in registers:
            faults.append(f"register {name} is missing")
        elif int(properties.get("address_offset", "-1"), 0) != offset or properties.get("size") != "32":
            faults.append(f"register {name} is at {properties.get('address_offset')}, not {offset:#x}")
    faults += [f"register {name} does not exist" for name in sorted(set(registers) - set(manifest.registers))]
    if found.properties.get("s_axi_control", {}).get("slave_memory_map_ref") != "s_axi_control":
        faults.append("the control bus has no memory map")
    return faults


def check_family(found: Recording, ps: Processor) -> list[str]:
    """The package suits the family of the part, without which Vivado's catalog hides it."""
    families = found.properties.get("core", {}).get("supported_families")
    return [] if families == f"{ps.family} Production" else [f"the package is for {families}, not for {ps.family}"]


def all_faults(
    found: Recording, manifest: Manifest, *, part: str, clock_mhz: float, ps: Processor = ZYNQ7
) -> list[str]:
    return [
        *check_part(found, part),
        *check_family(found, ps),
        *check_cells(found, manifest, ps),
        *check_pins(found, manifest, ps),
        *check_buses(found, manifest, ps),
        *check_addresses(found, ps),
        *check_dma(found, manifest, ps),
        *check_processor(found, clock_mhz, ps),
        *check_package(found, manifest),
    ]
