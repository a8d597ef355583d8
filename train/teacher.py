"""The teacher: a small CNN on grey pixels whose soft labels the binary network learns."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sbnn.train.augment import shifted
from sbnn.train.config import ModelConfig

BATCH = 250
RATE = 4e-3


def build_teacher(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Return the CNN for images (H, W) or (H, W, C): 0.6 million weights for 28 x 28."""
    height, width = (-(-n // 4) for n in shape[:2])
    net = nn.Sequential(
        nn.Conv2d(shape[2] if len(shape) == 3 else 1, 24, 5, stride=2, padding=2),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Conv2d(24, 48, 3, stride=2, padding=1),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(48 * height * width, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, classes),
    )
    # 9 s an epoch on one core; the torch stubs do not know this overload.
    return cast(nn.Sequential, net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _grey(images: Tensor, device: torch.device) -> Tensor:
    """(B, H, W) or (B, H, W, C) uint8 -> (B, C, H, W) float in 0..1."""
    channels = images[..., None] if images.dim() == 3 else images
    pixels = channels.permute(0, 3, 1, 2).to(device).float() / 255
    return pixels.contiguous(memory_format=torch.channels_last)


def train_teacher(
    pool: Tensor,
    labels: Tensor,
    config: ModelConfig,
    device: torch.device,
    progress: Callable[[int], object],
) -> nn.Sequential:
    """Return a teacher trained on `pool`, one copy per epoch, in eval mode.

    Args:
        pool: (copies, N, *shape) uint8.
        labels: (N,) int64.
        config: gives the classes, the teacher's epochs, and how images move at every step.
        device: where to train.
        progress: called with the number of images done since the last call.
    """
    copies, count = pool.shape[:2]
    epochs, recipe = config.distillation.epochs, config.training
    moves = torch.Generator().manual_seed(recipe.seed)
    net = build_teacher(config.input.shape, config.input.classes).to(device)
    steps = max(1, epochs * (count // BATCH))
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(count)
        for start in range(0, count - BATCH + 1, BATCH):
            index = order[start : start + BATCH]
            images = shifted(pool[(epoch + 1) % copies, index], recipe.shift, recipe.flip, moves)
            scores = net(_grey(images, device))
            loss = functional.cross_entropy(scores, labels[index].to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            progress(BATCH)
    return net.eval()


@torch.no_grad()
def soft_labels(
    teacher: nn.Module, pool: Tensor, device: torch.device, progress: Callable[[int], object]
) -> Tensor:
    """Return the teacher's logits, (copies, N, classes) float16, for (copies, N, *shape) uint8."""
    return torch.stack([logits(teacher, copy, device, progress) for copy in pool])


@torch.no_grad()
def logits(
    teacher: nn.Module, images: Tensor, device: torch.device, progress: Callable[[int], object]
) -> Tensor:
    """Return the teacher's logits, (N, classes) float16, for (N, *shape) uint8."""
    found = []
    for start in range(0, len(images), 4 * BATCH):
        part = images[start : start + 4 * BATCH]
        found.append(teacher(_grey(part, device)).half().cpu())
        progress(len(part))
    return torch.cat(found)
