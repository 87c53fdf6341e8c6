# Packages the accelerator as an IP, so that its registers reach the .hwh and pynq's register_map.
set here [file dirname [file normalize [info script]]]
set root [file dirname $here]
create_project package_ip $root/build/package_ip -part {{ part }} -force
{% for name in sources %}
add_files -norecurse [file normalize $here/{{ name }}]
{% endfor %}
set_property top {{ wrapper }} [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir $root/{{ folder }} -vendor {{ vendor }} -library {{ library }} -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name {{ top }} $core
set_property version {{ version }} $core
set_property display_name {{ ("bitwright " ~ network) | quoted }} $core
set_property description {{ ("Accelerator of the binary neural network " ~ network) | quoted }} $core
set_property supported_families {{ families | quoted }} $core

# Vivado finds the interfaces by the wrapper's attributes; what it should not find is added here.
proc need_interface {core name vlnv mode ports} {
    if {[llength [ipx::get_bus_interfaces $name -of_objects $core]] == 0} {
        ipx::infer_bus_interface $ports $vlnv $core
    }
    set bus [ipx::get_bus_interfaces $name -of_objects $core]
    if {[llength $bus] == 0} { error "the package has no interface $name" }
    set_property interface_mode $mode $bus
    # a frequency of the package's own would contradict that of the block design's clock
    foreach parameter [ipx::get_bus_parameters FREQ_HZ -of_objects $bus] {
        ipx::remove_bus_parameter FREQ_HZ $bus
    }
    return $bus
}
proc set_parameter {bus name value} {
    set parameter [ipx::get_bus_parameters $name -of_objects $bus]
    if {[llength $parameter] == 0} { set parameter [ipx::add_bus_parameter $name $bus] }
    set_property value $value $parameter
}
{% for bus in interfaces %}
set bus [need_interface $core {{ bus.name }} {{ bus.abstraction }} {{ "master" if bus.master else "slave" }} {{ bus.ports | map(attribute="name") | join(" ") | quoted }}]
{% for name, value in (bus.parameters if bus.group == "signal" else ()) %}
set_parameter $bus {{ name }} {{ value | quoted }}
{% endfor %}
{% endfor %}
{% for bus in interfaces if bus.group == "interface" %}
ipx::associate_bus_interfaces -busif {{ bus.name }} -clock {{ clock }} $core
{% endfor %}
ipx::associate_bus_interfaces -clock {{ clock }} -reset {{ reset }} $core

# The registers, in place of the empty map that Vivado gives an AXI4-Lite interface.
foreach map [ipx::get_memory_maps {{ control }} -of_objects $core] {
    ipx::remove_memory_map {{ control }} $core
}
set map [ipx::add_memory_map {{ control }} $core]
set_property slave_memory_map_ref {{ control }} [ipx::get_bus_interfaces {{ control }} -of_objects $core]
set block [ipx::add_address_block {{ address_block }} $map]
set_property base_address {{ 0 | quoted }} $block
set_property range {{ address_range | quoted }} $block
set_property width {{ 32 | quoted }} $block
set_property usage {{ "register" | quoted }} $block
{% for register in registers %}
set register [ipx::add_register {{ register.name }} $block]
set_property address_offset {{ "0x%02X" | format(register.offset) | quoted }} $register
set_property size {{ data_bits | quoted }} $register
set_property access {{ register.bus_access | quoted }} $register
set_property description {{ register.description | quoted }} $register
{% for field in register.fields %}
set field [ipx::add_field {{ field.name }} $register]
set_property bit_offset {{ field.bit | quoted }} $field
set_property bit_width {{ field.width | quoted }} $field
set_property access {{ register.bus_access | quoted }} $field
set_property description {{ field.description | quoted }} $field
{% endfor %}
{% endfor %}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
