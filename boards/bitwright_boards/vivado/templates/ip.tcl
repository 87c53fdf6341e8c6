# The accelerator as an IP in {{ folder }}/:  vivado -mode batch -source build.tcl
# Then, in a project: set_property ip_repo_paths THIS_FOLDER/{{ folder }} [current_project]; update_ip_catalog
set root [file dirname [file normalize [info script]]]

file delete -force $root/build $root/{{ folder }}
source $root/scripts/package_ip.tcl
puts "bitwright: wrote {{ folder }}"
