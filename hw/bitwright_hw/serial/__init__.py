"""The accelerator behind a serial line: UART, packets, and the tops of boards without a processor."""
