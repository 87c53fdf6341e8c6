"""Layers of lookup tables in torch: tables learned by finite differences, wiring learned by scores.

A. T. L. Bacellar, Z. Susskind, M. Breternitz Jr., E. John, L. K. John, P. M. V. Lima, F. M. G. França, "Differentiable
Weightless Neural Networks", ICML 2024, arXiv:2410.11112 (DWN): extended finite differences and learnable mapping.

Values are 0 and 1 and lie the other way round than elsewhere, (lanes, frames), so that what a neuron reads is a row.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bitwright_train.lut_trees import Began

_BEGUN = 0.5  # latent entries of a table that is not drawn
_NEAR = 0.75  # how much a difference counts of tables' entries at the address itself, for each further input
_FALL = 1 / 3  # and how much less for each input in which an entry's address differs


def differences(fan_in: int) -> Tensor:
    """The matrix (2^fan_in, fan_in * 2^fan_in) that makes of a table its slope in each input, at each address.

    The slope in input k at address a is the sum, over all addresses b, of 0.5 * 0.75^(fan_in - 1) * (1/3)^d times the
    entry at b, positive where bit k of b is 1, else negative; d counts the other bits in which a and b differ. These
    are DWN's weights.
    """
    size = 1 << fan_in
    address = torch.arange(size)
    bits = address[:, None] >> torch.arange(fan_in) & 1  # (size, fan_in)
    differ = bits[:, None] != bits[None]  # (a, b, fan_in)
    distance = differ.sum(2)[..., None] - differ.long()  # (a, b, k): of the other bits
    weight = 0.5 * _NEAR ** (fan_in - 1) * _FALL ** distance.to(torch.float32)
    signed = weight * (2 * bits - 1)[None].to(torch.float32)
    return signed.permute(1, 2, 0).reshape(size, fan_in * size)


def addresses(x: Tensor, wires: Tensor) -> Tensor:
    """Where each neuron of `wires` (neurons, fan_in) looks its table up, (neurons, frames); `x` (lanes, frames)."""
    neurons, fan_in = wires.shape
    rows = x.index_select(0, wires.reshape(-1)).reshape(neurons, fan_in, -1)
    powers = 2.0 ** torch.arange(fan_in, device=x.device)
    return (rows * powers[:, None]).sum(1).long()


class _Lookup(torch.autograd.Function):
    """Bits (neurons, frames) of the tables at what the wires say; the gradient of wiring, tables and input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scores: Tensor | None, tables: Tensor, wires: Tensor, slopes: Tensor) -> Tensor:
        address = addresses(x, wires)
        ctx.save_for_backward(x, tables, wires, slopes, address)
        ctx.learned = scores is not None
        return (tables.gather(1, address) >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor, None, None]:
        x, tables, wires, slopes, address = ctx.saved_tensors
        (gradient,) = gradients
        neurons, fan_in = wires.shape
        of_tables = torch.zeros_like(tables).scatter_add_(1, address, gradient)
        if not ctx.learned and not ctx.needs_input_grad[0]:
            return None, None, of_tables, None, None
        slope = (tables @ slopes).reshape(neurons, fan_in, -1)
        of_wires = slope.gather(2, address[:, None].expand(-1, fan_in, -1)) * gradient[:, None]
        of_wires = of_wires.reshape(neurons * fan_in, -1)
        of_scores = of_input = None
        if ctx.learned:
            signs = 2 * x.t() - 1
            if x.is_cuda:  # signs are exact in bfloat16
                of_scores = (of_wires.to(torch.bfloat16) @ signs.to(torch.bfloat16)).to(torch.float32)
            else:
                of_scores = of_wires @ signs
        if ctx.needs_input_grad[0]:
            of_input = torch.zeros_like(x).index_add_(0, wires.reshape(-1), of_wires)
        return of_input, of_scores, of_tables, None, None


