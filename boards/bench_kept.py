"""The tracked JSON files in which the parts of the benchmark keep what they measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sbnn.train.files import write_atomic


def read_kept(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file, an empty one where there is no such file yet."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write_kept(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as such a file, one entry a line."""
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def forget(path: Path) -> None:
    """Empty every `key` of such a file, so that all of it is measured again; what was measured stays."""

    def emptied(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        return {name: "" if name == "key" else emptied(value) for name, value in found.items()}

    write_kept(path, emptied(read_kept(path)))
