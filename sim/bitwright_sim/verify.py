"""Old name of `bitwright_sim.verification`; use `from bitwright_sim import verify`."""

from bitwright_sim.verification import VerifyReport, verify

__all__ = ["VerifyReport", "verify"]