class LutLayer(nn.Module):
    """x (inputs, frames) of 0 and 1 to the bits (neurons, frames) that each neuron's table has for its inputs.

    An entry of a table is 1 where its latent value is 0 or more. While wiring is learned (`learn_wiring`), each wire
    has a score for each of some lanes and reads the one whose score is largest; `settle` keeps those and drops the
    scores.
    """

    wires: Tensor
    slopes: Tensor
    lanes: Tensor

    def __init__(self, inputs: int, neurons: int, fan_in: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.neurons = neurons
        self.fan_in = fan_in
        self.tables = nn.Parameter(torch.zeros(neurons, 1 << fan_in))
        self.scores: nn.Parameter | None = None
        self.register_buffer("wires", torch.zeros(neurons, fan_in, dtype=torch.int64))
        self.register_buffer("slopes", differences(fan_in), persistent=False)
        self.register_buffer("lanes", torch.zeros(0, dtype=torch.int64), persistent=False)

    def initialise(self, lanes: Tensor, generator: torch.Generator) -> None:
        """Tables by chance, wires from `lanes` by chance: each lane about as often as any other."""
        with torch.no_grad():
            self.tables.copy_(torch.rand(self.tables.shape, generator=generator) * 2 - 1)
            rounds = -(-self.wires.numel() // len(lanes))
            drawn = torch.cat([lanes[torch.randperm(len(lanes), generator=generator)] for _ in range(rounds)])
            self.wires.copy_(drawn[: self.wires.numel()].reshape(self.wires.shape))

    def begin(self, neurons: Sequence[Began | None]) -> None:
        """Begins with the tables and the wires of `neurons`; those that are None give 0 and keep their wires.

        Wires that are learned begin with what they are to read as their first choice.
        """
        size = 1 << self.fan_in
        with torch.no_grad():
            self.tables.copy_(-self.tables.abs().clamp_min(1e-3))
            for place, neuron in enumerate(neurons):
                if neuron is None:
                    continue
                wires = torch.tensor([*neuron.lanes, *[neuron.lanes[0]] * (self.fan_in - len(neuron.lanes))])
                read = torch.arange(size) & ((1 << len(neuron.lanes)) - 1)
                self.tables[place] = (2 * torch.tensor(neuron.table)[read] - 1) * _BEGUN
                self.wires[place] = wires
                if self.scores is not None:
                    rows = torch.arange(place * self.fan_in, (place + 1) * self.fan_in)
                    at = torch.searchsorted(self.lanes, wires).clamp_max(len(self.lanes) - 1)
                    known = self.lanes[at] == wires  # rare lanes have no score
                    rows, at = rows[known], at[known]
                    self.scores[rows, at] = self.scores[rows].max(1).values + 1e-3

    def learn_wiring(self, lanes: Tensor, worth: Tensor | None, generator: torch.Generator) -> None:
        """Gives each wire a random score for each of `lanes`; a lane is the first choice as often as it has `worth`.

        That is u^(1/worth) for u in 0..1 (P. S. Efraimidis, P. G. Spirakis, "Weighted random sampling with a
        reservoir", 2006); without `worth` all lanes are alike.
        """
        scores = torch.rand(self.wires.numel(), len(lanes), generator=generator)
        if worth is not None:
            scores = scores ** (1 / worth.clamp_min(1e-3))
        self.lanes = lanes.clone()
        self.scores = nn.Parameter(scores)

    @property
    def chosen(self) -> Tensor:
        """The lane that each wire reads, (neurons, fan_in)."""
        if self.scores is None:
            return self.wires
        return self.lanes[self.scores.detach().argmax(1)].reshape(self.wires.shape)

    def settle(self) -> None:
        """Fixes the wiring as it is."""
        self.wires.copy_(self.chosen)
        self.scores = None

    def forward(self, x: Tensor) -> Tensor:
        if self.scores is None:
            return _Lookup.apply(x, None, self.tables, self.wires, self.slopes)  # type: ignore[no-untyped-call]
        choice = self.scores.detach().argmax(1).reshape(self.wires.shape)
        few = x if len(self.lanes) == len(x) else x.index_select(0, self.lanes)
        return _Lookup.apply(few, self.scores, self.tables, choice, self.slopes)  # type: ignore[no-untyped-call]

    @property
    def spectrum(self) -> Tensor:
        """The norm of each table's spectrum (its Walsh-Hadamard coefficients), (neurons,).

        That transform keeps norms but for a factor, which is left out.
        """
        return torch.linalg.vector_norm(self.tables, dim=1)
