"""Old name of `bitwright_sim.simulation`; use `from bitwright_sim import simulate`."""

from bitwright_sim.simulation import SimulateReport, simulate

__all__ = ["SimulateReport", "simulate"]
