"""The Tcl of a project: package the accelerator, draw the block design, make the bitstream.

Checked without Vivado by tests/boards, which run it in tclsh and look at what it asks for.
"""

import re
from collections.abc import Mapping

from bitwright_boards.block_design import (
    ACCELERATOR_SIZE,
    ADDRESS_BLOCK,
    CONTROL_INTERFACE,
    DMA,
    IP_LIBRARY,
    IP_VENDOR,
    IP_VERSION,
    PS,
    BlockDesign,
    Region,
)
from bitwright_boards.vivado.interfaces import interfaces
from bitwright_boards.vivado.wrapper import wrapper_name
from bitwright_core.design import Manifest
from bitwright_core.ports import CLOCK, RESET
from bitwright_core.registers import DATA_BITS, Register

BLOCK_DESIGN = "overlay"
# the names of address spaces (UG994): a processor's Data, a DMA's by direction
_SPACES = {
    f"{PS}/M_AXI_GP0": f"{PS}/Data",
    f"{DMA}/M_AXI_MM2S": f"{DMA}/Data_MM2S",
    f"{DMA}/M_AXI_S2MM": f"{DMA}/Data_S2MM",
}


def _quoted(value: object) -> str:
    """`value` as one Tcl word of one line. The one place where values are quoted. Raises ValueError if it cannot be."""
    text = str(value)
    if any(sign in text for sign in '{}\\"$[]') or not text.isprintable():
        raise ValueError(f"{text!r} cannot be quoted in braces")
    return "{" + text + "}"


def _word(value: object) -> str:
    """`value` where Tcl takes it bare, or within a longer word. Raises ValueError for what would not stay one."""
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]+", text):
        raise ValueError(f"{text!r} is no bare Tcl word")
    return text


def package_ip(manifest: Manifest, design: BlockDesign, part: str) -> str:
    """package_ip.tcl: the wrapper as an IP with its interfaces and registers, in folder build/ip."""
    sources = [*(f"../design/{_word(name)}" for name in manifest.verilog), f"../rtl/{_word(wrapper_name(manifest))}.v"]
    lines = [
        "# Packages the accelerator as an IP, so that its registers reach the .hwh and pynq's register_map.",
        "set here [file dirname [file normalize [info script]]]",
        "set root [file dirname $here]",
        f"create_project package_ip $root/build/package_ip -part {_word(part)} -force",
        *(f"add_files -norecurse [file normalize $here/{name}]" for name in sources),
        f"set_property top {wrapper_name(manifest)} [current_fileset]",
        "update_compile_order -fileset sources_1",
        f"ipx::package_project -root_dir $root/build/ip -vendor {IP_VENDOR} -library {IP_LIBRARY} "
        "-taxonomy /UserIP -import_files -force",
        "set core [ipx::current_core]",
        f"set_property name {_word(manifest.top)} $core",
        f"set_property version {IP_VERSION} $core",
        f"set_property display_name {_quoted(f'bitwright {manifest.name}')} $core",
        f"set_property description {_quoted(f'Accelerator of the binary neural network {manifest.name}')} $core",
        "set_property supported_families {zynq Production} $core",
        "",
        "# Vivado finds the interfaces by the wrapper's attributes; what it should not find is added here.",
        "proc need_interface {core name vlnv mode ports} {",
        "    if {[llength [ipx::get_bus_interfaces $name -of_objects $core]] == 0} {",
        "        ipx::infer_bus_interface $ports $vlnv $core",
        "    }",
        "    set bus [ipx::get_bus_interfaces $name -of_objects $core]",
        '    if {[llength $bus] == 0} { error "the package has no interface $name" }',
        "    set_property interface_mode $mode $bus",
        "    # a frequency of the package's own would contradict that of the block design's clock",
        "    foreach parameter [ipx::get_bus_parameters FREQ_HZ -of_objects $bus] {",
        "        ipx::remove_bus_parameter FREQ_HZ $bus",
        "    }",
        "    return $bus",
        "}",
        "proc set_parameter {bus name value} {",
        "    set parameter [ipx::get_bus_parameters $name -of_objects $bus]",
        "    if {[llength $parameter] == 0} { set parameter [ipx::add_bus_parameter $name $bus] }",
        "    set_property value $value $parameter",
        "}",
    ]
    for bus in interfaces(manifest):
        ports = _quoted(" ".join(port.name for port in bus.ports))
        mode = "master" if bus.master else "slave"
        lines.append(f"set bus [need_interface $core {bus.name} {bus.abstraction} {mode} {ports}]")
        if bus.group == "signal":
            lines += [f"set_parameter $bus {name} {_quoted(value)}" for name, value in bus.parameters]
    for bus in interfaces(manifest):
        if bus.group == "interface":
            lines.append(f"ipx::associate_bus_interfaces -busif {bus.name} -clock {CLOCK} $core")
    lines += [
        f"ipx::associate_bus_interfaces -clock {CLOCK} -reset {RESET} $core",
        "",
        "# The registers, in place of the empty map that Vivado gives an AXI4-Lite interface.",
        f"foreach map [ipx::get_memory_maps {CONTROL_INTERFACE} -of_objects $core] {{",
        f"    ipx::remove_memory_map {CONTROL_INTERFACE} $core",
        "}",
        f"set map [ipx::add_memory_map {CONTROL_INTERFACE} $core]",
        f"set_property slave_memory_map_ref {CONTROL_INTERFACE} "
        f"[ipx::get_bus_interfaces {CONTROL_INTERFACE} -of_objects $core]",
        f"set block [ipx::add_address_block {ADDRESS_BLOCK} $map]",
        *_properties({"base_address": 0, "range": ACCELERATOR_SIZE, "width": 32, "usage": "register"}, "$block"),
    ]
    for register in design.registers:
        lines += _register(register)
    lines += [
        "",
        "ipx::create_xgui_files $core",
        "ipx::update_checksums $core",
        "ipx::check_integrity $core",
        "ipx::save_core $core",
        "close_project",
    ]
    return "\n".join(lines) + "\n"


