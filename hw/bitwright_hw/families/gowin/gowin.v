// Model of the Gowin cell that bitwright instantiates, for simulation. A synthesis tool has its own.
// Modes ADDSUB (2) and MULT (9) alone are used.

module ALU #(
    parameter ALU_MODE = 0
) (
    input  wire I0,
    input  wire I1,
    input  wire I3,
    input  wire CIN,
    output wire SUM,
    output wire COUT
);
    wire both = I0 & I1;
    wire added = ALU_MODE == 9 ? both ^ I3 : ~(I0 ^ I1 ^ I3);
    wire carry = ALU_MODE == 9 ? both : I0;
    assign SUM  = added ^ CIN;
    assign COUT = added ? CIN : carry;
endmodule
