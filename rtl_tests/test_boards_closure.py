"""The walk over imports, and what runs on a board by it."""

from pathlib import Path

import pytest

from sbnn.boards.closure import import_closure
from sbnn.boards.deploy import ENTRIES


def test_what_runs_on_the_board_needs_numpy_only() -> None:
    closure = import_closure(ENTRIES)
    assert set(closure.others) <= {"numpy", "pynq", "serial"}
    assert {"sbnn/boards/driver.py", "sbnn/hls/reference.py", "sbnn/train/errors.py"} < set(
        closure.files
    )


def test_the_closure_follows_every_kind_of_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "sbnn_x/__init__.py": "",
        "sbnn_x/a.py": "import json\nfrom sbnn_x import b\ndef f():\n    from .c import g\n",
        "sbnn_x/b.py": "import numpy.random\n",
        "sbnn_x/c.py": "import sbnn_x.deep.d as d\ng = 1\n",
        "sbnn_x/deep/__init__.py": "from .. import e\n",
        "sbnn_x/deep/d.py": "",
        "sbnn_x/e.py": "import pynq\n",
        "sbnn_x/unused.py": "import torch\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sbnn.boards.closure.PACKAGE", "sbnn_x")
    closure = import_closure(["sbnn_x.a"])
    assert set(closure.files) == set(texts) - {"sbnn_x/unused.py"}
    assert closure.others == ("numpy", "pynq")
    with pytest.raises(ModuleNotFoundError):
        import_closure(["sbnn_x.nothing"])
