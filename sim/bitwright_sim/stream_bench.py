"""Given frames through a whole accelerator, back to back: the bench of `bitwright_sim.simulate_frames`."""

from typing import Any

import numpy as np

from bitwright_sim.accelerator_harness import Harness, register_test
from bitwright_sim.bench import bench_parameters


@register_test
async def given_frames(dut: Any) -> None:
    """Every result of the given frames is the golden model's."""
    acc = await Harness.start(dut)
    acc.send_frames(np.load(bench_parameters()["frames"]))
    await acc.check()
