"""Architecture search with the hardware in the loop: `bitwright search`."""
