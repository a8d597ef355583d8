"""Turn a trained module into the network that hardware runs, changing no decision.

BatchNorm statistics are taken once more; then all scales become powers of two (every float32 sum is
exact after that) and every BatchNorm's threshold moves half-way between two values of its sum.
"""

import torch
from torch import Tensor, nn

from sbnn.train.model import SparseBinaryMlp


@torch.no_grad()
def reestimate(module: SparseBinaryMlp, batches: list[Tensor]) -> None:
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
def finalise(module: SparseBinaryMlp) -> None:
    """Freeze domains, scales and thresholds in place; see the module's docstring."""
    module.eval()
    linears, quantizers = module.linears(), module.quantizers()
    for layer, quantizer, batchnorm in zip(linears, quantizers, module.batchnorms(), strict=False):
        eta, xi = quantizer.levels(layer.weight)
        # BatchNorm absorbs the ratio, so this changes nothing but makes float32 sums exact.
        power = torch.exp2(torch.round(torch.log2(eta)))
        _rescale(batchnorm, (power / eta).view(-1))
        quantizer.freeze(power, xi)
        _centre(batchnorm, layer.weight > 0, power.view(-1), xi.view(-1), quantizer.xi_frac)
    last = quantizers[-1]
    eta, xi = last.levels(linears[-1].weight)
    last.freeze(torch.ones_like(eta), xi)
    scale = torch.exp2(torch.round(torch.log2(module.scores.scale())))
    module.scores.freeze(scale, module.scores.bias())


def statistics(batchnorm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return the running (mean, variance), each (MH,); ours always keeps them."""
    mean, variance = batchnorm.running_mean, batchnorm.running_var
    if mean is None or variance is None:
        raise ValueError("BatchNorm without running statistics cannot be folded")
    return mean, variance


def _rescale(batchnorm: nn.BatchNorm1d, ratio: Tensor) -> None:
    """Make `batchnorm` expect its input times `ratio`, (1,) or (MH,)."""
    mean, variance = statistics(batchnorm)
    variance.copy_((variance + batchnorm.eps) * ratio**2 - batchnorm.eps)
    mean.mul_(ratio)


def _centre(batchnorm: nn.BatchNorm1d, w01: Tensor, eta: Tensor, xi: Tensor, xi_frac: int) -> None:
    """Move each neuron's threshold half-way between neighbouring values of its sum z, in float64.

    z = unit * (2*A - offset) with an integer A (README, Decisions), so it steps by 2*unit. The new
    BatchNorm has mean = the middle and bias 0: z - mean is exact in float32 and never 0, so the
    sign cannot be rounded wrong.
    """
    unit = eta.double() / 2**xi_frac
    numerator = torch.round(xi.double() * 2**xi_frac)
    offset = w01.sum(1).double() * 2**xi_frac + numerator * w01.shape[1]
    running_mean, variance = statistics(batchnorm)
    deviation = (variance.double() + batchnorm.eps).sqrt()
    gamma, beta = batchnorm.weight.double(), batchnorm.bias.double()
    mean = running_mean.double()
    constant = gamma == 0
    safe = torch.where(constant, torch.ones_like(gamma), gamma)
    edge = mean - beta * deviation / safe  # z at which the sign changes
    steps = (edge / unit + offset) / 2  # the same in units of A
    # Rising neurons are on from the first A at the edge, falling ones up to the last A at it.
    rising = safe > 0
    middle = torch.where(rising, torch.ceil(steps) - 0.5, torch.floor(steps) + 0.5)
    # No A is beyond the weights: one step further says "always" or "never" just as well.
    reach = (2**xi_frac + numerator.abs()) * w01.shape[1] + 0.5
    middle = torch.maximum(torch.minimum(middle, reach), -reach)
    middle = torch.where(constant, torch.where(beta >= 0, -reach, reach), middle)
    running_mean.copy_(unit * (2 * middle - offset))
    batchnorm.weight.copy_(safe)
    batchnorm.bias.zero_()
