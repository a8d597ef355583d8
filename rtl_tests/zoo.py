"""Networks of stock Brevitas layers, exported by Brevitas' stock exporters: what other people bring."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from brevitas import nn as qnn
from brevitas.core.scaling import ScalingImplType
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryWeightPerTensorConst,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from onnx import ModelProto
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


def tfc():
    """TFC of BNN-PYNQ, small: 1-bit weights and activations, BatchNorm, TensorNorm at the end."""
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            nn.Dropout(0.2),
            linear(64, 32, Dense),
            nn.BatchNorm1d(32),
            bits(),
            linear(32, 24, Dense),
            nn.BatchNorm1d(24),
            bits(),
            linear(24, 10, Dense),
            TensorNorm(),
        ),
        before=centred,
    )


def biases():
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 20, Dense, bias=True),
            nn.Hardtanh(),
            bits(),
            linear(20, 10, Dense, bias=True),
        ),
        before=lambda x: x - 0.3,
    )


def ternary():
    return ByName(
        nn.Sequential(
            View(),
            bits(),
            linear(64, 24, Ternary, bias=True),
            nn.BatchNorm1d(24, affine=False),
            nn.Identity(),
            bits(),
            linear(24, 10, Ternary, bias=True),
        ),
        behind=lambda x: torch.softmax(x, 1),
        before=centred,
    )


def per_channel():
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(HalfBits),
            linear(64, 24, PerChannelBinary),
            nn.BatchNorm1d(24),
            nn.Tanh(),
            bits(HalfBits),
            linear(24, 10, Dense, bias=True),
        ),
        before=lambda x: (x - 0.1307) / 0.3081,
        behind=lambda x: torch.log_softmax(x, 1),
    )


def quantised_bias():
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 16, Ternary),
            nn.BatchNorm1d(16),
            bits(),
            qnn.QuantLinear(16, 10, bias=True, weight_quant=Dense, bias_quant=None),
        ),
        before=centred,
        behind=lambda x: x.argmax(1),
    )


def top_class():
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 16, Dense),
            nn.BatchNorm1d(16),
            bits(),
            linear(16, 10, Ternary),
            TensorNorm(),
        ),
        before=centred,
        behind=lambda x: x.topk(1, 1)[1],
    )


def standardised():
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 24, Ternary),
            nn.BatchNorm1d(24),
            nn.Hardtanh(-2, 2),
            bits(),
            linear(24, 10, Dense),
            Standardise(),
        ),
        before=centred,
    )


def conv_padded():
    """Padded with -1 and pooled behind the activation, as CNV pools."""
    return ByName(
        nn.Sequential(
            bits(),
            nn.ConstantPad2d(1, -1.0),
            conv(1, 6, 3, Dense),
            nn.BatchNorm2d(6),
            bits(),
            nn.MaxPool2d(2),
            conv(6, 8, 3, Dense),
            nn.BatchNorm2d(8),
            bits(),
            View(),
            linear(32, 10, Dense),
            TensorNorm(),
        ),
        before=centred,
    )


def conv_bias():
    return ByName(
        nn.Sequential(
            bits(),
            conv(1, 6, 3, Ternary, bias=True, stride=2),
            bits(),
            nn.Flatten(),
            linear(54, 10, Ternary, bias=True),
        ),
        before=centred,
    )


def conv_scaled():
    """Bits of +-1/2 through a pool: the scale stands between BipolarQuant and MaxPool."""
    return ByName(
        nn.Sequential(
            bits(HalfBits),
            conv(1, 6, 3, PerChannelBinary),
            nn.BatchNorm2d(6),
            nn.Hardtanh(),
            bits(HalfBits),
            nn.MaxPool2d(2),
            nn.Flatten(),
            linear(54, 16, Dense, bias=True),
            bits(),
            linear(16, 10, Ternary),
        ),
        before=centred,
        behind=lambda x: torch.softmax(x, 1),
    )


def conv_pixels():
    """The first layer takes pixels / 255, padded with 0: black stays black."""
    return ByName(
        nn.Sequential(
            conv(1, 4, 3, Dense, padding=1),
            nn.BatchNorm2d(4),
            bits(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            linear(64, 10, Dense),
        )
    )


def conv_only():
    """No fully connected layer: the last convolution has one position."""
    return ByName(
        nn.Sequential(
            bits(),
            conv(1, 8, 4, Ternary, stride=2),
            nn.BatchNorm2d(8, affine=False),
            bits(),
            conv(8, 10, 3, Dense),
            nn.Flatten(),
        ),
        before=centred,
        behind=lambda x: torch.log_softmax(x, 1),
    )


def few_levels():
    """8-bit weights that take three values only."""
    net = biases()
    net.body[2] = linear(64, 20, Int8WeightPerChannelFloat, bias=True)
    with torch.no_grad():
        weight = net.body[2].weight
        weight.copy_(torch.sign(weight) * (weight.abs() > weight.abs().median()) * 0.25)
    return net


def few_bits(weight_bits, act_bits, weights=Int8WeightPerTensorFloat, last=None):
    """An MLP of stock layers: w-bit weights, v-bit ReLUs, as `QuantLinear(weight_bit_width=w)` writes it."""
    options = {"weight_bit_width": weight_bits} if weight_bits > 1 else {}
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 24, weights, **options),
            nn.BatchNorm1d(24),
            relu(act_bits),
            linear(24, 16, weights, **options),
            nn.BatchNorm1d(16),
            relu(act_bits),
            linear(16, 10, weights if last is None else last, bias=True, **options),
        ),
        before=centred,
    )


def tfc_2w2a():
    """TFC-w2a2 of BNN-PYNQ, small: its input has 2 bits, too."""
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            signed(2, UpTo1),
            linear(64, 24, Int8WeightPerTensorFloat, weight_bit_width=2),
            nn.BatchNorm1d(24),
            relu(2),
            linear(24, 10, Int8WeightPerTensorFloat, weight_bit_width=2),
            TensorNorm(),
        ),
        before=centred,
    )


def pooled_sums():
    """The pool stands in front of BatchNorm, ReLU and quantizer; pixels of 3 bits."""
    return ByName(
        nn.Sequential(
            relu(3),
            conv(1, 6, 3, Int8WeightPerTensorFloat, weight_bit_width=3, padding=1),
            nn.MaxPool2d(2),
            Rising(6),
            nn.ReLU(),
            qnn.QuantIdentity(bit_width=2, act_quant=Uint8ActPerTensorFloat),
            nn.Flatten(),
            linear(96, 10, Dense),
        ),
    )


def signed_levels():
    """Activations of 2 and 3 bits around 0, powers of two as scales: sums that tie are rounded to even."""
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            bits(),
            linear(64, 24, Int8WeightPerTensorFixedPoint, weight_bit_width=3),
            signed(2, UpTo8),
            linear(24, 16, Int8WeightPerTensorFixedPoint, weight_bit_width=2),
            nn.Hardtanh(-20.0, 20.0),
            signed(3, UpTo16),
            linear(16, 10, Ternary),
        ),
        before=centred,
    )


def few_bits_of_pixels():
    """Few-bit weights on the 8-bit pixels themselves, ReLU and quantizer apart."""
    return ByName(
        nn.Sequential(
            nn.Flatten(),
            linear(64, 20, Int8WeightPerChannelFloat, weight_bit_width=4),
            nn.BatchNorm1d(20),
            nn.ReLU(),
            qnn.QuantIdentity(bit_width=3, act_quant=Uint8ActPerTensorFloat),
            linear(20, 10, Int8WeightPerTensorFloat, weight_bit_width=3),
        )
    )


def conv_few_bits():
    """2-bit weights and activations, padded with 0 and pooled."""
    return ByName(
        nn.Sequential(
            bits(),
            conv(1, 6, 3, Int8WeightPerTensorFloat, weight_bit_width=2),
            nn.BatchNorm2d(6),
            relu(2),
            nn.MaxPool2d(2),
            conv(
                6,
                8,
                3,
                Int8WeightPerTensorFloat,
                weight_bit_width=2,
                weight_narrow_range=False,  # -2, -1, 0, 1
                padding=1,
            ),
            nn.BatchNorm2d(8),
            relu(2),
            nn.Flatten(),
            linear(72, 10, Int8WeightPerTensorFloat, weight_bit_width=2, bias=True),
        ),
        before=centred,
    )


def conv_per_channel():
    """4-bit weights with a scale per channel, activations of 4 bits."""
    return ByName(
        nn.Sequential(
            conv(1, 5, 3, Int8WeightPerChannelFloat, weight_bit_width=4, padding=1),
            nn.BatchNorm2d(5),
            relu(4),
            conv(5, 6, 3, Int8WeightPerChannelFloat, weight_bit_width=4, stride=2),
            nn.BatchNorm2d(6),
            relu(4, Uint8ActPerTensorFixedPoint),
            View(),
            linear(54, 10, Int8WeightPerTensorFloat, weight_bit_width=4),
        )
    )


@dataclass(frozen=True)
class Entry:
    """One network: how to build it, and how to export it."""

    build: Callable[[], nn.Module]
    options: dict


TS, DYNAMO = {"dynamo": False}, {"dynamo": True}
ZOO = {
    "tfc-1w1a": Entry(tfc, TS),
    "tfc-1w1a-opset9": Entry(tfc, {**TS, "opset_version": 9}),
    "tfc-1w1a-dynamo": Entry(tfc, DYNAMO),
    "biases": Entry(biases, TS),
    "biases-dynamo": Entry(biases, DYNAMO),
    "ternary-softmax": Entry(ternary, TS),
    "per-channel-logsoftmax": Entry(per_channel, {**TS, "opset_version": 11}),
    "argmax": Entry(quantised_bias, TS),
    "topk": Entry(top_class, {**TS, "opset_version": 13}),
    "standardised": Entry(standardised, TS),
    "standardised-dynamo": Entry(standardised, DYNAMO),
    "three-level-int8": Entry(few_levels, TS),
    "conv-padded": Entry(conv_padded, TS),
    "conv-padded-dynamo": Entry(conv_padded, DYNAMO),
    "conv-padded-opset9": Entry(conv_padded, {**TS, "opset_version": 9}),
    "conv-bias": Entry(conv_bias, TS),
    "conv-scaled-pool": Entry(conv_scaled, {**TS, "opset_version": 17}),
    "conv-pixels": Entry(conv_pixels, TS),
    "conv-only": Entry(conv_only, DYNAMO),
    "mlp-1w2a": Entry(lambda: few_bits(1, 2, Dense), TS),
    "mlp-2w2a": Entry(lambda: few_bits(2, 2), TS),
    "mlp-2w2a-dynamo": Entry(lambda: few_bits(2, 2), DYNAMO),
    "mlp-4w4a": Entry(lambda: few_bits(4, 4), TS),
    "mlp-4w4a-dynamo": Entry(lambda: few_bits(4, 4), DYNAMO),
    "mlp-ternary-2a": Entry(lambda: few_bits(1, 2, Ternary), TS),
    "mlp-3w3a": Entry(
        lambda: few_bits(3, 3, Int8WeightPerChannelFloat, Int8WeightPerTensorFloat),
        {**TS, "opset_version": 17},
    ),
    "tfc-2w2a": Entry(tfc_2w2a, TS),
    "pooled-sums": Entry(pooled_sums, TS),
    "pooled-sums-dynamo": Entry(pooled_sums, DYNAMO),
    "signed-levels": Entry(signed_levels, TS),
    "few-bits-of-pixels": Entry(few_bits_of_pixels, TS),
    "conv-2w2a": Entry(conv_few_bits, TS),
    "conv-2w2a-dynamo": Entry(conv_few_bits, DYNAMO),
    "conv-4w4a-per-channel": Entry(conv_per_channel, TS),
}


def shaken(net: nn.Module, seed: int) -> nn.Module:
    """Return a network in eval mode whose norms and weights look trained: no neuron is constant."""
    generator = torch.Generator().manual_seed(seed)

    def draw(like, low, high):
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    spread = 1.0
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (qnn.QuantLinear, qnn.QuantConv2d)):
                if (
                    not isinstance(module.weight_quant, type(None))
                    and len(module.weight.unique()) > 3
                ):
                    module.weight.copy_(draw(module.weight, -1, 1))
                if module.bias is not None:
                    module.bias.copy_(draw(module.bias, -0.5, 0.5))
                spread = float(module.quant_weight().value.flatten(1).norm(dim=1).mean())
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.copy_(draw(module.running_mean, -0.3, 0.3) * spread)
                module.running_var.copy_(draw(module.running_var, 0.5, 2) * spread**2)
                if module.affine:
                    signs = torch.where(draw(module.weight, 0, 1) < 0.4, -1.0, 1.0)
                    module.weight.copy_(draw(module.weight, 0.4, 1.5) * signs)
                    module.bias.copy_(draw(module.bias, -0.3, 0.3))
    net.eval()
    for module in net.modules():  # activations take their scales from what they see
        if isinstance(module, (qnn.QuantReLU, qnn.QuantIdentity)):
            module.train()
    with torch.no_grad():
        net(torch.rand(64, 1, 8, 8, generator=generator))
    return net.eval()


def export(name: str, seed: int = 0) -> ModelProto:
    """Export a network of the zoo with Brevitas' own exporter."""
    entry = ZOO[name]
    torch.manual_seed(seed)
    net = shaken(entry.build(), seed)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return export_qonnx(
                net, args=torch.zeros(1, 1, 8, 8), export_path=None, **entry.options
            )
    finally:
        logging.disable(level)
