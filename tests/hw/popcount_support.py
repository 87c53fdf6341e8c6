"""What the popcount tests share: LUT counts by Yosys, and a self-checking Verilog bench."""

import json
import re

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitwright_hw.popcount import ProductRow
from bitwright_hw.products import Product
from bitwright_hw.yosys import Yosys


class Function(wiring.Component):
    """A combinational function of one word `i`: `body(m, i)` gives `o`."""

    def __init__(self, inputs, outputs, body):
        self.body = body
        super().__init__({"i": In(inputs), "o": Out(outputs)})

    def elaborate(self, platform):
        m = Module()
        word = Signal(len(self.i))  # the body may slice it
        m.d.comb += [word.eq(self.i), self.o.eq(self.body(m, word))]
        return m


def count_luts(components, family, folder):
    """LUTs of each component by Yosys: LUT cells and inverters (xc7), or LUT4s, two for a CCU2C (ecp5, ice40), and one
    for an ALU (gowin)."""
    commands, instances = [], []
    for name, component in components.items():
        (folder / f"{name}.il").write_text(rtlil.convert(component, name=name, emit_src=False))
        commands.append(f"read_rtlil {name}.il")
        instances.append(f"(* keep *) {name} {name}_i();")
    (folder / "top.v").write_text("module top; " + " ".join(instances) + " endmodule\n")
    synth = {
        "xc7": "synth_xilinx -family xc7 -noiopad -noclkbuf -top top",
        "ecp5": "synth_ecp5 -noflatten -top top",
        "ice40": "synth_ice40 -noflatten -top top",
        "gowin": "scratchpad -set abc9.D 18500; synth_gowin -family gw2a -noflatten -noiopads -top top",
    }
    Yosys().run([*commands, "read_verilog top.v", synth[family], "tee -o stat.json stat -json"], folder)
    modules = json.loads((folder / "stat.json").read_text())["modules"]
    return {name: _luts(modules["\\" + name]["num_cells_by_type"]) for name in components}


def _luts(cells):
    weights = {"CCU2C": 2, "INV": 1, "ALU": 1}
    lut = re.compile(r"LUT\d(_2)?|SRL\w+|SB_LUT4")
    return sum(number * (1 if lut.fullmatch(kind) else weights.get(kind, 0)) for kind, number in cells.items())


def row_bench(row, name):
    """A Verilog bench of AccumulateRow `row` as module `name`: random words, pauses and passes against a loop.

    Of a ProductRow each product is a term of the loop.

    `bad` counts the cycles in which `o` is not the sum of the pass that ended last, `passes` the passes.
    """
    n, bits, latency, delay = row.simd, row.bits, row.latency, row.preload_delay
    gates = {"xnor": "{} == {}", "and": "{} & {}", "nand": "~({} & {}) & 1'b1"}
    products = row.products.every if isinstance(row, ProductRow) else [Product(x=0, w=0, shift=0, gate="xnor")]
    terms = " + ".join(
        f"(({gates[one.gate].format(f'x[{one.x * n} + i]', f'w[{one.w * n} + i]')}) << {one.shift})" for one in products
    )
    return f"""
module bench_{name} (input clk, input rst, output reg [31:0] bad, output reg [31:0] passes);
  reg [{row.x_bits - 1}:0] x;
  reg [{row.w_bits - 1}:0] w;
  reg valid, last, inside, held;
  reg [{bits - 1}:0] preload, sum, hold;
  reg [{bits + 1}:0] flags [0:{delay}];
  reg [{bits}:0] want [0:{latency}];
  wire [{bits + 1}:0] f = flags[{delay}];
  wire [{bits - 1}:0] o;
  integer i;
  {name} dut (.clk(clk), .rst(rst), .x(x), .w({"~w" if row.inverted_weights else "w"}), .valid(f[{bits}]),
    .last(f[{bits + 1}]), .preload({"~" if row.inverted_preload else ""}f[{bits - 1}:0]), .o(o));
  initial begin
    bad = 0; passes = 0; inside = 0; held = 0;
    for (i = 0; i <= {latency}; i = i + 1) want[i] = 0;
    for (i = 0; i <= {delay}; i = i + 1) flags[i] = 0;
  end
  always @(negedge clk) begin
    for (i = {latency}; i > 0; i = i - 1) want[i] = want[i - 1];
    if (want[{latency}][{bits}]) begin held = 1; hold = want[{latency}][{bits - 1}:0]; passes = passes + 1; end
    if (held && o !== hold) bad = bad + 1;
    for (i = 0; i < {row.x_bits}; i = i + 1) x[i] = $random;
    for (i = 0; i < {row.w_bits}; i = i + 1) w[i] = $random;
    case ($random & 7) 0: w = x; 1: w = ~x; 2: begin w = ~0; x = ~0; end 3: x = 0; default: ; endcase
    preload = $random;
    valid = !rst && ($random & 3) != 0;
    last = valid && ({int(row.single)} || ($random & 3) == 0);
    if (valid) begin
      if (!inside) sum = preload;
      for (i = 0; i < {n}; i = i + 1) sum = sum + ({bits}'d0 + {terms});
      inside = !last;
    end
    want[0] = {{last, sum}};
    for (i = {delay}; i > 0; i = i - 1) flags[i] = flags[i - 1];
    flags[0] = {{last, valid, preload}};
  end
endmodule
"""


def row_benches(rows, folder, cycles):
    """Files of a Verilog program that runs the benches of `rows`, and prints name, bad and passes of each."""
    commands, text, body, report = [], "", "", ""
    for name, row in rows.items():
        (folder / f"{name}.il").write_text(rtlil.convert(row, name=name, emit_src=False))
        commands.append(f"read_rtlil {name}.il")
        text += row_bench(row, name)
        body += (
            f"  wire [31:0] bad_{name}, passes_{name}; bench_{name} b_{name}(clk, rst, bad_{name}, passes_{name});\n"
        )
        report += f'$display("{name} %0d %0d", bad_{name}, passes_{name}); '
    Yosys().run([*commands, "proc", "write_verilog -noattr rows.v"], folder)
    text += f"module top;\n  reg clk = 0, rst = 1; always #5 clk = ~clk;\n{body}"
    text += f"  initial begin #42 rst = 0; #{10 * cycles}; {report}$finish; end\nendmodule\n"
    (folder / "bench.v").write_text(text)
    models = {model for row in rows.values() for model in row.family.simulation_models}
    return [folder / "bench.v", folder / "rows.v", *sorted(models)]
