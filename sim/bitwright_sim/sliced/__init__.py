"""The sliced engine: a design simulated for hundreds of frames at a time, one frame a bit of a vector.

Control does not depend on data in these designs, so that one run can carry many frames: `netlist` reads the Verilog
through Yosys, `taint` parts data from control, `control` makes scalar code of the one, `data_gates`, `order` and
`emission` vector code of the other (a `part` at a time; `units` once for modules that are instantiated often),
`compiler` makes a `program` of both, `glue` puts its cycle together, `build` compiles it, `model` runs it, `engine`
runs a set of frames and `proof` compares with Verilator. See docs/simulation.md.
"""
