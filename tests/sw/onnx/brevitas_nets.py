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
    weight_bits: int = 1  # 2 to 4: -(2^(k - 1) - 1) to 2^(k - 1) - 1, so 2 is ternary
    act_bits: int = 1  # 2 to 4: 0 to 2^k - 1 of steps of 1/2, behind a ReLU; -2: -1, 0 and +1
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
    Case("sfc_1w2a", (1, 14, 14), (), (48, 48), act_bits=2),
    Case("sfc_2w2a", (1, 14, 14), (), (48, 48), weight_bits=2, act_bits=-2),
    Case("dense_4w4a_no_final_norm", (50,), (), (24, 16), weight_bits=4, act_bits=4, final_norm=False),
    Case("cnv_1w2a", (3, 16, 16), (8, 12), (24,), act_bits=2, pool="after", input_bits=8),
    Case("cnv_2w2a_padded", (3, 8, 8), (8,), (24,), weight_bits=2, act_bits=2, padding=1, pool="after", input_bits=8),
    Case(
        *("conv_3w3a_pool_before", (2, 8, 8), (8,), ()),
        weight_bits=3,
        act_bits=3,
        padding=1,
        pool="before",
        final_norm=False,
    ),
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


def few_weights(bits: int) -> Any:
    """Brevitas' whole numbers of a few bits, in steps of a power of two."""
    from brevitas.core.scaling import ScalingImplType
    from brevitas.inject.enum import RestrictValueType
    from brevitas.quant import Int8WeightPerTensorFloat

    class Weight(Int8WeightPerTensorFloat):
        bit_width = bits
        narrow_range = True
        scaling_impl_type = ScalingImplType.CONST
        restrict_scaling_type = RestrictValueType.POWER_OF_TWO
        scaling_const = 2.0**-4

    return Weight


def few_activations(bits: int) -> Any:
    """Brevitas' activations of a few bits, in steps of a half: ternary for -2."""
    from brevitas.core.scaling import ScalingImplType
    from brevitas.quant import Int8ActPerTensorFloat, Uint8ActPerTensorFloat

    class Signed(Int8ActPerTensorFloat):
        bit_width = 2
        narrow_range = True
        scaling_impl_type = ScalingImplType.CONST
        min_val = -1.0
        max_val = 1.0

    class Unsigned(Uint8ActPerTensorFloat):
        bit_width = bits
        scaling_impl_type = ScalingImplType.CONST
        min_val = 0.0
        max_val = ((1 << max(bits, 0)) - 1) / 2

    return Signed if bits < 0 else Unsigned


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
    bits = act
    weight = weight if case.weight_bits == 1 else few_weights(case.weight_bits)
    act = act if case.act_bits == 1 else few_activations(case.act_bits)
    layers: list[nn.Module] = [qnn.QuantIdentity(act_quant=bits if case.input_bits == 1 else eight_bits())]
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
