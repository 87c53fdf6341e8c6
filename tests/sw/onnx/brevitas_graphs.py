"""Brevitas networks of the shapes of its public models, TFC to CNV, and ResNet-8, MobileNet-V1 and a keyword net."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .brevitas_nets import eight_bits, few_activations, few_weights, quantizers


@dataclass(frozen=True)
class Shape:
    """A network: what it is built by, its frames (channels first), and bits of weights and activations."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weight_bits: int = 1  # 2 is ternary: -1, 0 and +1
    act_bits: int = 2  # 0 to 2^k - 1 in steps of a half; -2: -1, 0 and +1
    widths: tuple[int, ...] = ()
    seed: int = 0  # of the weights: one with which noise is not all of one class


FULL = (
    *(
        Shape(f"{name}_{w}w{abs(a)}a", "fc", (1, 28, 28), w, a, (width,) * 3)
        for name, width in (("tfc", 64), ("sfc", 256), ("lfc", 1024))
        for w, a in ((1, 2), (2, 2))
    ),
    Shape("tfc_ternary", "fc", (1, 28, 28), 2, -2, (64, 64, 64)),
    *(
        Shape(f"cnv_{w}w{abs(a)}a", "cnv", (3, 32, 32), w, a, (64, 64, 128, 128, 256, 256, 512, 512))
        for w, a in ((1, 2), (2, 2))
    ),
    Shape("cnv_ternary", "cnv", (3, 32, 32), 2, -2, (64, 64, 128, 128, 256, 256, 512, 512)),
    Shape("resnet8_1w2a", "resnet", (3, 32, 32), 1, 2, (16, 32, 64), seed=3),
    Shape("resnet8_2w2a", "resnet", (3, 32, 32), 2, 2, (16, 32, 64)),
    Shape("mobilenet_v1_1w2a", "mobilenet", (3, 32, 32), 1, 2, (8, 16, 32, 64, 128)),
    Shape("mobilenet_v1_2w2a", "mobilenet", (3, 32, 32), 2, 2, (8, 16, 32, 64, 128)),
    Shape("keywords_2w2a", "keywords", (10, 49), 2, 2, (32, 32, 48)),
)
SMALL = (
    Shape("small_resnet", "resnet", (2, 8, 8), 1, 2, (4, 6, 8)),
    Shape("small_mobilenet", "mobilenet", (2, 32, 32), 1, 2, (8, 8, 12, 16, 16)),
    Shape("small_keywords", "keywords", (3, 20), 1, 2, (4, 6, 6)),
)


class Residual(nn.Module):
    """Two convolutions and what goes past them, each quantized in steps of a half, added and cut below 0."""

    def __init__(self, make: Any, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*make.conv(channels, outputs, 3, stride=stride, padding=1))
        self.second = nn.Sequential(*make.conv(outputs, outputs, 3, padding=1, signed=True))
        plain = stride == 1 and channels == outputs
        self.past = (
            nn.Identity() if plain else nn.Sequential(*make.conv(channels, outputs, 1, stride=stride, signed=True))
        )
        self.act = make.act()

    def forward(self, x: Any) -> Any:
        return self.act(self.second(self.first(x)) + self.past(x))


class Maker:
    """Quantized layers of a network's bits."""

    def __init__(self, shape: Shape) -> None:
        weight, _ = quantizers("one")
        self.weight = weight if shape.weight_bits == 1 else few_weights(shape.weight_bits)
        self.bits = shape.act_bits

    def act(self) -> nn.Module:
        import brevitas.nn as qnn

        return qnn.QuantIdentity(act_quant=few_activations(self.bits))

    def averaged(self) -> nn.Module:
        """Averages of 0 to 15/8 in steps of an eighth."""
        import brevitas.nn as qnn
        from brevitas.core.scaling import ScalingImplType
        from brevitas.quant import Uint8ActPerTensorFloat

        class Average(Uint8ActPerTensorFloat):
            bit_width = 4
            scaling_impl_type = ScalingImplType.CONST
            min_val = 0.0
            max_val = 15 / 8

        return qnn.QuantIdentity(act_quant=Average)

    def signed(self) -> nn.Module:
        """Values of -4 to 3.5 in steps of a half: four bits."""
        import brevitas.nn as qnn
        from brevitas.core.scaling import ScalingImplType
        from brevitas.quant import Int8ActPerTensorFloat

        class Signed(Int8ActPerTensorFloat):
            bit_width = 4
            narrow_range = True
            scaling_impl_type = ScalingImplType.CONST
            min_val = -3.5
            max_val = 3.5

        return qnn.QuantIdentity(act_quant=Signed)

    def conv(
        self, channels: int, outputs: int, kernel: int, *, signed: bool = False, axes: int = 2, **more: Any
    ) -> list[nn.Module]:
        import brevitas.nn as qnn

        layer, norm = ((qnn.QuantConv1d, nn.BatchNorm1d), (qnn.QuantConv2d, nn.BatchNorm2d))[axes - 1]
        convolution = layer(channels, outputs, kernel, bias=False, weight_quant=self.weight, **more)
        return [convolution, norm(outputs), self.signed() if signed else self.act()]

    def dense(self, inputs: int, outputs: int) -> nn.Module:
        import brevitas.nn as qnn

        return qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=self.weight)


