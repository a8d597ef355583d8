"""Networks of the zoo with weights and activations of 2 to 4 bits."""

from brevitas import nn as qnn
from brevitas.quant import (
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from torch import nn
from zoo_parts import (
    ByName,
    Dense,
    Rising,
    TensorNorm,
    Ternary,
    UpTo1,
    UpTo8,
    UpTo16,
    View,
    bits,
    centred,
    conv,
    linear,
    relu,
    signed,
)


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
