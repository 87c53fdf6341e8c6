"""Simulation of emitted designs: Verilator builds, native simulation, cocotb testbenches.

`run_bench` runs any cocotb bench, `simulate` the benches of a whole accelerator, `verify` a whole data set at
native speed. Imported late, so that `import bitwright_sim` costs nothing and loads no cocotb.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitwright_sim.bench import BenchReport as BenchReport
    from bitwright_sim.bench import run_bench as run_bench
    from bitwright_sim.compare import Mismatch as Mismatch
    from bitwright_sim.loads import verify_loads as verify_loads
    from bitwright_sim.report import VerifyReport as VerifyReport
    from bitwright_sim.simulation import SimulateReport as SimulateReport
    from bitwright_sim.simulation import simulate as simulate
    from bitwright_sim.simulation import simulate_frames as simulate_frames
    from bitwright_sim.verification import verify as verify

_WHERE = {
    "BenchReport": "bench",
    "Mismatch": "compare",
    "SimulateReport": "simulation",
    "VerifyReport": "report",
    "run_bench": "bench",
    "simulate": "simulation",
    "simulate_frames": "simulation",
    "verify": "verification",
    "verify_loads": "loads",
}

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
