"""How training writes tensors: one safetensors file, atomically, with a header of its own."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save as to_bytes
from torch import Tensor

from bitwright_core.atomic import write_bytes


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, key: str, header: str) -> None:
    """Writes `tensors` and `header`, which the file's metadata have under `key`. Raises OSError."""
    # copies: safetensors refuses tensors that share memory, or lie in a GPU's order
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_bytes(path, to_bytes(copies, metadata={key: header}))
