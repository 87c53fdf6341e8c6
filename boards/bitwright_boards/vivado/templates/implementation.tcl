launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
set run [get_runs impl_1]
if {[get_property PROGRESS $run] ne "100%"} {
    error "implementation ended at [get_property PROGRESS $run]: [get_property STATUS $run]; see build/{{ project }}"
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
