"""Runs graph passes by name; a failure becomes one sentence, the graphs a folder for Netron."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError
from sbnn.train.files import write_atomic

FATAL = 4  # onnxruntime's severity; its errors are raised as exceptions, too


class Recorder:
    """Runs one named pass after the other and keeps the graph after each in a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.passes: list[str] = []

    def publish(self, target: Path) -> None:
        """Put the graphs in the place of those of an earlier run: a refusal leaves nothing behind."""
        if self.folder is None:
            return
        graphs = sorted(self.folder.iterdir())
        kept = {path.name for path in graphs}
        if target.is_dir():
            for stale in target.glob("[0-9][0-9]_*.onnx"):
                if stale.name not in kept:
                    stale.unlink()
        for path in graphs:
            write_atomic(target / path.name, path.read_bytes())

    def __call__(
        self, name: str, graph: Any, change: Callable[[Any], ModelWrapper]
    ) -> ModelWrapper:
        """Return the changed graph; an exception becomes a `LoweringError` with the pass's name."""
        try:
            with quiet():
                model = change(graph)
        except LoweringError:
            raise
        except Exception as error:  # FINN and qonnx raise bare exceptions and assertions
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise LoweringError(f"pass {name} failed on this graph ({reason})") from error
        if self.folder is not None:
            content = model.model.SerializeToString(deterministic=True)
            (self.folder / f"{len(self.passes):02d}_{name}.onnx").write_bytes(content)
        self.passes.append(name)
        return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence FINN's, qonnx's and onnxruntime's warnings, which are about layouts and shapes."""
    level = logging.root.manager.disable
    onnxruntime.set_default_logger_severity(FATAL)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
