"""Write files whole or not at all, and name them by content."""

import contextlib
import hashlib
import os
import tempfile
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


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
