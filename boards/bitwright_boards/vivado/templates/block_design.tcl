# The block design: processing system, DMA, accelerator, and what connects them.
create_bd_design {{ name }}

proc configure {name settings} {
    set words {}
    foreach {key value} $settings { lappend words CONFIG.$key $value }
    set_property -dict $words [get_bd_cells $name]
}
proc bus {from to} { connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to] }
proc wire {from to} { connect_bd_net [get_bd_pins $from] [get_bd_pins $to] }
proc place {space segment offset range} {
    assign_bd_address -offset $offset -range $range -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment] -force
}
{% for cell in design.cells %}

create_bd_cell -type ip -vlnv {{ cell.asked }} {{ cell.name }}
{% if cell.name == design.system.name %}
{% if design.system.pins_outside %}
# memory and fixed pins to the outside; the board's settings follow, so no board files are needed
apply_bd_automation -rule xilinx.com:bd_rule:{{ cell.module }} -config {make_external "FIXED_IO, DDR" apply_board_preset "0" Master "Disable" Slave "Disable"} [get_bd_cells {{ cell.name }}]
{% else %}
# memory and fixed pins have no ports here; a board that has booted keeps its own settings of them
{% endif %}
configure {{ cell.name }} {
{{ preset | settings }}
}
{% endif %}
{% if cell.parameters %}
configure {{ cell.name }} {
{{ cell.parameters | settings }}
}
{% endif %}
{% endfor %}

# buses and streams
{% for connection in design.connections %}
bus {{ connection.source }} {{ connection.sink }}
{% endfor %}

# one clock
{% for cell in design.cells %}
{% for pin in cell.clocks %}
wire {{ design.clock_source }} {{ cell.name }}/{{ pin }}
{% endfor %}
{% endfor %}

# one reset, synchronous to it
wire {{ design.reset_input[0] }} {{ design.reset_input[1] }}
{% for cell in design.cells %}
{% for pin in cell.resets %}
wire {{ design.reset_source }} {{ cell.name }}/{{ pin }}
{% endfor %}
{% endfor %}

# addresses
{% for region in design.regions %}
place {{ design.spaces[region.master] }} {{ region.segment }} {{ "0x%08X" | format(region.base) }} {{ "0x%X" | format(region.size) }}
{% endfor %}

validate_bd_design
save_bd_design