def layers_of(shape: Shape) -> list[nn.Module]:
    """The layers, the input's quantizer first."""
    import brevitas.nn as qnn

    make, widths = Maker(shape), shape.widths
    _, bits = quantizers("one")
    if shape.kind == "fc":
        layers = [qnn.QuantIdentity(act_quant=bits), nn.Flatten()]
        sizes = (28 * 28, *widths)
        for inputs, outputs in pairwise(sizes):
            layers += [make.dense(inputs, outputs), nn.BatchNorm1d(outputs), make.act()]
        return [*layers, make.dense(sizes[-1], 10), nn.BatchNorm1d(10)]
    layers = [qnn.QuantIdentity(act_quant=eight_bits())]
    channels = shape.shape[0]
    if shape.kind == "cnv":
        for place, outputs in enumerate(widths[:6]):
            layers += make.conv(channels, outputs, 3)
            layers += [nn.MaxPool2d(2)] if place in (1, 3) else []
            channels = outputs
        layers.append(nn.Flatten())
        for inputs, outputs in ((widths[5], widths[6]), (widths[6], widths[7])):
            layers += [make.dense(inputs, outputs), nn.BatchNorm1d(outputs), make.act()]
        return [*layers, make.dense(widths[7], 10), nn.BatchNorm1d(10)]
    if shape.kind == "resnet":
        layers += make.conv(channels, widths[0], 3, padding=1)
        for inputs, outputs, stride in zip((widths[0], *widths), widths, (1, 2, 2), strict=False):
            layers.append(Residual(make, inputs, outputs, stride))
    elif shape.kind == "mobilenet":
        layers += make.conv(channels, widths[0], 3, padding=1)
        channels = widths[0]
        plan = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), *[(3, 1)] * 5, (4, 2), (4, 1)]
        for width, stride in plan:  # the 13 separable blocks of MobileNet-V1
            layers += make.conv(channels, channels, 3, stride=stride, padding=1, groups=channels)
            layers += make.conv(channels, widths[width], 1)
            channels = widths[width]
    else:
        for outputs in widths:
            layers += [*make.conv(channels, outputs, 3, axes=1, padding=1), nn.MaxPool1d(2)]
            channels = outputs
        return [*layers, nn.AdaptiveAvgPool1d(1), make.averaged(), nn.Flatten(), make.dense(channels, 12)]
    return [*layers, nn.AdaptiveAvgPool2d(1), make.averaged(), nn.Flatten(), make.dense(widths[-1], 10)]


def build_shape(shape: Shape, pixels: torch.Tensor) -> nn.Module:
    """The network, its batch norms set to what training leaves: some scales negative, means off zero."""
    torch.manual_seed(shape.seed)
    net = nn.Sequential(*layers_of(shape))
    net.train()
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    generator = torch.Generator().manual_seed(shape.seed)
    for layer in norms:
        layer.momentum = 0.5
        sign = torch.where(torch.rand(layer.num_features, generator=generator) < 0.2, -1.0, 1.0)
        layer.weight.data = sign * (0.8 + 0.4 * torch.rand(layer.num_features, generator=generator))
        layer.bias.data = 0.6 + 0.3 * torch.randn(layer.num_features, generator=generator)
    for _ in range(6):  # running statistics of real sums
        net(pixels)
    return net.eval()
