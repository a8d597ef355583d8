"""The tracked JSON files in which the parts of the benchmark keep what they measured."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from sbnn.train.files import write_atomic

Row = TypeVar("Row")
Found = TypeVar("Found")


def measure_each(
    rows: Sequence[Row],
    measure: Callable[[Row], Found],
    keep: Callable[[Row, Found], None],
    jobs: int,
    title: str,
) -> None:
    """Measure rows, `jobs` at once, and keep each when it is done; a row that fails loses no other.

    Args:
        rows: what to measure.
        measure: called in threads of its own; its work should be in tools' processes.
        keep: called with a row and its figures, one row at a time.
        jobs: rows at once.
        title: of the progress bar.

    Raises:
        Exception: the first that a row raised, after those then under way were kept. No further ones begin.
    """
    failed = None
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(measure, row): row for row in rows}
        try:
            for done in tqdm(as_completed(waiting), desc=title, total=len(rows), unit="row"):
                if done.cancelled():
                    continue
                if error := done.exception():
                    failed = failed or error
                    # Not the pool's own way, which never tells as_completed of those that it cancels.
                    for later in waiting:
                        later.cancel()
                    continue
                keep(waiting[done], done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failed:
        raise failed


def read_kept(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file, an empty one where there is no such file yet."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write_kept(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as such a file, one entry a line."""
    write_atomic(path, json.dumps(content, indent=1) + "\n")


def keep_row(path: Path, place: Sequence[str], found: Any, order: Sequence[str]) -> None:
    """Put one row into such a file and the rows beside it into their order.

    Args:
        path: the file.
        place: keys of the row, its own name last.
        found: its figures.
        order: names of all rows beside it; others are dropped.
    """
    content = read_kept(path)
    rows = content
    for name in place[:-1]:
        rows = rows.setdefault(name, {})
    known = {**rows, place[-1]: found}
    rows.clear()
    rows.update({name: known[name] for name in order if name in known})
    write_kept(path, content)


def forget(path: Path) -> None:
    """Empty every `key` of such a file, so that all of it is measured again; what was measured stays."""

    def emptied(found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        return {name: "" if name == "key" else emptied(value) for name, value in found.items()}

    write_kept(path, emptied(read_kept(path)))