def _properties(values: Mapping[str, object], target: str) -> list[str]:
    return [f"set_property {name} {_quoted(value)} {target}" for name, value in values.items()]


def _register(register: Register) -> list[str]:
    lines = [f"set register [ipx::add_register {_word(register.name)} $block]"]
    lines += _properties(
        {
            "address_offset": f"0x{register.offset:02X}",
            "size": DATA_BITS,
            "access": register.bus_access,
            "description": register.description,
        },
        "$register",
    )
    for field in register.fields:
        lines.append(f"set field [ipx::add_field {field.name} $register]")
        lines += _properties(
            {
                "bit_offset": field.bit,
                "bit_width": field.width,
                "access": register.bus_access,
                "description": field.description,
            },
            "$field",
        )
    return lines


def block_design(design: BlockDesign, preset: Mapping[str, str]) -> str:
    """block_design.tcl: every cell, connection and address of `design`; `preset` goes to the processing system."""
    lines = [
        "# The block design: processing system, DMA, accelerator, and what connects them.",
        f"create_bd_design {BLOCK_DESIGN}",
        "",
        "proc configure {name settings} {",
        "    set words {}",
        "    foreach {key value} $settings { lappend words CONFIG.$key $value }",
        "    set_property -dict $words [get_bd_cells $name]",
        "}",
        "proc bus {from to} { connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to] }",
        "proc wire {from to} { connect_bd_net [get_bd_pins $from] [get_bd_pins $to] }",
        "proc place {space segment offset range} {",
        "    assign_bd_address -offset $offset -range $range -target_address_space [get_bd_addr_spaces $space] "
        "[get_bd_addr_segs $segment] -force",
        "}",
    ]
    for cell in design.cells:
        lines += ["", f"create_bd_cell -type ip -vlnv {_word(cell.vlnv)} {_word(cell.name)}"]
        if cell.name == PS:
            lines += [
                "# memory and fixed pins to the outside; the board's settings follow, so no board files are needed",
                "apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 "
                '-config {make_external "FIXED_IO, DDR" apply_board_preset "0" Master "Disable" Slave "Disable"} '
                f"[get_bd_cells {cell.name}]",
                *_settings(cell.name, preset),
            ]
        if cell.parameters:
            lines += _settings(cell.name, cell.parameters)
    lines += ["", "# buses and streams"]
    lines += [f"bus {connection.source} {connection.sink}" for connection in design.connections]
    lines += ["", "# one clock"]
    lines += [f"wire {design.clock_source} {cell.name}/{pin}" for cell in design.cells for pin in cell.clocks]
    lines += ["", "# one reset, synchronous to it"]
    lines.append(f"wire {design.reset_input[0]} {design.reset_input[1]}")
    lines += [f"wire {design.reset_source} {cell.name}/{pin}" for cell in design.cells for pin in cell.resets]
    lines += ["", "# addresses"]
    lines += [_place(region) for region in design.regions]
    lines += ["", "validate_bd_design", "save_bd_design"]
    return "\n".join(lines) + "\n"


