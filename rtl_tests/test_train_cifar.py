"""CIFAR-10 in every form: equal images from all exact ones, damage named, no code out of pickles."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from sbnn.train import cifar, data
from sbnn.train.config import TrainError, load_config

RNG = np.random.default_rng(0)
LABELS = [RNG.permutation(10) for _ in range(6)]
IMAGES = [RNG.integers(0, 256, (10, 32, 32, 3), np.uint8) for _ in range(6)]
NAMES = (*cifar.BATCHES, "test_batch")


def planes(batch):
    return IMAGES[batch].transpose(0, 3, 1, 2).reshape(10, 3072)


def records(batch):
    return np.hstack([LABELS[batch][:, None].astype(np.uint8), planes(batch)]).tobytes()


def packed(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def binary(folder):
    target = folder / "cifar-10-batches-bin"
    target.mkdir()
    for index, name in enumerate(NAMES):
        (target / f"{name}.bin").write_bytes(records(index))
    return target


def python(folder):
    target = folder / "cifar-10-batches-py"
    target.mkdir()
    for index, name in enumerate(NAMES):
        table = {b"data": planes(index), b"labels": LABELS[index].tolist()}
        (target / name).write_bytes(pickle.dumps(table, protocol=2))
    return target


def archive(folder, monkeypatch):
    path = folder / cifar.ARCHIVE
    members = {f"cifar-10-batches-bin/{name}.bin": records(i) for i, name in enumerate(NAMES)}
    packed(path, members)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar, "ARCHIVE_MD5", md5)
    return path


def jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["bin", "py", "archive"])
def test_exact_forms_give_the_same_images(form, tmp_path, monkeypatch):
    path = (
        archive(tmp_path, monkeypatch)
        if form == "archive"
        else {"bin": binary, "py": python}[form](tmp_path)
    )
    assert cifar.find_form(tmp_path) == path
    (train_x, train_y), (test_x, test_y), source = cifar.read(path)
    assert source == "CIFAR-10"
    assert np.array_equal(train_x, np.concatenate(IMAGES[:5]))
    assert np.array_equal(train_y, np.concatenate(LABELS[:5]))
    assert np.array_equal(test_x, IMAGES[5])
    assert np.array_equal(test_y, LABELS[5])
    assert (train_x.dtype, train_y.dtype) == (np.uint8, np.int64)


def test_jpeg_copies_say_so_and_exact_forms_come_first(tmp_path):
    smooth = {
        name: np.full((32, 32, 3), 20 * label, np.uint8)
        for label, name in enumerate(cifar.CLASSES.split())
    }
    members = {
        f"{part}/{name}/000{i}.jpg": jpeg(image)
        for part in ("train", "test")
        for name, image in smooth.items()
        for i in range(2)
    }
    path = tmp_path / "cifar-10-jpeg" / "cifar-10-jpeg.tar.gz"
    packed(path, members)
    assert cifar.find_form(tmp_path) == path
    (train_x, train_y), (test_x, test_y), source = cifar.read(path)
    assert source == "JPEG copy of CIFAR-10"
    assert train_y.tolist() == test_y.tolist() == [label for label in range(10) for _ in range(2)]
    assert np.abs(train_x.astype(int) - 20 * train_y[:, None, None, None]).max() <= 2
    assert test_x.shape == (20, 32, 32, 3)
    exact = binary(tmp_path)
    assert cifar.find_form(tmp_path) == exact


def test_damage_is_named(tmp_path):
    folder = binary(tmp_path)
    (folder / "data_batch_3.bin").write_bytes(b"123")
    with pytest.raises(
        TrainError, match=r"data_batch_3\.bin: has 3 bytes, needs a multiple of 3073"
    ):
        cifar.read(folder)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(
        TrainError, match=r"data_batch_3\.bin: no such file; .* needs all six batches"
    ):
        cifar.read(folder)
    path = tmp_path / cifar.ARCHIVE
    path.write_bytes(b"login page")
    with pytest.raises(TrainError, match=r"binary\.tar\.gz: damaged, md5 is "):
        cifar.read(path)
    path = tmp_path / "cifar-10-jpeg.tar.gz"
    path.write_bytes(b"login page")
    with pytest.raises(TrainError, match=r"jpeg\.tar\.gz: damaged, cannot be unpacked"):
        cifar.read(path)


def test_a_pickle_runs_no_code(tmp_path):
    class Stranger:
        def __reduce__(self):
            return (pytest.fail, ("a stranger's code ran",))

    folder = python(tmp_path)
    (folder / "data_batch_1").write_bytes(pickle.dumps(Stranger(), protocol=2))
    with pytest.raises(TrainError, match=r"data_batch_1: not a batch of CIFAR-10 \(it asks for "):
        cifar.read(folder)


def test_the_split_holds_images_out(tmp_path, monkeypatch):
    monkeypatch.setitem(data.VALIDATION, "cifar10", 8)
    binary(tmp_path)
    split = data.load(load_config("cnv-sbnn95"), tmp_path)
    assert (split.train_x.shape, split.val_x.shape) == ((42, 32, 32, 3), (8, 32, 32, 3))
    assert split.source == "CIFAR-10"
    together = np.concatenate([split.train_x, split.val_x]).reshape(50, -1)
    assert sorted(map(bytes, together)) == sorted(
        map(bytes, np.concatenate(IMAGES[:5]).reshape(50, -1))
    )
