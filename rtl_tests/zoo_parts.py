"""What the networks of the zoo are made of: stock Brevitas layers and quantizers."""

import torch
from brevitas import nn as qnn
from brevitas.core.scaling import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from torch import nn


class Bits(SignedBinaryActPerTensorConst):
    scaling_const = 1.0


class HalfBits(SignedBinaryActPerTensorConst):
    scaling_const = 0.5


class Dense(SignedBinaryWeightPerTensorConst):
    scaling_const = 0.125


class Ternary(SignedTernaryWeightPerTensorConst):
    scaling_const = 0.0625
    threshold = 0.6


class PerChannelBinary(SignedBinaryWeightPerTensorConst):
    """Scales from the weights of each output."""

    scaling_impl_type = ScalingImplType.STATS
    scaling_stats_op = "ave"
    scaling_per_output_channel = True


class UpTo8(Int8ActPerTensorFloat):
    """Levels from -8 on, whatever the number of bits."""

    scaling_impl_type = ScalingImplType.CONST
    min_val, max_val = -8.0, 8.0


class UpTo1(UpTo8):
    min_val, max_val = -1.0, 1.0


class UpTo16(UpTo8):
    min_val, max_val = -16.0, 16.0


class ByName(nn.Module):
    """A feed-forward network with what surrounds it written in `forward`."""

    def __init__(self, body, before=None, behind=None):
        super().__init__()
        self.body, self.before, self.behind = body, before, behind

    def forward(self, x):
        x = self.before(x) if self.before else x
        x = self.body(x)
        return self.behind(x) if self.behind else x


class Rising(nn.BatchNorm2d):
    """A BatchNorm whose scales are positive, as most trained ones are."""

    def forward(self, x):
        self.weight.data.abs_()
        return super().forward(x)


class TensorNorm(nn.Module):
    """One scale and shift for a whole tensor, as BNN-PYNQ ends its networks."""

    def __init__(self, mean=3.1, var=7.3, weight=1.7, bias=-0.4):
        super().__init__()
        for name, value in {"mean": mean, "var": var, "weight": weight, "bias": bias}.items():
            self.register_buffer(name, torch.tensor(value))

    def forward(self, x):
        return (x - self.mean) / torch.sqrt(self.var + 1e-4) * self.weight + self.bias


class Standardise(nn.Module):
    """Mean 0, deviation 1 over the classes."""

    def forward(self, x):
        centred = x - x.mean(1, keepdim=True)
        return centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-5)


class View(nn.Module):
    """Flatten as older code writes it; exports Shape, Gather and Concat."""

    def forward(self, x):
        return x.view(x.shape[0], -1)


def bits(kind=Bits):
    return qnn.QuantIdentity(act_quant=kind)


def linear(mw, mh, weights, **options):
    return qnn.QuantLinear(mw, mh, weight_quant=weights, **{"bias": False, **options})


def conv(channels, outputs, kernel, weights, **options):
    return qnn.QuantConv2d(
        channels, outputs, kernel, weight_quant=weights, **{"bias": False, **options}
    )


def relu(bit_width, kind=Uint8ActPerTensorFloat):
    return qnn.QuantReLU(bit_width=bit_width, act_quant=kind)


def signed(bit_width, kind=Int8ActPerTensorFloat):
    return qnn.QuantIdentity(bit_width=bit_width, act_quant=kind)


def centred(x):
    return 2.0 * x - 1.0
