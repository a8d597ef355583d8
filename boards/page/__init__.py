"""The build page: one self-contained file that shows what a build is, takes, does and was checked with."""

from pathlib import Path

from sbnn.boards.page.facts import read_facts
from sbnn.boards.page.index import write_index
from sbnn.boards.page.page import PAGE, render
from sbnn.boards.page.state import judge
from sbnn.train.files import write_atomic

__all__ = ["PAGE", "write_index", "write_page"]


def write_page(folder: Path, refusal: str | None = None) -> Path:
    """Write report/index.html of a build folder and return its path.

    The page needs no network, no script and no other file; equal inputs give equal bytes. Steps without
    a report are shown as not run.

    Args:
        folder: build/<model>/<board>, with manifest.json and the model's network.npz above it.
        refusal: the sentence that the bitstream flow has just stopped with; None where it did not, and
            then the reports alone decide.

    Raises:
        UserError: no manifest or network, or a report that is broken; no page is written then.
    """
    facts = read_facts(folder)
    path = folder / PAGE
    write_atomic(path, render(facts, judge(facts, refusal)))
    return path
