"""Options of the test run, and the path of the benches."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--build", help="a build folder whose core test_design simulates (make sim)")
    parser.addoption("--images", type=int, default=1000, help="images that make sim uses")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what compiles for a minute or two: at the end one worker would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
