"""What the binary network learns from: warped copies of the images and the teacher's soft labels.

Making them takes a minute for MNIST, so they are kept in a file named by all that decides them;
every model and every density with the same recipe and seed shares it. Without copies and teacher
the lessons are the images themselves.
"""

import dataclasses
import hashlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sbnn.train.augment import warped_copies
from sbnn.train.config import ModelConfig
from sbnn.train.data import Split
from sbnn.train.files import digest, write_atomic
from sbnn.train.process import Process
from sbnn.train.teacher import logits, soft_labels, train_teacher


@dataclass(frozen=True, eq=False)
class Lessons:
    """What the binary network learns from.

    Attributes:
        pixels: (copies, N, *shape) uint8; 0 and 255 where the input has a threshold.
        labels: (N,) int64.
        soft: (copies, N, classes) float16, the teacher's logits, or None.
        teacher_val: the teacher's accuracy on the validation split, or None.
        seconds: what making them took, whenever that was.
    """

    pixels: Tensor
    labels: Tensor
    soft: Tensor | None
    teacher_val: float | None
    seconds: float


def prepare(config: ModelConfig, split: Split, folder: Path, process: Process) -> Lessons:
    """Return the lessons of `config`; rank 0 makes them unless `folder` holds them already."""
    if config.distillation.copies == 1 and config.distillation.weight == 0:
        images = _seen(config, torch.from_numpy(split.train_x.copy())[None])
        return Lessons(images, torch.from_numpy(split.train_y.copy()), None, None, 0.0)
    mark = _mark(config, split)
    path = folder / f"{mark[:16]}.npz"
    kept = _read(path, mark)
    if kept is None and process.rank == 0:
        write_atomic(path, _make(config, split, mark, process))
    process.wait()
    kept = kept or _read(path, mark)
    if kept is None:
        raise OSError(f"{path}: written a moment ago, but cannot be read")
    return kept


def _mark(config: ModelConfig, split: Split) -> str:
    """Return the SHA-256 of all that decides the lessons."""
    recipe = dataclasses.asdict(config.distillation)
    if config.distillation.weight > 0:
        recipe["weight"] = 1  # how much the teacher counts is not the teacher's business
    recipe.pop("temperature")
    images = digest(split.train_x.tobytes() + split.train_y.tobytes())
    parts = [
        recipe,
        dataclasses.asdict(config.input),
        [config.training.seed, config.training.shift, config.training.flip],
        torch.__version__,
        images,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _seen(config: ModelConfig, pixels: Tensor) -> Tensor:
    """Return what the first layer can tell apart: 0 and 255 where the input has a threshold."""
    threshold = config.input.threshold
    return pixels if threshold is None else (pixels >= threshold).to(torch.uint8) * 255


def _make(config: ModelConfig, split: Split, mark: str, process: Process) -> bytes:
    start = time.perf_counter()
    recipe, seed = config.distillation, config.training.seed
    torch.manual_seed(seed)
    images, labels = torch.from_numpy(split.train_x.copy()), torch.from_numpy(split.train_y.copy())
    count, taught = len(images), recipe.weight > 0
    work = count * (recipe.copies - 1) + taught * count * (recipe.epochs + recipe.copies)
    soft, accuracy = torch.empty(0, dtype=torch.float16), None
    with process.bar(work, f"{config.name}: {'teacher' if taught else 'images'}") as bar:
        pool = warped_copies(images, recipe.copies, recipe.strength, seed, bar.update)
        if taught:
            net = train_teacher(pool, labels, config, process.device, bar.update)
            soft = soft_labels(net, pool, process.device, bar.update)
            held = logits(net, torch.from_numpy(split.val_x.copy()), process.device, lambda _: None)
            accuracy = float((held.argmax(1) == torch.from_numpy(split.val_y)).float().mean())
    seen = _seen(config, pool).numpy()
    packed = config.input.threshold is not None  # an eighth of the file
    header = {
        "mark": mark,
        "shape": seen.shape,
        "packed": packed,
        "teacher_val": accuracy,
        "seconds": time.perf_counter() - start,
    }
    stream = io.BytesIO()
    np.savez(
        stream,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        pixels=np.packbits(seen.reshape(-1) > 0) if packed else seen,
        labels=labels.numpy(),
        soft=soft.numpy(),
    )
    return stream.getvalue()


def _read(path: Path, mark: str) -> Lessons | None:
    """Return the lessons in `path`, None where there are none or they are damaged or others'."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            header: dict[str, Any] = json.loads(archive["header"].tobytes())
            if header["mark"] != mark:
                return None
            shape = tuple(header["shape"])
            pixels, labels, soft = archive["pixels"], archive["labels"], archive["soft"]
    except Exception:  # numpy and zip raise many kinds; making the lessons again mends all of them
        return None
    if header["packed"]:
        pixels = np.unpackbits(pixels, count=int(np.prod(shape))).reshape(shape) * np.uint8(255)
    return Lessons(
        pixels=torch.from_numpy(pixels),
        labels=torch.from_numpy(labels),
        soft=torch.from_numpy(soft) if soft.size else None,
        teacher_val=header["teacher_val"],
        seconds=header["seconds"],
    )
