"""From a trained module to the integer network of its core, without a build folder."""

from typing import Any

from sbnn.boards.board import Board
from sbnn.hls.design import Choices
from sbnn.hls.network import Network
from sbnn.train.config import ModelConfig


def network_of(module: Any, config: ModelConfig) -> Network:
    """Return the integer network that `make hls` would make of a module.

    Args:
        module: a finalised `sbnn.train.model.SparseBinaryNet`.
        config: its config.
    """
    # Brevitas and FINN take seconds to import.
    from sbnn.export.qonnx import write_qonnx
    from sbnn.hls.lower import lower

    return lower(write_qonnx(module, config.input.shape, {}), config.name)


def choices_of(board: Board) -> Choices:
    """Return the choices with which `make hls` generates a core for a board."""
    return Choices(levels_per_stage=board.levels_per_stage, family=board.family)
