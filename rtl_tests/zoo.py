"""Networks of stock Brevitas layers, exported by Brevitas' stock exporters: what other people bring."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from brevitas import nn as qnn
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
)
from onnx import ModelProto
from torch import nn
from zoo_fewbits import (
    conv_few_bits,
    conv_per_channel,
    few_bits,
    few_bits_of_pixels,
    pooled_sums,
    signed_levels,
    tfc_2w2a,
)
from zoo_parts import (
    ByName,
    Dense,
    HalfBits,
    PerChannelBinary,
    Standardise,
    TensorNorm,
    Ternary,
    View,
    bits,
    centred,
    conv,
    linear,
)


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
