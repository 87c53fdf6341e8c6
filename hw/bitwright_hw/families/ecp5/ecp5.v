// Model of the ECP5 cell that bitwright instantiates, for simulation. A synthesis tool has its own.

module CCU2C #(
    parameter [15:0] INIT0 = 16'd0,
    parameter [15:0] INIT1 = 16'd0,
    parameter INJECT1_0 = "YES",
    parameter INJECT1_1 = "YES"
) (
    input  wire CIN,
    input  wire A0,
    input  wire B0,
    input  wire C0,
    input  wire D0,
    input  wire A1,
    input  wire B1,
    input  wire C1,
    input  wire D1,
    output wire S0,
    output wire S1,
    output wire COUT
);
    wire p0 = INIT0[{D0, C0, B0, A0}];
    wire p1 = INIT1[{D1, C1, B1, A1}];
    wire g0 = INJECT1_0 != "YES" && INIT0[{2'b00, B0, A0}];
    wire g1 = INJECT1_1 != "YES" && INIT1[{2'b00, B1, A1}];
    wire c0 = p0 ? CIN : g0;
    assign S0   = p0 ^ (INJECT1_0 != "YES" && CIN);
    assign S1   = p1 ^ (INJECT1_1 != "YES" && c0);
    assign COUT = p1 ? c0 : g1;
endmodule
