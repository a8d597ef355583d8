"""Look at an .npz file before numpy reads it: what it would take up, and that it holds arrays only."""

import zipfile
from math import prod
from pathlib import Path

import numpy as np

# A network of 2**28 weights, the most that is read, is 32 MiB of packed bits.
MOST_BYTES = 1 << 28
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def check_archive(path: Path, most: int = MOST_BYTES) -> None:
    """Raise `ValueError` where an .npz file would unpack to more than it should, or to objects.

    numpy reserves what an array's header says and zip unpacks whatever was packed: a file of a few kilobytes
    could ask for all memory. Only the directory and the headers are read here.

    Args:
        path: the file.
        most: bytes of all arrays together.

    Raises:
        ValueError: says which entry and why.
        zipfile.BadZipFile: not a zip archive.
        OSError: the file cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
        if total > most:
            raise ValueError(f"it unpacks to {total} bytes, at most {most} are read")
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                version = np.lib.format.read_magic(stream)
                if version not in _READERS:
                    raise ValueError(f"{entry.filename} has the format {version}, needs 1.0 or 2.0")
                shape, _, dtype = _READERS[version](stream)
                if dtype.hasobject:
                    raise ValueError(f"{entry.filename} holds Python objects, needs numbers")
                size = prod(shape) * dtype.itemsize
                held = entry.file_size - stream.tell()
                if size != held:
                    raise ValueError(f"{entry.filename} claims {size} bytes and holds {held}")
