"""The torch module of a model: pixels in, exact integer scores (times one power of two) out."""

from collections.abc import Iterator

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import ScalingPerOutputType
from torch import Tensor, nn
from torch.nn import functional

from sbnn.train.config import ModelConfig
from sbnn.train.quantizers import SignActivation, SparseBinaryTensorQuant, SparseBinaryWeight, snap
from sbnn.train.recipe import LayerShape, Weights
from sbnn.train.sparsity import allocate


class IntegerScores(nn.Module):
    """y = scale * (z + bias), bias on the grid of z, scale positive and equal for all classes.

    Args:
        classes: number of classes.
        xi_frac: z = z' + xi*q is a multiple of 1 / 2**xi_frac, and so is the bias.
        spread: expected standard deviation of z; the bias is learned in this unit.
    """

    def __init__(self, classes: int, xi_frac: int, spread: float) -> None:
        super().__init__()
        self.xi_frac, self.spread = xi_frac, spread
        self.log_scale = nn.Parameter(-torch.tensor(spread).log())
        self.latent_bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("fixed_bias", torch.zeros(classes))
        self.register_buffer("fixed_scale", torch.tensor(1.0))
        self.frozen = False

    def bias(self) -> Tensor:
        """Return the bias, (classes,), multiples of 1 / 2**xi_frac."""
        return (
            self.fixed_bias if self.frozen else snap(self.latent_bias * self.spread, self.xi_frac)
        )

    def scale(self) -> Tensor:
        """Return the positive scale, shape ()."""
        return self.fixed_scale if self.frozen else self.log_scale.exp()

    def freeze(self, scale: Tensor, bias: Tensor) -> None:
        """Fix both, so that the graph holds constants."""
        self.fixed_scale, self.fixed_bias = scale.detach().clone(), bias.detach().clone()
        self.frozen = True

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, classes) sums to scores."""
        return (z + self.bias()) * self.scale()


class SparseBinaryNet(nn.Module):
    """conv1, bn1, act1, pool1, ..., fcN, scores: weights (w01 + xi) * eta, activations -1 or +1.

    A pixel at or above the threshold is +1, one below it -1; without a threshold the first layer sees
    (pixel - 128) / 128. Padding is -1. With two rails each layer sees x and -x side by side.
    """

    edge: Tensor
    unit: Tensor

    def __init__(self, config: ModelConfig, ones: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.names = tuple(layer.name for layer in config.layers)
        if config.input.threshold is None:
            self.register_buffer("edge", torch.tensor(128.0))
            self.register_buffer("unit", torch.tensor(2.0**-7))
        else:
            # Half a grey level below the threshold, so that no pixel sits on the sign's edge.
            self.register_buffer("edge", torch.tensor(config.input.threshold - 0.5))
            self.act0 = qnn.QuantIdentity(act_quant=SignActivation)
        for index, layer in enumerate(config.layers, 1):
            last = index == len(config.layers)
            if layer.convolution and layer.convolution.padding:
                self.add_module(f"pad{index}", nn.ConstantPad2d(layer.convolution.padding, -1.0))
            self.add_module(layer.name, _weighted(layer, config.weights, last))
            if not last:
                norm = nn.BatchNorm2d if layer.convolution else nn.BatchNorm1d
                self.add_module(f"bn{index}", norm(layer.outputs))
                self.add_module(f"act{index}", qnn.QuantIdentity(act_quant=SignActivation))
            if layer.convolution and layer.convolution.pool > 1:
                self.add_module(f"pool{index}", nn.MaxPool2d(layer.convolution.pool))
        outputs, columns = config.shapes[-1]
        dense = config.weights.xi == -0.5 and config.weights.domain == "fixed"
        spread = (columns / 4 if dense else max(1.0, ones[-1] / outputs)) ** 0.5
        self.scores = IntegerScores(outputs, config.weights.xi_frac, spread)
        if config.training.signs:
            for batchnorm in self.batchnorms():
                batchnorm.weight.data[torch.rand(batchnorm.num_features) < 0.5] = -1.0

    def weighted(self) -> list[qnn.QuantConv2d | qnn.QuantLinear]:
        """Return the layers with weights, conv1 ... fcN."""
        return [self.get_submodule(name) for name in self.names]

    def batchnorms(self) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
        """Return bn1 ... bnN-1."""
        found = [self.get_submodule(f"bn{index}") for index in range(1, len(self.names))]
        return [m for m in found if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]

    def quantizers(self) -> list[SparseBinaryTensorQuant]:
        """Return the weight quantizers of conv1 ... fcN."""
        return [layer.weight_quant.tensor_quant for layer in self.weighted()]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, classes) scores for (B, *shape) pixels of 0 to 255, any float dtype."""
        *_, (_, x) = self.maps(pixels)
        scores: Tensor = self.scores(self.product(len(self.names), x))
        return scores

    def maps(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the input and every hidden map as the graph computes them, with their names.

        "input" is what the first layer sees, act<i> the signs behind layer i, pool<i> what its pool
        makes of them; all (B, C, H, W), or (B, width) from the first fully connected layer on.
        """
        x = self.encode(pixels)
        yield "input", x
        for index, layer in enumerate(self.config.layers[:-1], 1):
            x = self.get_submodule(f"act{index}")(
                self.get_submodule(f"bn{index}")(self.product(index, x))
            )
            yield f"act{index}", x
            if layer.convolution and layer.convolution.pool > 1:
                x = self.get_submodule(f"pool{index}")(x)
                yield f"pool{index}", x

    def encode(self, pixels: Tensor) -> Tensor:
        """Return what the first layer sees: (B, C, H, W) for a convolution, else (B, inputs)."""
        if not self.config.convolutions:
            x = torch.flatten(pixels, 1)
        elif len(self.config.input.shape) == 2:
            x = pixels.unsqueeze(1)
        else:
            x = pixels.permute(0, 3, 1, 2)
        x = x - self.edge
        x = self.act0(x) if self.config.input.threshold else x * self.unit
        # Convolutions of training are a quarter faster with the channels side by side.
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def product(self, index: int, x: Tensor) -> Tensor:
        """Return the sums of layer `index` (from 1) for its input x, padded or flattened first."""
        layer = self.config.layers[index - 1]
        if layer.convolution and layer.convolution.padding:
            x = self.get_submodule(f"pad{index}")(x)
        elif not layer.convolution and x.dim() == 4:
            x = torch.flatten(x, 1)
        weighted = self.weighted()[index - 1]
        if self.config.rails == 2:
            if self.training:  # half the products, and fewer passes over the weights
                difference = self.quantizers()[index - 1].rail_difference(weighted.weight)
                if layer.convolution:
                    return functional.conv2d(x, difference, stride=layer.convolution.stride)
                return functional.linear(x, difference)
            x = torch.cat([x, -x], dim=1)
        sums: Tensor = weighted(x)
        return sums

    def hidden_bits(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return every map of `maps` but the input by name, -1 and +1."""
        return {name: x for name, x in self.maps(pixels) if name != "input"}


def _weighted(layer: LayerShape, weights: Weights, last: bool) -> qnn.QuantConv2d | qnn.QuantLinear:
    """Return a layer of fresh latent weights."""
    scaling = ScalingPerOutputType.CHANNEL if weights.per_channel else ScalingPerOutputType.TENSOR
    quantizer = {
        "weight_quant": SparseBinaryWeight,
        "weight_domain": weights.domain,
        "weight_fixed_xi": weights.xi,
        "weight_fixed_eta": 2.0 if weights.xi == -0.5 and not last else 1.0,
        "weight_xi_frac": weights.xi_frac,
        "weight_unit_eta": last,
        "weight_scaling_per_output_type": scaling,
    }
    conv = layer.convolution
    made = (
        qnn.QuantConv2d(
            layer.inputs // conv.kernel**2,
            layer.outputs,
            conv.kernel,
            stride=conv.stride,
            bias=False,
            **quantizer,
        )
        if conv
        else qnn.QuantLinear(layer.inputs, layer.outputs, bias=False, **quantizer)
    )
    nn.init.normal_(made.weight, std=0.1)
    return made


def build(config: ModelConfig) -> SparseBinaryNet:
    """Return a fresh module for `config`, initialised from torch's current random state."""
    return SparseBinaryNet(config, allocate(config))
