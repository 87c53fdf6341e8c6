// ECP5's PLL for simulators: the clock that comes in is taken for the one that goes out, and lock takes a while.
module EHXPLLL #(
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
    parameter CLKOP_ENABLE = "ENABLED", PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED", OUTDIVIDER_MUXA = "DIVA", FEEDBK_PATH = "CLKOP"
) (
    input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output CLKOP, output LOCK
);
    reg [5:0] cycles = 0;
    assign CLKOP = CLKI;
    assign LOCK = &cycles;
    always @(posedge CLKI) if (!LOCK) cycles <= cycles + 1;
endmodule
