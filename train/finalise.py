"""Turn a trained module into the network that hardware runs, changing no decision.

BatchNorm statistics are taken once more; then all scales become powers of two (every float32 sum is
exact after that) and every BatchNorm's threshold moves half-way between two values of its sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sbnn.train.model import SparseBinaryNet


@torch.no_grad()
def reestimate(module: SparseBinaryNet, batches: Iterable[Tensor]) -> None:
    """Replace BatchNorm's running statistics by the plain mean over `batches` of pixels."""
    for batchnorm in module.batchnorms():
        batchnorm.reset_running_stats()
        batchnorm.momentum = None  # cumulative mean
    was_training = module.training
    module.train()
    for pixels in batches:
        module(pixels)
    module.train(was_training)
    for batchnorm in module.batchnorms():
        batchnorm.momentum = 0.1


@torch.no_grad()
def finalise(module: SparseBinaryNet) -> None:
    """Freeze domains, scales and thresholds in place; see the module's docstring."""
    module.eval()
    weighted, quantizers = module.weighted(), module.quantizers()
    for layer, quantizer, batchnorm in zip(weighted, quantizers, module.batchnorms(), strict=False):
        eta, xi = quantizer.levels(layer.weight)
        # BatchNorm absorbs the ratio, so this changes nothing but makes float32 sums exact.
        power = torch.exp2(torch.round(torch.log2(eta)))
        _rescale(batchnorm, (power / eta).view(-1))
        quantizer.freeze(power, xi)
        grey = layer is weighted[0] and module.config.input.threshold is None
        grid = _grid(layer.weight > 0, power.view(-1), xi.view(-1), quantizer.xi_frac, grey)
        _centre(batchnorm, grid)
    last = quantizers[-1]
    eta, xi = last.levels(weighted[-1].weight)
    last.freeze(torch.ones_like(eta), xi)
    scale = torch.exp2(torch.round(torch.log2(module.scores.scale())))
    module.scores.freeze(scale, module.scores.bias())


def statistics(batchnorm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the running (mean, variance), each (MH,); ours always keeps them."""
    mean, variance = batchnorm.running_mean, batchnorm.running_var
    if mean is None or variance is None:
        raise ValueError("BatchNorm without running statistics cannot be folded")
    return mean, variance


def _rescale(batchnorm: nn.BatchNorm1d | nn.BatchNorm2d, ratio: Tensor) -> None:
    """Make `batchnorm` expect its input times `ratio`, (1,) or (MH,)."""
    mean, variance = statistics(batchnorm)
    variance.copy_((variance + batchnorm.eps) * ratio**2 - batchnorm.eps)
    mean.mul_(ratio)


@dataclass(frozen=True, eq=False)
class Grid:
    """What the sums z of a layer can be: step * A + base with integers -reach < A < reach.

    Attributes:
        step: (MH,) or (1,) float64.
        base: (MH,) float64.
        reach: (MH,) or (1,) float64; half of a step beyond every A.
    """

    step: Tensor
    base: Tensor
    reach: Tensor


def _grid(w01: Tensor, eta: Tensor, xi: Tensor, xi_frac: int, grey: bool) -> Grid:
    """Return the grid of the sums of connections `w01`, (MH, ...), in a domain (eta, xi).

    Bits -1 and +1: z = eta * 2^-F * (2*A - (n << F) - k*MW) with A = (P << F) + k*S (README,
    Decisions), so z moves in steps of 2 * eta * 2^-F. Grey pixels are multiples of 2^-7 from -1 on:
    z = eta * 2^-F * 2^-7 * A.
    """
    unit = eta.double() / 2**xi_frac
    numerator = torch.round(xi.double() * 2**xi_frac)
    rows = w01.flatten(1)
    inputs = rows.shape[1]
    reach = (2**xi_frac + numerator.abs()) * inputs
    if grey:
        return Grid(unit / 128, torch.zeros_like(unit), 128 * reach + 0.5)
    offset = rows.sum(1).double() * 2**xi_frac + numerator * inputs
    return Grid(2 * unit, -unit * offset, reach + 0.5)


def _centre(batchnorm: nn.BatchNorm1d | nn.BatchNorm2d, grid: Grid) -> None:
    """Move each neuron's threshold half-way between neighbouring values of its sum, in float64.

    The new BatchNorm has mean = the middle and bias 0: z - mean is exact in float32 and never 0, so
    the sign cannot be rounded wrong.
    """
    running_mean, variance = statistics(batchnorm)
    deviation = (variance.double() + batchnorm.eps).sqrt()
    gamma, beta = batchnorm.weight.double(), batchnorm.bias.double()
    constant = gamma == 0
    safe = torch.where(constant, torch.ones_like(gamma), gamma)
    edge = running_mean.double() - beta * deviation / safe  # z at which the sign changes
    steps = (edge - grid.base) / grid.step  # the same in units of A
    # Rising neurons are on from the first A at the edge, falling ones up to the last A at it.
    rising = safe > 0
    middle = torch.where(rising, torch.ceil(steps) - 0.5, torch.floor(steps) + 0.5)
    # No A is beyond the weights: one step further says "always" or "never" just as well.
    middle = torch.maximum(torch.minimum(middle, grid.reach), -grid.reach)
    middle = torch.where(constant, torch.where(beta >= 0, -grid.reach, grid.reach), middle)
    running_mean.copy_(grid.step * middle + grid.base)
    batchnorm.weight.copy_(safe)
    batchnorm.bias.zero_()
