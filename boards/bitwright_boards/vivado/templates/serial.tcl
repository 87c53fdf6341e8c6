# From sources to {{ name }}.bit:  vivado -mode batch -source build.tcl
# Everything that Vivado makes lies in build/, which may be deleted at any time.
set root [file dirname [file normalize [info script]]]
set name {{ name }}

file delete -force $root/build $root/$name.bit
create_project serial $root/build/serial -part {{ part }} -force
{% for file in sources %}
add_files -norecurse [file normalize $root/{{ file }}]
{% endfor %}
add_files -fileset constrs_1 -norecurse [file normalize $root/{{ constraints }}]
set_property top {{ top }} [current_fileset]
update_compile_order -fileset sources_1

{% include "implementation.tcl" %}

file copy -force $root/build/serial/serial.runs/impl_1/{{ top }}.bit $root/$name.bit
puts "bitwright: wrote $name.bit"
