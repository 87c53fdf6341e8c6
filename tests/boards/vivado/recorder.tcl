# Stands in for Vivado: runs a script in tclsh and writes down every Vivado command that it gives, as a line of JSON each.
#   tclsh recorder.tcl SCRIPT RECORD ANSWERS
# ANSWERS is a Tcl list of names and values: what get_property says (PROGRESS, STATS.WNS, ...), `top`, the bitstream's name, `interfaces` that the
# packager is to find by itself, `maps`, memory maps, and `parameters` of each interface, that it makes by itself. A command or option that is not in the table
# below (AMD UG835, UG1118) ends the script, as in Vivado.

lassign $argv script record answers
array set answer {top overlay_wrapper PROGRESS 100% STATUS {write_bitstream Complete!} STATS.WNS 0.512 STATS.WHS 0.031 interfaces {} maps {} parameters {}}
array set answer $answers
set output [open $record w]
set inferred $answer(interfaces)
set added {}

array set known {
    create_project {-part -force} add_files {-norecurse -fileset} set_property {-dict} update_compile_order {-fileset}
    current_fileset {} current_project {} close_project {} update_ip_catalog {-rebuild}
    create_bd_design {} create_bd_cell {-type -vlnv} apply_bd_automation {-rule -config} get_bd_cells {} get_bd_pins {}
    get_bd_intf_pins {} get_bd_addr_spaces {} get_bd_addr_segs {} connect_bd_net {-net} connect_bd_intf_net {-intf_net}
    assign_bd_address {-offset -range -target_address_space -force} validate_bd_design {} save_bd_design {}
    get_files {} generate_target {} make_wrapper {-files -top} launch_runs {-to_step -jobs} wait_on_run {} get_runs {}
    get_property {} open_run {} report_timing_summary {-file} report_utilization {-file -hierarchical}
    ipx::package_project {-root_dir -vendor -library -taxonomy -import_files -force} ipx::current_core {}
    ipx::get_bus_interfaces {-of_objects} ipx::infer_bus_interface {} ipx::get_bus_parameters {-of_objects}
    ipx::add_bus_parameter {} ipx::remove_bus_parameter {} ipx::associate_bus_interfaces {-busif -clock -reset} ipx::get_memory_maps {-of_objects}
    ipx::remove_memory_map {} ipx::add_memory_map {} ipx::add_address_block {} ipx::add_register {} ipx::add_field {}
    ipx::create_xgui_files {} ipx::update_checksums {} ipx::check_integrity {} ipx::save_core {}
}

proc json {text} {
    return "\"[string map [list \\ \\\\ \" \\\" \n \\n \t \\t] $text]\""
}

proc touch {file text} {
    file mkdir [file dirname $file]
    set channel [open $file w]
    puts -nonewline $channel $text
    close $channel
}

proc reply {name arguments} {
    global answer inferred added project
    switch -glob $name {
        get_bd_* - get_files - get_runs { return [lindex $arguments 0] }
        current_fileset { return sources_1 }
        current_project { return project }
        ipx::current_core { return core }
        create_bd_cell { return [lindex $arguments end] }
        create_project {
            set project [lrange $arguments 0 1]
            file mkdir [lindex $arguments 1]
        }
        get_property { return $answer([lindex $arguments 0]) }
        ipx::infer_bus_interface {
            # named by what the ports have in common
            set ports [lindex $arguments 0]
            lappend inferred [expr {[llength $ports] == 1 ? $ports : [regsub {_[^_]*$} [lindex $ports 0] {}]}]
        }
        ipx::get_bus_interfaces {
            set wanted [lindex $arguments 0]
            return [expr {$wanted in $inferred ? $wanted : {}}]
        }
        ipx::get_bus_parameters {
            set wanted [lindex $arguments end]:[lindex $arguments 0]
            return [expr {$wanted in $added || [lindex $arguments 0] in $answer(parameters) ? $wanted : {}}]
        }
        ipx::get_memory_maps { return $answer(maps) }
        ipx::add_* {
            lappend added [lindex $arguments 1]:[lindex $arguments 0]
            return [lindex $added end]
        }
        generate_target {
            lassign $project stem folder
            touch $folder/$stem.gen/sources_1/bd/overlay/hw_handoff/overlay.hwh "handoff of a recorded run\n"
        }
        make_wrapper { return overlay_wrapper.v }
        launch_runs {
            lassign $project stem folder
            touch $folder/$stem.runs/impl_1/$answer(top).bit "bitstream of a recorded run\n"
        }
    }
}

rename unknown tcl_unknown
proc unknown {name args} {
    global known output
    if {![info exists known($name)]} { error "invalid command name \"$name\"" }
    foreach word $args {
        if {[regexp {^-[a-z]} $word] && $word ni $known($name)} { error "$name: unknown option '$word'" }
    }
    set result [reply $name $args]
    set words {}
    foreach word $args { lappend words [json $word] }
    puts $output "{\"command\": [json $name], \"arguments\": \[[join $words {, }]\], \"result\": [json $result]}"
    flush $output
    return $result
}

cd [file dirname $script]
source $script
close $output
