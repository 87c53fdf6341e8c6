"""The simulated accelerator in a process of its own, so that a page outlives it: a line of JSON in, one out.

    python -m bitwright.playing.worker DESIGN LIBRARY

A line in is the list of a frame's values. A line out has the class (or null), scores or bits, the layers' activations
as the hardware's probes showed them, and cycles; or, in `error`, what went wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bitwright_core.derived import CLASS, OUTPUT, SCORES
from bitwright_core.design import Design
from bitwright_core.errors import BitwrightError
from bitwright_core.framing import pack_frames
from bitwright_sim.compare import got_values
from bitwright_sim.native.model import NativeModel

READY = "ready"


def answer(design: Design, model: NativeModel, values: list[int]) -> dict[str, Any]:
    """What the hardware makes of a frame."""
    frame = np.asarray(values, np.int64)[None]
    result = model.run(pack_frames(design.network, design.plan, frame), quiet=4)
    got = got_values(design, design.network, result, model.probes)
    shown = [layer for layer in design.network.matrix_layers if not layer.gives_scores and layer.name in got]
    layers = {layer.name: layer.values_of(got[layer.name])[0].reshape(-1).tolist() for layer in shown}
    told = got.get(SCORES, got.get(OUTPUT))
    return {
        "class": int(got[CLASS][0, 0]) if CLASS in got else None,
        "outputs": [] if told is None else told[0].tolist(),
        "layers": layers,
        "cycles": int(result.last_out[0] - result.first_in[0]),
    }


def main() -> int:
    design, library = Design.load(sys.argv[1]), Path(sys.argv[2])
    # what a model prints (a $display, say) must not come between the answers
    out = sys.stdout
    sys.stdout = sys.stderr
    with NativeModel(design, library=library) as model:
        print(READY, file=out, flush=True)
        for line in sys.stdin:
            try:
                told = answer(design, model, json.loads(line))
            except BitwrightError as error:
                told = {"error": str(error)}
            print(json.dumps(told), file=out, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
