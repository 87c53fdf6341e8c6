"""Networks in Brevitas: dense and convolutional, several scales, batch norms with negative scales, biases."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """One network: its layers, how weights are scaled, and whether sums have a bias."""

    name: str
    shape: tuple[int, ...]
    convolutions: tuple[int, ...]
    hidden: tuple[int, ...]
    scale: str = "one"  # one, constant (0.1), tensor or channel (of the latent weights)
    bias: bool = False
    padding: int = 0
    pool: str = ""  # before or after the activation
    final_norm: bool = True
    input_bits: int = 1  # 8: pixels in steps of 1/128, as in the CNV of Brevitas' examples


CASES = (
    Case("dense", (1, 28, 28), (), (64, 64)),
    Case("dense_constant_bias", (1, 9, 7), (), (33,), scale="constant", bias=True),
    Case("dense_tensor", (50,), (), (40, 24), scale="tensor"),
    Case("dense_channel_bias", (60,), (), (48,), scale="channel", bias=True),
    Case("dense_no_final_norm", (31,), (), (32, 16), final_norm=False),
    Case("conv", (3, 12, 12), (8, 16), (32,)),
    Case("conv_padded_pool_before", (1, 14, 14), (8, 8), (), padding=1, pool="before"),
    Case("conv_channel_pool_after", (2, 13, 11), (6, 10), (20,), scale="channel", bias=True, pool="after"),
    Case("cnv_of_eight_bit_pixels", (3, 16, 16), (8, 12), (24,), pool="after", input_bits=8),
    Case("dense_of_eight_bit_pixels", (40,), (), (24,), scale="channel", bias=True, input_bits=8),
    Case("conv_tensor_padded", (3, 8, 8), (8,), (24,), scale="tensor", padding=1, bias=True),
)


def quantizers(scale: str) -> tuple[Any, Any]:
    """Brevitas quantizers of weights and activations."""
    from brevitas.core.function_wrapper import TensorClamp
    from brevitas.inject.enum import ScalingImplType, StatsOp
    from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    class Act(SignedBinaryActPerTensorConst):
        scaling_const = 0.1 if scale == "constant" else 1.0
        min_val = -1.0
        max_val = 1.0

    if scale in ("one", "constant"):

        class Constant(SignedBinaryWeightPerTensorConst):
            scaling_const = 1.0 if scale == "one" else 0.1

        return Constant, Act

    class Stats(SignedBinaryWeightPerTensorConst):
        # the default clamps latent weights in place, so that every evaluation would change the scale
        tensor_clamp_impl = TensorClamp
        scaling_impl_type = ScalingImplType.STATS
        scaling_stats_op = StatsOp.AVE
        scaling_per_output_channel = scale == "channel"

    return Stats, Act


def eight_bits() -> Any:
    """The input quantizer of Brevitas' CNV: -1..1 - 2^-7 in 256 steps."""
    from brevitas.core.scaling import ScalingImplType
    from brevitas.inject.enum import RestrictValueType
    from brevitas.quant import Int8ActPerTensorFloat

    class Pixels(Int8ActPerTensorFloat):
        scaling_impl_type = ScalingImplType.CONST
        restrict_scaling_type = RestrictValueType.POWER_OF_TWO
        narrow_range = False
        min_val = -1.0
        max_val = 1.0 - 2.0**-7
        scaling_const = 1.0

    return Pixels


def build(case: Case, seed: int = 0) -> nn.Sequential:
    """The network, its batch norms set to what training leaves: some scales negative, means off zero."""
    import brevitas.nn as qnn

    torch.manual_seed(seed)
    weight, act = quantizers(case.scale)
    layers: list[nn.Module] = [qnn.QuantIdentity(act_quant=act if case.input_bits == 1 else eight_bits())]
    channels = case.shape[0]
    for outputs in case.convolutions:
        layers.append(qnn.QuantConv2d(channels, outputs, 3, padding=case.padding, bias=case.bias, weight_quant=weight))
        layers.append(nn.BatchNorm2d(outputs))
        layers += [nn.MaxPool2d(2)] if case.pool == "before" else []
        layers.append(qnn.QuantIdentity(act_quant=act))
        layers += [nn.MaxPool2d(2)] if case.pool == "after" else []
        channels = outputs
    layers.append(nn.Flatten())
    with torch.no_grad():
        size = nn.Sequential(*layers).eval()(torch.zeros(1, *case.shape))
        size = int(getattr(size, "value", size).shape[1])
    for outputs in case.hidden:
        layers.append(qnn.QuantLinear(size, outputs, bias=case.bias, weight_quant=weight))
        layers += [nn.BatchNorm1d(outputs), qnn.QuantIdentity(act_quant=act)]
        size = outputs
    layers.append(qnn.QuantLinear(size, 10, bias=case.bias, weight_quant=weight))
    layers += [nn.BatchNorm1d(10)] if case.final_norm else []
    net = nn.Sequential(*layers)
    net.train()
    for _ in range(3):  # running statistics of real sums
        net(pixels(case, 64))
    generator = torch.Generator().manual_seed(seed)
    for layer in net:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.weight.data = torch.randn(layer.num_features, generator=generator)
            layer.bias.data = 0.2 * torch.randn(layer.num_features, generator=generator)
    return net.eval()


def raw_frames(case: Case, count: int, seed: int = 1) -> np.ndarray:
    """Random images of bytes, channels first."""
    return np.random.default_rng(seed).integers(0, 256, (count, *case.shape), dtype=np.uint8)


def to_input(raw: np.ndarray) -> torch.Tensor:
    """Bytes as these networks are trained on them: -1..1, by torch's ToTensor and Normalize(0.5, 0.5)."""
    return (torch.from_numpy(raw).to(torch.float32).div(255) - 0.5) / 0.5


def pixels(case: Case, count: int) -> torch.Tensor:
    return to_input(raw_frames(case, count, seed=2))


def evaluate(net: nn.Module, raw: np.ndarray) -> np.ndarray:
    """Brevitas' own logits."""
    parts = []
    with torch.no_grad():
        for part in np.array_split(raw, max(1, len(raw) // 1000)):
            result = net(to_input(part))
            parts.append(getattr(result, "value", result).numpy())
    return np.concatenate(parts)


def export(net: nn.Module, case: Case, path: Path) -> None:
    """Brevitas' export to QONNX."""
    from brevitas.export import export_qonnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_qonnx(net, torch.zeros(1, *case.shape), str(path))
