"""Randomly changed training images: warped copies made once, shifts and mirrors at every step."""

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
    """Return one random warp of each image: rotation, scale, shear, shift and elastic bending.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8.
        strength: scales every random range; 0 returns the images.
        generator: on the CPU, the only source of randomness.
    """
    count, height, width = images.shape[:3]
    uniform = 2 * torch.rand(count, 7, generator=generator) - 1
    angle = uniform[:, 0] * math.radians(DEGREES) * strength
    scale = 1 + uniform[:, 1:3] * SCALE * strength
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = angle.cos() * scale[:, 0]
    affine[:, 0, 1] = uniform[:, 3] * SHEAR * strength - angle.sin()
    affine[:, 1, 0] = angle.sin()
    affine[:, 1, 1] = angle.cos() * scale[:, 1]
    affine[:, :, 2] = uniform[:, 4:6] * PIXELS * strength * 2 / torch.tensor([width, height])
    channels = images[..., None] if images.dim() == 3 else images
    channels = channels.permute(0, 3, 1, 2)
    grid = functional.affine_grid(affine, list(channels.shape), align_corners=False)
    bend = 2 * torch.rand(count, 2, NODES, NODES, generator=generator) - 1
    field = functional.interpolate(
        bend * BEND * strength, (height, width), mode="bicubic", align_corners=True
    )
    moved = functional.grid_sample(
        channels.float(), grid + field.permute(0, 2, 3, 1), align_corners=False
    )
    return moved.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).reshape(images.shape)


def warped_copies(
    images: Tensor, copies: int, strength: float, seed: int, progress: Callable[[int], object]
) -> Tensor:
    """Return (copies, *images.shape) uint8: the images, then `copies` - 1 random warps of all of them.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8.
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


def shifted(pixels: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Return every image moved by up to `shift` pixels, half of them mirrored left to right.

    Args:
        pixels: (B, H, W) or (B, H, W, C), any dtype; what moves in from outside is 0.
        shift: 0 moves nothing.
        flip: mirror at random.
        generator: on the CPU, the only source of randomness; drawn from only where something moves.
    """
    if not shift and not flip:
        return pixels
    count, height, width = pixels.shape[:3]
    move = torch.randint(-shift, shift + 1, (2, count, 1), generator=generator)
    mirrored = (torch.rand(count, 1, generator=generator) < 0.5) & flip
    rows, columns = torch.arange(height) + move[0], torch.arange(width) + move[1]
    columns = torch.where(mirrored, width - 1 - columns, columns)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    device = pixels.device
    which = torch.arange(count, device=device)[:, None, None]
    moved = pixels[which, rows.to(device)[:, :, None], columns.to(device)[:, None]]
    inside = inside.to(device)
    return moved * (inside if pixels.dim() == 3 else inside[..., None])
