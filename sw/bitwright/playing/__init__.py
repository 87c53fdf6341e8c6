"""`bitwright play`: a page on which one draws a digit, and the simulated accelerator classifies it."""
