"""Prove on real images that a QONNX graph computes what the torch module computes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from sbnn.export.execute import execute
from sbnn.export.qonnx import ExportError
from sbnn.train.config import ModelConfig
from sbnn.train.data import find, load, sample_images
from sbnn.train.model import SparseBinaryNet

IMAGES = 1000


@dataclass(frozen=True)
class Check:
    """What `check` compared, all of it equal.

    Attributes:
        images: number of images.
        images_from: the data set, or the tracked sample.
        layers: names of the hidden maps: act<i> behind the sign of layer i, pool<i> behind its pool.
        hidden_bits: number of bits compared in them.
        max_score_difference: largest |qonnx - torch| of a score; both add in float32.
    """

    images: int
    images_from: str
    layers: tuple[str, ...]
    hidden_bits: int
    max_score_difference: float


def check_images(config: ModelConfig, folder: Path | None = None) -> tuple[NDArray[np.uint8], str]:
    """Return up to 1,000 real images, of the data set if found, else the sample; and which."""
    dataset = config.input.dataset
    if dataset == "digits":
        split = load(config)
        images = np.concatenate([split.test_x, split.val_x, split.train_x])
        return images[:IMAGES], "digits, its 360 test images first"
    if find(dataset, folder) is not None:
        return load(config, folder).test_x[:IMAGES], f"{dataset} test set"
    return sample_images(config)[0], f"the tracked sample of {dataset}"


def check(
    model: ModelProto, module: SparseBinaryNet, images: NDArray[np.uint8], images_from: str
) -> Check:
    """Compare qonnx's execution with torch: every hidden bit and every class.

    Args:
        model: the QONNX graph.
        module: in eval mode; its `hidden_bits` gives the maps by name, see `sbnn.train.model`.
        images: (B, *shape) uint8.
        images_from: goes into the result.

    Raises:
        ExportError: a bit or a class differs; names the layer.
    """
    found = execute(model, images)
    with torch.no_grad():
        pixels = torch.from_numpy(images.astype(np.float32))
        hidden = {name: bits.numpy() > 0 for name, bits in module.hidden_bits(pixels).items()}
        scores = module(pixels).numpy()
    if len(found.hidden) != len(hidden):
        raise ExportError(
            f"QONNX graph has {len(found.hidden)} hidden activations, the module {len(hidden)}"
        )
    for (name, wanted), bits in zip(hidden.items(), found.hidden, strict=True):
        if bits.shape != wanted.shape:
            raise ExportError(f"layer {name}: is {bits.shape} in QONNX and {wanted.shape} in torch")
        wrong = np.argwhere(bits != wanted)
        if len(wrong):
            image, neuron, *at = wrong[0].tolist()
            where = f"channel {neuron} at row {at[0]}, column {at[1]}" if at else f"neuron {neuron}"
            raise ExportError(
                f"layer {name}: {len(wrong)} of {bits.size} bits differ between QONNX and torch, "
                f"first {where} of image {image}"
            )
    differ = np.flatnonzero(found.classes != scores.argmax(1))
    if len(differ):
        raise ExportError(
            f"layer scores: {len(differ)} of {len(images)} classes differ between QONNX and torch, "
            f"first image {differ[0]}"
        )
    return Check(
        images=len(images),
        images_from=images_from,
        layers=tuple(hidden),
        hidden_bits=sum(bits.size for bits in found.hidden),
        max_score_difference=float(np.abs(found.scores - scores).max()),
    )
