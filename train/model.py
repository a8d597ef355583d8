"""The torch module of a model: pixels in, exact integer scores (times one power of two) out."""

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import ScalingPerOutputType
from torch import Tensor, nn

from sbnn.train.config import ModelConfig
from sbnn.train.quantizers import SignActivation, SparseBinaryTensorQuant, SparseBinaryWeight, snap
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


class SparseBinaryMlp(nn.Module):
    """fc1, bn1, act1, ..., fcN, scores; weights are (w01 + xi) * eta, activations -1 or +1.

    Pixels at or above the threshold are +1. With two rails each layer sees x and -x side by side.
    """

    edge: Tensor

    def __init__(self, config: ModelConfig, ones: tuple[int, ...]) -> None:
        super().__init__()
        self.rails = config.rails
        self.depth = len(config.shapes)
        # Half a grey level below the threshold, so that no pixel sits on the sign's edge.
        self.register_buffer("edge", torch.tensor(config.input.threshold - 0.5))
        self.act0 = qnn.QuantIdentity(act_quant=SignActivation)
        weights = config.weights
        scaling = (
            ScalingPerOutputType.CHANNEL if weights.per_channel else ScalingPerOutputType.TENSOR
        )
        for index, (outputs, columns) in enumerate(config.shapes, 1):
            last = index == self.depth
            layer = qnn.QuantLinear(
                columns,
                outputs,
                bias=False,
                weight_quant=SparseBinaryWeight,
                weight_domain=weights.domain,
                weight_fixed_xi=weights.xi,
                weight_fixed_eta=2.0 if weights.xi == -0.5 and not last else 1.0,
                weight_xi_frac=weights.xi_frac,
                weight_unit_eta=last,
                weight_scaling_per_output_type=scaling,
            )
            nn.init.normal_(layer.weight, std=0.1)
            self.add_module(f"fc{index}", layer)
            if not last:
                self.add_module(f"bn{index}", nn.BatchNorm1d(outputs))
                self.add_module(f"act{index}", qnn.QuantIdentity(act_quant=SignActivation))
        outputs, columns = config.shapes[-1]
        dense = weights.xi == -0.5 and weights.domain == "fixed"
        spread = (columns / 4 if dense else max(1.0, ones[-1] / outputs)) ** 0.5
        self.scores = IntegerScores(outputs, weights.xi_frac, spread)
        if config.training.signs:
            for batchnorm in self.batchnorms():
                batchnorm.weight.data[torch.rand(batchnorm.num_features) < 0.5] = -1.0

    def linears(self) -> list[qnn.QuantLinear]:
        """Return fc1 ... fcN."""
        return [self.get_submodule(f"fc{index}") for index in range(1, self.depth + 1)]

    def batchnorms(self) -> list[nn.BatchNorm1d]:
        """Return bn1 ... bnN-1."""
        found = [self.get_submodule(f"bn{index}") for index in range(1, self.depth)]
        return [module for module in found if isinstance(module, nn.BatchNorm1d)]

    def quantizers(self) -> list[SparseBinaryTensorQuant]:
        """Return the weight quantizers of fc1 ... fcN."""
        return [layer.weight_quant.tensor_quant for layer in self.linears()]

    def encode(self, pixels: Tensor) -> Tensor:
        """Return (B, inputs) of -1 and +1 for (B, *shape) pixels of 0 to 255, any float dtype."""
        bits: Tensor = self.act0(torch.flatten(pixels, 1) - self.edge)
        return bits

    def both_rails(self, x: Tensor) -> Tensor:
        """Return x, or x and -x side by side."""
        return x if self.rails == 1 else torch.cat([x, -x], dim=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, classes) scores for (B, *shape) pixels of 0 to 255."""
        x = self.hidden(pixels)[-1]
        scores: Tensor = self.scores(self.get_submodule(f"fc{self.depth}")(self.both_rails(x)))
        return scores

    def hidden(self, pixels: Tensor) -> list[Tensor]:
        """Return the encoded input and every hidden activation, each (B, width) of -1 and +1."""
        found = [self.encode(pixels)]
        for index in range(1, self.depth):
            z = self.get_submodule(f"fc{index}")(self.both_rails(found[-1]))
            z = self.get_submodule(f"bn{index}")(z)
            found.append(self.get_submodule(f"act{index}")(z))
        return found

    def hidden_bits(self, pixels: Tensor) -> list[Tensor]:
        """Return every hidden activation, each (B, width) of -1 and +1."""
        return self.hidden(pixels)[1:]


def build(config: ModelConfig) -> SparseBinaryMlp:
    """Return a fresh module for `config`, initialised from torch's current random state."""
    return SparseBinaryMlp(config, allocate(config))
