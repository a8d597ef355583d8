"""Find, check, download and split the data sets.

The held-out validation split comes out of the training images with a fixed seed, so every model and
every run choose on the same images; the test images choose nothing.
"""

import gzip
import hashlib
import os
import struct
import sys
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sbnn.train import cifar
from sbnn.train.config import ModelConfig, TrainError
from sbnn.train.files import write_atomic

UINT8 = NDArray[np.uint8]
INT64 = NDArray[np.int64]
VALIDATION = {"mnist": 5000, "fashion-mnist": 5000, "cifar10": 5000, "digits": 180}
SPLIT_SEED = 12345
SAMPLES = Path(__file__).parent  # <dataset>_sample.npz
ROOT = Path(__file__).resolve().parent.parent

# The files' published md5 sums.
FILES = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    "cifar10": {cifar.ARCHIVE: cifar.ARCHIVE_MD5},  # or another of `cifar.FORMS`
}
SOURCES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "cifar10": "https://www.cs.toronto.edu/~kriz/",
}


@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, *shape) uint8 and labels (N,) int64 for training, validation and test.

    `source` says what they are where the data set's name does not: a lossy copy, for example.
    """

    train_x: UINT8
    train_y: INT64
    val_x: UINT8
    val_y: INT64
    test_x: UINT8
    test_y: INT64
    source: str = ""


def places(folder: Path | None = None) -> list[Path]:
    """Return the folders that are searched, in order.

    A folder that the user names (`--data`, else SBNN_DATA), ../shared/data beside the repository,
    ~/.cache/sbnn. Each holds one folder per data set; a named one may also be that folder itself.
    """
    named = folder or (Path(os.environ["SBNN_DATA"]) if os.environ.get("SBNN_DATA") else None)
    first = [named] if named else []
    return [*first, ROOT.parent / "shared" / "data", Path.home() / ".cache" / "sbnn"]


def find(dataset: str, folder: Path | None = None) -> Path | None:
    """Return the first of `places` that holds `dataset`, else None: a folder, or what `cifar` reads.

    Raises:
        TrainError: the folder that the user named does not exist.
    """
    for index, place in enumerate(places(folder)):
        if folder is not None and index == 0 and not place.is_dir():
            raise TrainError(f"{place}: no such folder; --data needs one that holds {dataset}/")
        for candidate in (place / dataset, place):
            if dataset == "cifar10":
                form = cifar.find_form(candidate)
                if form is not None:
                    return form
                continue
            if all((candidate / name).is_file() for name in FILES[dataset]):
                return candidate
    return None


def load(config: ModelConfig, folder: Path | None = None) -> Split:
    """Return the data of `config`, downloading it to ~/.cache/sbnn when it is nowhere.

    Args:
        config: names the data set.
        folder: searched first.

    Raises:
        TrainError: a file is damaged, or nothing is found and the download failed.
    """
    dataset = config.input.dataset
    if dataset == "digits":
        return _digits()
    at = find(dataset, folder) or download(dataset)
    source = dataset
    if dataset == "cifar10":
        (images, labels), (test_x, test_y), source = cifar.read(at)
    else:
        arrays = [_idx(at / name, wanted) for name, wanted in FILES[dataset].items()]
        images, test_x = arrays[0], arrays[2]
        labels, test_y = arrays[1].astype(np.int64), arrays[3].astype(np.int64)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    held, rest = order[: VALIDATION[dataset]], order[VALIDATION[dataset] :]
    return Split(images[rest], labels[rest], images[held], labels[held], test_x, test_y, source)


def download(dataset: str) -> Path:
    """Fetch `dataset` to ~/.cache/sbnn/<dataset>, checking each md5 sum before keeping a file."""
    target = places()[-1] / dataset
    tried = ", ".join(str(place) for place in places()[:-1])
    for name, wanted in tqdm(FILES[dataset].items(), desc=f"download {dataset}", file=sys.stderr):
        url = SOURCES[dataset] + name
        try:
            with urllib.request.urlopen(url, timeout=60) as stream:  # a fixed https address
                content = stream.read()
        except OSError as error:
            raise TrainError(
                f"{dataset}: not in {tried}, and {url} cannot be fetched ({error}); put its "
                f"{len(FILES[dataset])} .gz files into {target}"
            ) from error
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != wanted:
            raise TrainError(f"{url}: what came is not the published file; nothing was kept")
        write_atomic(target / name, content)
    return target / cifar.ARCHIVE if dataset == "cifar10" else target


def _idx(path: Path, wanted: str) -> UINT8:
    """Read one gzipped IDX file of bytes, checked against its md5 sum."""
    content = path.read_bytes()
    have = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if have != wanted:
        raise TrainError(f"{path}: damaged, md5 is {have}, the published file has {wanted}")
    try:
        raw = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise TrainError(f"{path}: damaged, cannot be unpacked ({error})") from error
    dims = raw[3]
    shape = struct.unpack(f">{dims}I", raw[4 : 4 + 4 * dims])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def _digits() -> Split:
    """Return scikit-learn's digits (pixels 0 to 16): 1,257 to train, 180 held out, 360 to test."""
    from sklearn.datasets import load_digits  # slow to import, and only this model needs it

    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8), bunch.target.astype(np.int64)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(x))
    test, val, train = order[:360], order[360 : 360 + VALIDATION["digits"]], order[540:]
    return Split(x[train], y[train], x[val], y[val], x[test], y[test], "digits")


def sample_images(config: ModelConfig) -> tuple[UINT8, INT64]:
    """Return up to 200 real test images and labels, tracked or from a package: no data needed.

    Raises:
        TrainError: there is no sample of this data set.
    """
    dataset = config.input.dataset
    if dataset == "digits":
        split = _digits()
        return split.test_x[:200], split.test_y[:200]
    path = SAMPLES / f"{dataset}_sample.npz"
    if not path.is_file():
        raise TrainError(f"{dataset}: has no tracked sample images")
    with np.load(path, allow_pickle=False) as archive:
        return archive["images"], archive["labels"].astype(np.int64)
