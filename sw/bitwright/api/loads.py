"""Weights for designs that take others while they run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bitwright.api.common import PathLike, needs_extra, open_design
from bitwright.api.frames import load_frames
from bitwright_core.design import Design
from bitwright_core.loading import Load
from bitwright_core.network import Network
from bitwright_core.progress import Progress

if TYPE_CHECKING:
    from bitwright_sim import VerifyReport


def weights(design: Design | PathLike, network: Network) -> Load:
    """What makes a design with loadable layers compute `network`: `save` it, and give the file to a driver's `load`.

    Raises DesignError for a design whose weights are fixed, or a network that differs from the design's in more than
    weights, thresholds and scores of loadable layers.

        bw.weights("design", bw.load("run2/network.safetensors")).save("run2.load")
    """
    from bitwright_hw.load_image import load_of

    opened = open_design(design)
    opened.check_derived()
    return load_of(network, opened.network, opened.plan, opened.folder)


def verify_loads(
    design: Design | PathLike,
    networks: Sequence[Network],
    data: str | NDArray[np.integer],
    labels: NDArray[np.integer] | None = None,
    *,
    frames: int | None = None,
    data_dir: PathLike | None = None,
    jobs: int | None = None,
    stalls: int | None = None,
    trust_verilog: bool = False,
    progress: Progress | None = None,
) -> "tuple[VerifyReport, ...]":
    """Loads `networks` one after the other into a running, simulated accelerator, and compares every integer of all
    frames with each network's golden model.

    `data`, `labels` and options are those of `verify`. Raises DesignError as `weights` does, and for an accelerator
    that does not take a load.

        first, second = bw.verify_loads("design", [network, another], "digits")
    """
    opened = open_design(design, trust_verilog=trust_verilog)
    loads = [(network, weights(opened, network)) for network in networks]
    with needs_extra("sim", "verification"):
        from bitwright_sim import verify_loads as run_loads

        if isinstance(data, str):
            loaded = load_frames(opened.network, data, frames=frames, data_dir=data_dir)
            values, labels = loaded.frames, loaded.labels
        else:
            values = np.asarray(data)[:frames]
            labels = None if labels is None else np.asarray(labels)[:frames]
        return run_loads(opened, loads, values, labels, jobs=jobs, stalls=stalls, progress=progress)
