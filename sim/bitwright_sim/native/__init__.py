"""Native simulation: a design under Verilator behind a C function, for whole test sets."""
