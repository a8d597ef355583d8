"""Write files whole or not at all, name them by content, and keep builds apart that share a folder."""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_atomic(path: Path, content: bytes | str) -> bool:
    """Write `content` to `path` through a neighbour file; return whether the bytes changed.

    An equal file is left untouched, so that make does not rebuild what hangs on it. A reader, or a
    process killed at any moment, sees the old file or the new one, never a part.
    """
    payload = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == payload:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
        Path(neighbour).chmod(0o644)
        Path(neighbour).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(neighbour).unlink()
        raise
    return True


@contextlib.contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Hold a build folder until the end of the block; a second build of it says so and waits.

    The lock is a file beside the folder. It ends with the process, however that ends, so nothing stale is
    ever in the way.

    Raises:
        OSError: the folder's parent cannot be made or written.
    """
    import fcntl  # not on Windows, where the driver reads deploy folders but nothing is built

    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"{folder}: another build is at work there, waiting for it\n")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
