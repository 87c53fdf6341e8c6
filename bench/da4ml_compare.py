"""Runs da4ml on a dense binary network, in whichever Python has it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitwright_core import golden
from bitwright_core.network import Network, Thresholds

VARIABLE = "BITWRIGHT_DA4ML_PYTHON"
HOW = (
    f'not compared: no da4ml here; python3 -m venv V && V/bin/pip install "da4ml>=0.6,<0.7", '
    f"then {VARIABLE}=V/bin/python make bench"
)


@dataclass(frozen=True, kw_only=True)
class Da4ml:
    """What da4ml gave: combinational Verilog from bits to the last layer's popcounts."""

    version: str
    top: str
    files: list[Path]
    seconds: float


def python() -> str | None:
    """A Python that can import da4ml: this one, or the one that BITWRIGHT_DA4ML_PYTHON names."""
    for candidate in (os.environ.get(VARIABLE), sys.executable):
        if (
            candidate
            and not subprocess.run([candidate, "-c", "import da4ml"], capture_output=True, check=False).returncode
        ):
            return candidate
    return None


def run(network: Network, folder: Path, interpreter: str) -> Da4ml:
    """Raises RuntimeError if da4ml fails, or computes something else than the network."""
    arrays = {f"weights_{k}": layer.weights for k, layer in enumerate(network.layers)}
    for k, layer in enumerate(network.layers):
        if isinstance(layer.output, Thresholds):
            arrays[f"thresholds_{k}"] = layer.output.values[:, 0]
    folder.mkdir()
    np.savez(folder / "network.npz", **arrays)
    script = Path(__file__).with_name("da4ml_network.py")
    command = [interpreter, str(script), str(folder / "network.npz"), str(folder / "da4ml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"da4ml: {done.stderr[-500:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    bits = np.array([result["frame"]], np.uint8)
    for layer in network.layers[:-1]:
        bits = (golden.accumulators(layer, bits) >= layer.output.values[:, 0]).astype(np.uint8)
    if golden.accumulators(network.layers[-1], bits)[0].tolist() != result["popcounts"]:
        raise RuntimeError("da4ml: its logic does not compute the network's popcounts")
    return Da4ml(
        version=result["version"],
        top=result["top"],
        files=[Path(file) for file in result["files"]],
        seconds=result["seconds"],
    )
