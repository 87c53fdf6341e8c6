"""A dense binary network as da4ml makes it: combinational Verilog from weights and thresholds.

Runs in whatever Python has da4ml (`python bench/da4ml_network.py FILE.npz FOLDER`), so imports nothing of bitwright.
FILE holds weights_0, weights_1 and so on, 0 or 1 of shape (outputs, inputs), and thresholds_0 and so on for every
layer but the last. Bits come in as 0 and 1 and the last layer's popcounts come out: no encoder, no scores, no class.
Prints one line of JSON: da4ml's version, the top module, the files, the values that a random frame must give.
"""

import json
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from da4ml.codegen import RTLModel
from da4ml.trace import FixedVariableArrayInput, comb_trace

TOP = "da4ml_network"


def main(file: Path, folder: Path) -> None:
    arrays = np.load(file)
    weights = [arrays[f"weights_{k}"].astype(int) for k in range(sum(name.startswith("weights_") for name in arrays))]
    started = time.monotonic()
    inputs = FixedVariableArrayInput((weights[0].shape[1],))
    # bit x agrees with weight w in w x + (1 - w) (1 - x), so a popcount is (2 w - 1) x + the number of zero weights
    bits = inputs.quantize(0, 1, 0)
    for k, matrix in enumerate(weights):
        popcounts = bits @ (2.0 * matrix.T - 1) + (1.0 - matrix).sum(axis=1)
        if k < len(weights) - 1:
            bits = popcounts >= arrays[f"thresholds_{k}"].astype(float)
    logic = comb_trace(inputs, popcounts)
    frame = np.random.default_rng(0).integers(0, 2, weights[0].shape[1])
    RTLModel(logic, TOP, folder).write()
    text = (folder / "src" / f"{TOP}.v").read_text()
    # the parts that are used: another one reads a file that is not there
    parts = [path for path in sorted((folder / "src" / "static").glob("*.v")) if path.stem in text]
    result = {
        "version": metadata.version("da4ml"),
        "top": TOP,
        "files": [str(folder / "src" / f"{TOP}.v"), *map(str, parts)],
        "frame": frame.tolist(),
        "popcounts": [round(value) for value in np.ravel(logic(frame.astype(float))).tolist()],
        "seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
