"""Hold the number of ones down: exactly (centred top-k, per layer or neuron) or by the paper's penalty."""

import torch
from torch import Tensor

from sbnn.train.config import ModelConfig, TrainError


def allocate(config: ModelConfig) -> tuple[int, ...]:
    """Return the wanted ones of every layer, as the densities' ratio, the cap and the total say.

    The sum is at most density * (weights of one rail); rounding only ever rounds down. Without a
    ratio every layer has the same density; with method "none" half of each layer is expected. A
    fan-in per neuron leaves nothing to share out.
    """
    if config.sparsity.fan_in:
        return tuple(
            outputs * ones
            for (outputs, _), ones in zip(config.shapes, config.sparsity.fan_in, strict=True)
        )
    sizes = [outputs * inputs // config.rails for outputs, inputs in config.shapes]
    sparsity = config.sparsity
    if sparsity.method == "none":
        return tuple(size // 2 for size in sizes)
    ratio = sparsity.ratio or (1.0,) * len(sizes)
    if sparsity.density > sparsity.cap:
        raise TrainError(
            f"model {config.name}: density {sparsity.density} is above the cap {sparsity.cap}"
        )
    budget = sparsity.density * sum(sizes)
    capped: set[int] = set()
    while True:
        free = [i for i in range(len(sizes)) if i not in capped]
        left = budget - sum(sparsity.cap * sizes[i] for i in capped)
        unit = left / sum(ratio[i] * sizes[i] for i in free)
        over = {i for i in free if ratio[i] * unit > sparsity.cap}
        if not over:
            break
        capped |= over
    share = [sparsity.cap if i in capped else ratio[i] * unit for i in range(len(sizes))]
    # 1e-9: 0.05 * 334,336 is a hair below an integer in binary floats.
    return tuple(max(1, int(size * part + 1e-9)) for size, part in zip(sizes, share, strict=True))


@torch.no_grad()
def centre_top_k(latent: Tensor, ones: int) -> None:
    """Shift `latent` (any shape) in place so that exactly `ones` entries are positive.

    The threshold then is 0 for the quantizer, for clamping and for the optimiser's state alike; a
    moving threshold would leave clamped weights tied at the border. Ties are broken by position.
    """
    flat = latent.view(-1)
    rest = flat.numel() - ones
    if rest <= 0:
        flat.clamp_min_(torch.finfo(flat.dtype).tiny)
        return
    flat.sub_(torch.kthvalue(flat, rest).values)
    missing = ones - int((flat > 0).sum())
    if missing > 0:
        tied = torch.nonzero(flat == 0).view(-1)[:missing]
        flat[tied] = 1e-6


@torch.no_grad()
def centre_rows(latent: Tensor, fan_in: int) -> None:
    """Shift every row of `latent`, (MH, ...), in place so that exactly `fan_in` entries are positive.

    As `centre_top_k` does for a whole layer; a neuron of at most 6 ones is one LUT6 then.
    """
    rows = latent.view(len(latent), -1)
    if fan_in >= rows.shape[1]:
        rows.clamp_min_(torch.finfo(rows.dtype).tiny)
        return
    # A row that has as many already keeps its threshold: sorting all rows at every step would double
    # a step's time (22 ms for 1,500 x 1,568).
    wrong = torch.nonzero((rows > 0).sum(1) != fan_in).view(-1)
    moved = rows[wrong]
    # Half-way to the first that is left out: at its very value every step would let it in.
    moved -= torch.topk(moved, fan_in + 1, 1).values[:, -2:].mean(1, keepdim=True)
    missing = fan_in - (moved > 0).sum(1)
    for row in torch.nonzero(missing).view(-1).tolist():
        tied = torch.nonzero(moved[row] == 0).view(-1)[: int(missing[row])]
        moved[row, tied] = 1e-6
    rows[wrong] = moved


def penalty(connections: list[Tensor], density: float, weights: int) -> Tensor:
    """Return j = ReLU(share of ones - EC/N) over all sparse layers (Eq. 16, 17), shape ().

    Args:
        connections: w01 of every layer, differentiable.
        density: wanted share of ones.
        weights: N, the number of weights that the share counts against.
    """
    ones = torch.stack([layer.sum() for layer in connections]).sum()
    return torch.relu(ones / weights - density)


def penalty_factor(loss: Tensor, excess: Tensor, gamma: float) -> Tensor:
    """Return lambda, detached, that makes the penalty the fraction gamma of the total (Eq. 18).

    lambda = gamma * loss / (excess * (1 - gamma)), and 0 where the excess is at most 1e-4.
    """
    if float(excess) <= 1e-4:
        return torch.zeros_like(loss)
    return (gamma * loss / (excess * (1 - gamma))).detach()
