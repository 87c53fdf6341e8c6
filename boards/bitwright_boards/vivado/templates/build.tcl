# From sources to {{ name }}.bit and {{ name }}.hwh:  vivado -mode batch -source build.tcl
# Everything that Vivado makes lies in build/, which may be deleted at any time.
set root [file dirname [file normalize [info script]]]
set name {{ name }}

file delete -force $root/build $root/$name.bit $root/$name.hwh
source $root/scripts/package_ip.tcl

set root [file dirname [file normalize [info script]]]
create_project overlay $root/build/overlay -part {{ part }} -force
set_property ip_repo_paths $root/build/ip [current_project]
update_ip_catalog
source $root/scripts/block_design.tcl

set drawing [get_files {{ drawing }}.bd]
generate_target all $drawing
add_files -norecurse [make_wrapper -files $drawing -top]
set_property top {{ drawing }}_wrapper [current_fileset]
update_compile_order -fileset sources_1

{% include "implementation.tcl" %}

# one stem: pynq looks for the .hwh beside the .bit
set places $root/build/overlay/overlay.{gen,srcs}/sources_1/bd/{{ drawing }}
set handoffs [glob -nocomplain $places/hw_handoff/{{ drawing }}.hwh]
if {[llength $handoffs] == 0} { error "Vivado left no {{ drawing }}.hwh under build/overlay" }
file copy -force [lindex $handoffs 0] $root/$name.hwh
file copy -force $root/build/overlay/overlay.runs/impl_1/{{ drawing }}_wrapper.bit $root/$name.bit
puts "bitwright: wrote $name.bit and $name.hwh"
