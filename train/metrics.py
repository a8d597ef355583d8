"""What a trained model is and does, as plain data for metrics.json."""

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sbnn.train.config import ModelConfig
from sbnn.train.kernels import KernelCounts, count_kernels
from sbnn.train.model import SparseBinaryNet
from sbnn.train.sparsity import allocate

BATCH, MAP_BATCH = 1000, 100  # maps of 100 images stay in the cache


def entropy(share: float) -> float:
    """Return h(p) in bits per weight for a share p of ones (Eq. 6)."""
    if share in (0.0, 1.0):
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


@torch.no_grad()
def predict(module: SparseBinaryNet, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the classes, (N,) int64, of (N, *shape) uint8 images; ties go to the lowest class."""
    module.eval()
    device, batch = module.edge.device, MAP_BATCH if module.config.convolutions else BATCH
    found = [
        module(torch.from_numpy(images[i : i + batch].astype(np.float32)).to(device)).cpu().numpy()
        for i in range(0, len(images), batch)
    ]
    classes: NDArray[np.int64] = np.concatenate(found).argmax(1)
    return classes


def accuracy(
    module: SparseBinaryNet, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> float:
    """Return the share of right classes, 0 to 1."""
    return float((predict(module, images) == labels).mean())


def layer_figures(module: SparseBinaryNet) -> list[dict[str, Any]]:
    """Return one table per layer: weights, zeros, ones, entropy, xi, eta, fan-in, inverted outputs.

    A convolution also has its geometry and what `sbnn.train.kernels` counts.
    """
    figures = []
    batchnorms = [*module.batchnorms(), None]
    for shape, layer, quantizer, batchnorm in zip(
        module.config.layers, module.weighted(), module.quantizers(), batchnorms, strict=True
    ):
        eta, xi = quantizer.levels(layer.weight)
        connections = layer.weight.detach().flatten(1) > 0
        ones, weights = int(connections.sum()), connections.numel()
        entry: dict[str, Any] = {
            "layer": shape.name,
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
        if shape.convolution:
            entry["convolution"] = dataclasses.asdict(shape.convolution)
            entry["input_map"], entry["output_map"] = list(shape.seen), list(shape.made)
            entry["kernels"] = count_kernels((layer.weight > 0).cpu(), shape.positions).shares()
        figures.append(entry)
    return figures


def kernel_figures(module: SparseBinaryNet) -> dict[str, float]:
    """Return K_0, K_1 and the PRs over all convolutions; empty where there is none."""
    total = KernelCounts()
    for shape, layer in zip(module.config.layers, module.weighted(), strict=True):
        if shape.convolution:
            total += count_kernels((layer.weight > 0).cpu(), shape.positions)
    return total.shares() if total.kernels else {}


def sparsity_figures(config: ModelConfig, module: SparseBinaryNet) -> dict[str, Any]:
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
    if config.convolutions:
        figures["kernels"] = kernel_figures(module)
    if config.rails == 2:
        figures["weights_both_rails"] = weights
        figures["zeros_share_both_rails"] = round(1 - ones / weights, 6)
    if config.sparsity.fan_in:
        figures["fan_in"] = list(config.sparsity.fan_in)
        figures["target_hit"] = all(
            bool(((layer.weight > 0).flatten(1).sum(1) == fan_in).all())
            for layer, fan_in in zip(module.weighted(), config.sparsity.fan_in, strict=True)
        )
    elif config.sparsity.method != "none":
        figures["target_density"] = config.sparsity.density
        figures["density"] = round(density, 6)
        figures["target_hit"] = density <= config.sparsity.density
    if config.sparsity.method == "top-k" and not config.sparsity.fan_in:
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
