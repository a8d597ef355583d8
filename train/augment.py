"""Randomly warped copies of training images: rotation, scale, shear, shift and elastic bending."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

# At strength 1: degrees, relative scale, shear, pixels and the elastic field (in half-widths).
DEGREES, SCALE, SHEAR, PIXELS, BEND = 12.0, 0.12, 0.15, 2.0, 0.09
NODES = 5  # the elastic field is NODES x NODES random shifts, interpolated
CHUNK = 1000


def warp(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return one random warp of each image.

    Args:
        images: (N, H, W) uint8.
        strength: scales every random range; 0 returns the images.
        generator: on the CPU, the only source of randomness.
    """
    count, height, width = images.shape
    uniform = 2 * torch.rand(count, 7, generator=generator) - 1
    angle = uniform[:, 0] * math.radians(DEGREES) * strength
    scale = 1 + uniform[:, 1:3] * SCALE * strength
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = angle.cos() * scale[:, 0]
    affine[:, 0, 1] = uniform[:, 3] * SHEAR * strength - angle.sin()
    affine[:, 1, 0] = angle.sin()
    affine[:, 1, 1] = angle.cos() * scale[:, 1]
    affine[:, :, 2] = uniform[:, 4:6] * PIXELS * strength * 2 / torch.tensor([width, height])
    grid = functional.affine_grid(affine, [count, 1, height, width], align_corners=False)
    bend = 2 * torch.rand(count, 2, NODES, NODES, generator=generator) - 1
    field = functional.interpolate(
        bend * BEND * strength, (height, width), mode="bicubic", align_corners=True
    )
    moved = functional.grid_sample(
        images[:, None].float(), grid + field.permute(0, 2, 3, 1), align_corners=False
    )
    return moved.clamp(0, 255).round().to(torch.uint8)[:, 0]


def warped_copies(
    images: Tensor, copies: int, strength: float, seed: int, progress: Callable[[int], object]
) -> Tensor:
    """Return (copies, N, H, W) uint8: the images, then `copies` - 1 random warps of all of them.

    Args:
        images: (N, H, W) uint8.
        copies: at least 1.
        strength: see `warp`.
        seed: equal seeds give equal copies.
        progress: called with the number of images done since the last call.
    """
    generator = torch.Generator().manual_seed(seed)
    pool = torch.empty((copies, *images.shape), dtype=torch.uint8)
    pool[0] = images
    for copy in range(1, copies):
        for start in range(0, len(images), CHUNK):
            part = images[start : start + CHUNK]
            pool[copy, start : start + len(part)] = warp(part, strength, generator)
            progress(len(part))
    return pool
