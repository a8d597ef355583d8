"""Options of the test run, and the path of the benches."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--build", help="a build folder whose core test_design simulates (make sim)")
    parser.addoption("--images", type=int, default=1000, help="images that make sim uses")
