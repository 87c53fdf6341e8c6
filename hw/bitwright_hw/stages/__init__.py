"""Stages: what an accelerator is put together from, one module each.

A stage is an object that knows its component and how to connect it, when it gives its words, how much room it has, and
what it takes on an FPGA. `bitwright_hw.lower` makes a graph of them from a network and a plan.
"""
