"""The README's table is what the tracked reports say."""

import json

import pytest

from sbnn.boards.bench import (
    BEGIN,
    END,
    ESTIMATED,
    MEASURED,
    RESULTS,
    ROOT,
    metrics,
    results_table,
    with_table,
)
from sbnn.hls.tools import ToolError

README = ROOT / "README.md"


def test_readme_shows_the_tracked_results():
    results = json.loads(RESULTS.read_text())
    assert list(results) == [*MEASURED, *ESTIMATED]
    text = README.read_text()
    assert with_table(text, results_table(results, metrics())) == text


def test_results_are_of_the_tracked_trained_files():
    """The ones of each result are those of its model's metrics, and so of its trained file."""
    results, trained = json.loads(RESULTS.read_text()), metrics()
    for name, figures in results.items():
        assert figures["ones"] == trained[name]["sparsity"]["ones"], name
        for family in figures["synthesis"].values():
            assert sum(layer["ones"] for layer in family["layers"].values()) == figures["ones"]


def test_estimates_are_within_15_percent_of_synthesis():
    for name, figures in json.loads(RESULTS.read_text()).items():
        for family, report in figures["synthesis"].items():
            for layer, counts in report["layers"].items():
                ratio = counts["lut_estimate"] / counts["lut"]
                assert abs(ratio - 1) < 0.15, (name, family, layer, ratio)


def test_a_readme_without_its_marks_is_refused():
    with pytest.raises(ToolError) as caught:
        with_table("no marks", "table")
    assert str(caught.value) == f"README.md: the lines {BEGIN} and {END} are missing"
