// Gowin's PLL for simulators: the clock that comes in is taken for the one that goes out, and lock takes a while.
module rPLL #(
    parameter FCLKIN = "100.0", IDIV_SEL = 0, FBDIV_SEL = 0, ODIV_SEL = 8, CLKFB_SEL = "internal"
) (
    input CLKIN, CLKFB, RESET, RESET_P, input [5:0] FBDSEL, IDSEL, ODSEL, input [3:0] PSDA, DUTYDA, FDLY,
    output CLKOUT, output LOCK
);
    reg [5:0] cycles = 0;
    assign CLKOUT = CLKIN;
    assign LOCK = &cycles;
    always @(posedge CLKIN) if (!LOCK) cycles <= cycles + 1;
endmodule
