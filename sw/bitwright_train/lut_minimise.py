"""Tables with fewer inputs, where frames never reach the entries that would differ."""

import torch
from torch import Tensor

from bitwright_train.lut_layers import addresses


def seen_addresses(bits: Tensor, wires: Tensor) -> Tensor:
    """Which addresses of each neuron's table come up, (neurons, 2^fan_in) of bool; `bits` (inputs, frames)."""
    neurons, fan_in = wires.shape
    address = addresses(bits, wires)
    seen = torch.zeros(neurons, 1 << fan_in, dtype=torch.bool, device=bits.device)
    return seen.scatter_(1, address, torch.ones_like(address, dtype=torch.bool))


def minimised(tables: Tensor, seen: Tensor) -> Tensor:
    """`tables` (neurons, 2^fan_in) of bool with what is not `seen` chosen so that they depend on few inputs.

    Inputs are given up one after the other, the first one first, where no two seen entries that differ in that input
    alone, and in those given up before, differ. What is seen stays as it is.
    """
    tables, seen = tables.clone(), seen.clone()
    size = tables.shape[1]
    address = torch.arange(size, device=tables.device)
    for k in range(size.bit_length() - 1):
        other, lower = address ^ (1 << k), address & ~(1 << k)
        free = ~(seen & seen[:, other] & (tables != tables[:, other])).any(1)
        joined = torch.where(seen, tables, torch.where(seen[:, other], tables[:, other], tables[:, lower]))
        tables = torch.where(free[:, None], joined, tables)
        seen = torch.where(free[:, None], seen | seen[:, other], seen)
    return tables
