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

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
set run [get_runs impl_1]
if {[get_property PROGRESS $run] ne "100%"} {
    error "implementation ended at [get_property PROGRESS $run]: [get_property STATUS $run]; see build/overlay"
}

open_run impl_1
report_timing_summary -file $root/build/timing.rpt
report_utilization -hierarchical -file $root/build/utilization.rpt
set wns [get_property STATS.WNS $run]
set whs [get_property STATS.WHS $run]
puts "bitwright: worst setup slack $wns ns, worst hold slack $whs ns at {{ mhz }} MHz"
if {![string is double -strict $wns] || $wns < 0} {
    error "timing is not met: worst setup slack $wns ns at {{ mhz }} MHz; build with a lower --clock-mhz"
}
if {![string is double -strict $whs] || $whs < 0} {
    error "timing is not met: worst hold slack $whs ns; see build/timing.rpt"
}

# one stem: pynq looks for the .hwh beside the .bit
set places $root/build/overlay/overlay.{gen,srcs}/sources_1/bd/{{ drawing }}
set handoffs [glob -nocomplain $places/hw_handoff/{{ drawing }}.hwh]
if {[llength $handoffs] == 0} { error "Vivado left no {{ drawing }}.hwh under build/overlay" }
file copy -force [lindex $handoffs 0] $root/$name.hwh
file copy -force $root/build/overlay/overlay.runs/impl_1/{{ drawing }}_wrapper.bit $root/$name.bit
puts "bitwright: wrote $name.bit and $name.hwh"
