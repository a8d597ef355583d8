"""What a trained model is and does, as plain data for metrics.json."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sbnn.train.config import ModelConfig
from sbnn.train.model import SparseBinaryMlp
from sbnn.train.sparsity import allocate

BATCH = 1000


def entropy(share: float) -> float:
    """Return h(p) in bits per weight for a share p of ones (Eq. 6)."""
    if share in (0.0, 1.0):
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


@torch.no_grad()
def predict(module: SparseBinaryMlp, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the classes, (N,) int64, of (N, *shape) uint8 images; ties go to the lowest class."""
    module.eval()
    device = module.edge.device
    found = [
        module(torch.from_numpy(images[i : i + BATCH].astype(np.float32)).to(device)).cpu().numpy()
        for i in range(0, len(images), BATCH)
    ]
    classes: NDArray[np.int64] = np.concatenate(found).argmax(1)
    return classes


def accuracy(
    module: SparseBinaryMlp, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> float:
    """Return the share of right classes, 0 to 1."""
    return float((predict(module, images) == labels).mean())


def layer_figures(module: SparseBinaryMlp) -> list[dict[str, Any]]:
    """Return one table per layer: weights, zeros, ones, entropy, xi, eta, fan-in, inverted outputs.

    K_0 and K_1 (shares of kernels with no and with one 1) are given only for layers that have
    kernels; no layer of an MLP has.
    """
    figures = []
    batchnorms = [*module.batchnorms(), None]
    for index, (layer, quantizer, batchnorm) in enumerate(
        zip(module.linears(), module.quantizers(), batchnorms, strict=True), 1
    ):
        eta, xi = quantizer.levels(layer.weight)
        connections = layer.weight.detach() > 0
        ones, weights = int(connections.sum()), connections.numel()
        entry: dict[str, Any] = {
            "layer": f"fc{index}",
            "inputs": connections.shape[1],
            "outputs": connections.shape[0],
            "weights": weights,
            "ones": ones,
            "zeros": weights - ones,
            "density": round(ones / weights, 6),
            "entropy_bits_per_weight": round(entropy(ones / weights), 6),
            "xi": _plain(xi),
            "xi_frac": quantizer.xi_frac,
            "eta": _plain(eta),
            "ones_per_output_max": int(connections.sum(1).max()),
            "inputs_used": int((connections.sum(0) > 0).sum()),
        }
        if batchnorm is not None:
            entry["inverted_outputs"] = int((batchnorm.weight < 0).sum())
        if layer.weight.dim() == 4:
            per_kernel = connections.flatten(2).sum(2).float()
            entry["k0"] = round(float((per_kernel == 0).float().mean()), 6)
            entry["k1"] = round(float((per_kernel == 1).float().mean()), 6)
        figures.append(entry)
    return figures


def sparsity_figures(config: ModelConfig, module: SparseBinaryMlp) -> dict[str, Any]:
    """Return totals over all layers and whether the target was hit.

    With two rails the share is counted against one rail (the paper's inputs x outputs); the share
    against both is given beside it.
    """
    layers = layer_figures(module)
    ones = sum(entry["ones"] for entry in layers)
    weights = sum(entry["weights"] for entry in layers)
    single = weights // config.rails
    density = ones / single
    figures: dict[str, Any] = {
        "ones": ones,
        "weights": single,
        "zeros_share": round(1 - density, 6),
        "counted_against": "one rail: inputs x outputs" if config.rails == 2 else "all weights",
        "entropy_bits_per_weight": round(entropy(ones / weights), 6),
        "method": config.sparsity.method,
    }
    if config.rails == 2:
        figures["weights_both_rails"] = weights
        figures["zeros_share_both_rails"] = round(1 - ones / weights, 6)
    if config.sparsity.method != "none":
        figures["target_density"] = config.sparsity.density
        figures["density"] = round(density, 6)
        figures["target_hit"] = density <= config.sparsity.density
    if config.sparsity.method == "top-k":
        wanted = allocate(config)
        figures["target_ones_per_layer"] = list(wanted)
        figures["target_hit"] = figures["target_hit"] and [e["ones"] for e in layers] == list(
            wanted
        )
    return figures


def spread(values: list[float]) -> dict[str, float]:
    """Return mean, lowest, highest and sample standard deviation of at least one value."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {
        "mean": round(float(np.mean(values)), 6),
        "min": round(min(values), 6),
        "max": round(max(values), 6),
        "std": round(deviation, 6),
    }


def _plain(levels: torch.Tensor) -> float | list[float]:
    """Return a level per layer as a number, per channel as a list."""
    flat = levels.detach().double().reshape(-1).tolist()
    return flat[0] if len(flat) == 1 else flat