def _settings(cell: str, values: Mapping[str, str]) -> list[str]:
    width = max(map(len, values))
    return [f"configure {cell} {{", *(f"    {name:<{width}} {_quoted(v)}" for name, v in values.items()), "}"]


def _place(region: Region) -> str:
    segment = f"{region.cell}/{region.interface}/{region.block}"
    return f"place {_SPACES[region.master]} {segment} 0x{region.base:08X} 0x{region.size:X}"


def build(design: BlockDesign, part: str) -> str:
    """build.tcl: all of it, to NAME.bit and NAME.hwh, or an error: also where timing is not met."""
    top = f"{BLOCK_DESIGN}_wrapper"
    return f"""\
# From sources to {_word(design.name)}.bit and {_word(design.name)}.hwh:  vivado -mode batch -source build.tcl
# Everything that Vivado makes lies in build/, which may be deleted at any time.
set root [file dirname [file normalize [info script]]]
set name {_word(design.name)}

file delete -force $root/build $root/$name.bit $root/$name.hwh
source $root/scripts/package_ip.tcl

set root [file dirname [file normalize [info script]]]
create_project overlay $root/build/overlay -part {_word(part)} -force
set_property ip_repo_paths $root/build/ip [current_project]
update_ip_catalog
source $root/scripts/block_design.tcl

set drawing [get_files {BLOCK_DESIGN}.bd]
generate_target all $drawing
add_files -norecurse [make_wrapper -files $drawing -top]
set_property top {top} [current_fileset]
update_compile_order -fileset sources_1

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
set run [get_runs impl_1]
if {{[get_property PROGRESS $run] ne "100%"}} {{
    error "implementation ended at [get_property PROGRESS $run]: [get_property STATUS $run]; see build/overlay"
}}

open_run impl_1
report_timing_summary -file $root/build/timing.rpt
report_utilization -hierarchical -file $root/build/utilization.rpt
set wns [get_property STATS.WNS $run]
set whs [get_property STATS.WHS $run]
puts "bitwright: worst setup slack $wns ns, worst hold slack $whs ns at {design.clock_mhz:g} MHz"
if {{![string is double -strict $wns] || $wns < 0}} {{
    error "timing is not met: worst setup slack $wns ns at {design.clock_mhz:g} MHz; build with a lower --clock-mhz"
}}
if {{![string is double -strict $whs] || $whs < 0}} {{
    error "timing is not met: worst hold slack $whs ns; see build/timing.rpt"
}}

# one stem: pynq looks for the .hwh beside the .bit
set places $root/build/overlay/overlay.{{gen,srcs}}/sources_1/bd/{BLOCK_DESIGN}
set handoffs [glob -nocomplain $places/hw_handoff/{BLOCK_DESIGN}.hwh]
if {{[llength $handoffs] == 0}} {{ error "Vivado left no {BLOCK_DESIGN}.hwh under build/overlay" }}
file copy -force [lindex $handoffs 0] $root/$name.hwh
file copy -force $root/build/overlay/overlay.runs/impl_1/{top}.bit $root/$name.bit
puts "bitwright: wrote $name.bit and $name.hwh"
"""
