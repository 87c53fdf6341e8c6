"""Torch modules for a training loop of one's own (docs/own-training-loop.md).

    from bitwright.train import BatchNorm, BinaryLinear, InputEncoder, Sign, clip_latent

`bw.export(model, frames)` then makes a Network of a graph of them. These names stay as they are. Needs torch.
"""

from bitwright.api.common import needs_extra

with needs_extra("train", "training"):
    from bitwright_train.average import Average, recalibrate
    from bitwright_train.modules import (
        BatchNorm,
        BinaryConv1d,
        BinaryConv2d,
        BinaryLinear,
        ClassMap,
        FewBits,
        InputEncoder,
        RSign,
        Sign,
        SignalEncoder,
        WindowSum,
        clip_latent,
        latent_weights,
    )
    from bitwright_train.nonlinearities import RPReLU

__all__ = [
    "Average",
    "BatchNorm",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryLinear",
    "ClassMap",
    "FewBits",
    "InputEncoder",
    "RPReLU",
    "RSign",
    "Sign",
    "SignalEncoder",
    "WindowSum",
    "clip_latent",
    "latent_weights",
    "recalibrate",
]
