"""Read CIFAR-10 in the forms people have: binary or Python batches, their archive, JPEG copies.

All of them give 50,000 training and 10,000 test images, (32, 32, 3) uint8, and labels 0 (airplane) to
9 (truck). The JPEG copies are lossy and in another order: accuracies on them stand only beside each
other, so whatever was read says what it is.
"""

import hashlib
import io
import pickle
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sbnn.train.recipe import TrainError

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # (N, 32, 32, 3) and (N,)

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"  # in the labels' order
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
ARCHIVE, ARCHIVE_MD5 = "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"
# In the order they are looked for, the exact ones first.
FORMS = (
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    ARCHIVE,
    "cifar-10-jpeg.tar.gz",
    "cifar-10-jpeg/cifar-10-jpeg.tar.gz",
)


def find_form(folder: Path) -> Path | None:
    """Return the first of `FORMS` that is in `folder`, else None."""
    return next((folder / form for form in FORMS if (folder / form).exists()), None)


def read(path: Path) -> tuple[Batch, Batch, str]:
    """Return (training images, test images, what they are) from one of `FORMS`.

    Raises:
        TrainError: a file is missing or damaged.
    """
    if path.name == "cifar-10-batches-bin":
        batches = [_records(path / f"{name}.bin") for name in (*BATCHES, "test_batch")]
    elif path.name == "cifar-10-batches-py":
        batches = [_pickled(path / name) for name in (*BATCHES, "test_batch")]
    elif path.name == ARCHIVE:
        batches = list(_archive(path))
    else:
        train, test = _jpegs(path)
        return train, test, "JPEG copy of CIFAR-10"
    images, labels = zip(*batches[:5], strict=True)
    return (np.concatenate(images), np.concatenate(labels)), batches[5], "CIFAR-10"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TrainError(f"{path}: no such file; CIFAR-10 needs all six batches") from error


def _records(path: Path) -> Batch:
    return _parsed(_content(path), str(path))


def _parsed(content: bytes, where: str) -> Batch:
    """Return the images of one binary batch: label, 1,024 red, green and blue bytes each."""
    if len(content) == 0 or len(content) % 3073:
        raise TrainError(f"{where}: has {len(content)} bytes, needs a multiple of 3073")
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return _images(records[:, 1:]), records[:, 0].astype(np.int64)


def _images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 3072) planes -> (N, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class _ArraysOnly(pickle.Unpickler):
    """A pickle of arrays and plain values; anything else in it could run a stranger's code."""

    def find_class(self, module: str, name: str) -> Any:
        wanted = module.startswith("numpy") and name in ("_reconstruct", "ndarray", "dtype")
        if wanted or (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _pickled(path: Path) -> Batch:
    content = _content(path)
    try:
        table = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        rows, labels = np.asarray(table[b"data"], np.uint8), np.asarray(table[b"labels"], np.int64)
        return _images(rows.reshape(len(labels), 3072)), labels
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        raise TrainError(f"{path}: not a batch of CIFAR-10 ({error})") from error


def _archive(path: Path) -> Iterator[Batch]:
    content = path.read_bytes()
    have = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if have != ARCHIVE_MD5:
        raise TrainError(f"{path}: damaged, md5 is {have}, the published file has {ARCHIVE_MD5}")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in (*BATCHES, "test_batch"):
            member = archive.extractfile(f"cifar-10-batches-bin/{name}.bin")
            if member is None:
                raise TrainError(f"{path}: holds no {name}.bin")
            yield _parsed(member.read(), f"{path}: {name}.bin")


def _jpegs(path: Path) -> tuple[Batch, Batch]:
    """Read {train,test}/<class>/<index>.jpg from an archive, in the order of their names."""
    from PIL import Image  # only for this form

    labels = CLASSES.split()
    found: dict[str, tuple[int, NDArray[np.uint8]]] = {}
    try:
        with (
            tarfile.open(path) as archive,
            tqdm(total=60_000, desc=path.name, file=sys.stderr) as bar,
        ):
            for member in archive:
                stream = archive.extractfile(member) if member.name.endswith(".jpg") else None
                if stream is not None:
                    label = labels.index(member.name.split("/")[-2])
                    found[member.name] = label, np.asarray(Image.open(stream).convert("RGB"))
                    bar.update(1)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise TrainError(f"{path}: damaged, cannot be unpacked ({error})") from error
    parts = []
    for part in ("train", "test"):
        chosen = [found[name] for name in sorted(found) if f"{part}/" in name]
        if not chosen:
            raise TrainError(f"{path}: holds no {part}/<class>/<index>.jpg")
        numbers, images = zip(*chosen, strict=True)
        parts.append((np.stack(images), np.array(numbers, np.int64)))
    return parts[0], parts[1]
