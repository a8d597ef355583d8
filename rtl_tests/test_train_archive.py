"""Files of numpy arrays from anywhere: no code runs, no memory goes, before they are refused."""

import io
import pickle
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from networks import random_network

from sbnn.hls.network import NetworkError, load
from sbnn.train.archive import check_archive
from sbnn.train.config import TrainError
from sbnn.train.trained import trained_digest

MEBIBYTE = 1 << 20


class Stranger:
    """A pickle that makes a folder when it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.folder),)


def npy(shape, content=b"", descr="|u1") -> bytes:
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


def archive_of(path, **entries: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.fixture
def bad(tmp_path):
    """Return one file of each sort, with what is said of it."""
    zeros = bytes(300 * MEBIBYTE)
    objects = npy((1,), pickle.dumps([Stranger(tmp_path / "ran")]), "|O")
    return {
        "bomb": (archive_of(tmp_path / "a.npz", header=zeros), "unpacks to 314572800 bytes"),
        "claim": (
            archive_of(tmp_path / "b.npz", header=npy((1 << 40,))),
            "claims 1099511627776 bytes and holds 0",
        ),
        "objects": (archive_of(tmp_path / "c.npz", header=objects), "holds Python objects"),
        "format": (archive_of(tmp_path / "d.npz", header=b"\x93NUMPY\x09\x00"), "format (9, 0)"),
        "text": (archive_of(tmp_path / "e.npz", header=b"{}"), "magic string"),
        "escape": (archive_of(tmp_path / "f.npz", **{"../../out": npy((1,), b"1")}), "header"),
    }


def test_refused_in_one_sentence(bad, tmp_path):
    for path, reason in bad.values():
        with pytest.raises(NetworkError) as network:
            load(path)
        with pytest.raises(TrainError) as trained:
            trained_digest("digits", path)
        for error in (network, trained):
            said = str(error.value)
            assert reason in said
            assert said.startswith(f"{path}: not a ")
            assert "\n" not in said
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path.parent.parent / "out.npy").exists()


def test_a_whole_file_is_read(tmp_path):
    path = tmp_path / "network.npz"
    random_network(1).save(path)
    check_archive(path)
    with pytest.raises(ValueError, match="at most 100 are read"):
        check_archive(path, 100)


def test_with_little_memory(bad):
    """In a process that may not have 200 MiB more than Python and numpy, nothing but the sentence comes."""
    command = [sys.executable, "-m", "sbnn.hls", "generate", "--board", "x", "--out", "x"]
    limit = 1536 * MEBIBYTE  # address space; numpy's libraries alone map about 1 GiB
    for name in ("bomb", "claim"):
        done = subprocess.run(
            [*command, str(bad[name][0])],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        assert done.returncode == 2, done.stderr
        assert bad[name][1] in done.stderr
        assert "Traceback" not in done.stderr
