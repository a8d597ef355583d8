"""Search order, damaged files, splits, samples: with small stand-in files, no network."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from sbnn.train import data
from sbnn.train.config import TrainError, load_config


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Three places that could hold a tiny "mnist"; none does yet."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (6000, 28, 28), np.uint8),
        rng.integers(0, 10, 6000, np.uint8),
        rng.integers(0, 256, (50, 28, 28), np.uint8),
        rng.integers(0, 10, 50, np.uint8),
    ]
    contents = dict(zip(data.FILES["mnist"], map(idx, arrays), strict=True))
    sums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(data.FILES, "mnist", sums)
    monkeypatch.setattr(data, "ROOT", tmp_path / "a" / "repo")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SBNN_DATA", raising=False)

    def fill(folder):
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return folder

    return tmp_path, fill, arrays


def test_search_order(small, monkeypatch):
    root, fill, _ = small
    assert data.find("mnist") is None
    cache = fill(root / "home" / ".cache" / "sbnn" / "mnist")
    assert data.find("mnist") == cache
    shared = fill(root / "a" / "shared" / "data" / "mnist")
    assert data.find("mnist") == shared
    named = fill(root / "env" / "mnist")
    monkeypatch.setenv("SBNN_DATA", str(root / "env"))
    assert data.find("mnist") == named
    flag = fill(root / "flag")
    assert data.find("mnist", flag) == flag  # the folder itself will do
    with pytest.raises(TrainError, match="no such folder; --data needs one that holds mnist/"):
        data.find("mnist", root / "nowhere")


def test_split_is_fixed_disjoint_and_complete(small):
    root, fill, arrays = small
    fill(root / "d" / "mnist")
    config = load_config("sbnn95")
    split, again = data.load(config, root / "d"), data.load(config, root / "d")
    assert split.train_x.shape == (1000, 28, 28)
    assert split.val_x.shape == (5000, 28, 28)
    assert np.array_equal(split.val_x, again.val_x)
    assert np.array_equal(split.test_x, arrays[2])
    together = np.concatenate([split.train_x, split.val_x]).reshape(6000, -1)
    assert sorted(map(bytes, together)) == sorted(map(bytes, arrays[0].reshape(6000, -1)))


def test_damaged_file_is_named(small):
    root, fill, _ = small
    path = fill(root / "d" / "mnist") / "t10k-labels-idx1-ubyte.gz"
    wanted = data.FILES["mnist"][path.name]
    path.write_bytes(path.read_bytes()[:-3])
    have = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(TrainError) as caught:
        data.load(load_config("sbnn95"), root / "d")
    assert str(caught.value) == (f"{path}: damaged, md5 is {have}, the published file has {wanted}")


def test_missing_data_says_where_it_looked(small, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setattr(data.urllib.request, "urlopen", refuse)
    with pytest.raises(
        TrainError, match=r"not in .*shared/data, and https.* \(no network\); put its"
    ):
        data.load(load_config("sbnn95"))


def test_download_keeps_nothing_that_is_not_the_published_file(small, monkeypatch):
    root, fill, _ = small
    served = fill(root / "server")
    monkeypatch.setitem(data.SOURCES, "mnist", served.as_uri() + "/")
    assert data.find("mnist", data.download("mnist")) == root / "home" / ".cache" / "sbnn" / "mnist"
    (served / "train-labels-idx1-ubyte.gz").write_bytes(b"login page")
    kept = root / "home" / ".cache" / "sbnn" / "mnist" / "train-labels-idx1-ubyte.gz"
    kept.unlink()
    with pytest.raises(TrainError, match=r"labels.*is not the published file; nothing was kept"):
        data.download("mnist")
    assert not kept.exists()


def test_samples_are_real_images():
    shapes = {"sbnn95": (200, 28, 28), "fashion-sbnn95": (200, 28, 28), "digits": (200, 8, 8)}
    for name, shape in shapes.items():
        images, labels = data.sample_images(load_config(name))
        assert images.shape == shape
        assert images.dtype == np.uint8
        assert set(labels) == set(range(10))
    assert hashlib.md5(data.sample_images(load_config("sbnn95"))[0].tobytes()).hexdigest() == (
        "94ea92adcd56f37991fc5af034e3a174"
    )
