"""Every aim is met, missed or not measured by its own figures alone."""

import copy

import pytest

from sbnn.boards import bench_aims
from sbnn.boards.bench_aims import aims_table
from sbnn.boards.bench_clock import read_clock_results
from sbnn.boards.bench_figure import our_points
from sbnn.boards.bench_layers import read_layer_results
from sbnn.boards.bench_models import metrics, read_results
from sbnn.boards.bench_scale import read_scale_results


@pytest.fixture
def measured():
    """Return copies of what `make bench` keeps."""
    kept = (read_results(), read_layer_results(), read_scale_results(), read_clock_results())
    return dict(
        zip(("results", "layers", "scale", "clocks"), map(copy.deepcopy, kept), strict=True)
    )


def _verdicts(measured):
    ours = our_points(measured["results"]["models"], metrics())
    lines = aims_table(**measured, ours=ours).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {aim: met for aim, _, met in cells}


def _change(table, *path, to):
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = to


@pytest.mark.parametrize(
    ("path", "worse", "aims"),
    [
        (
            ("results", "models", "sbnn95", "synthesis", "xc7", "total", "sites"),
            15_000,
            ("sbnn95, whole core: at most 0.85 LUT6 sites per one",),
        ),
        (
            ("layers", "layers", "sbnn98/fc2", "plus", "xc7", "sites"),
            1,
            ("sbnn98: below `+` trees on every layer",),
        ),
        (
            ("layers", "layers", "sbnn95/fc4", "da4ml", "xc7", "sites"),
            1,
            ("sbnn95: below da4ml on every layer",),
        ),
        (
            ("layers", "layers", "tfc-sbnn95/fc1", "ours", "xc7", "sites"),
            10_000,
            tuple(
                f"tfc-sbnn95: {than}"
                for than in (
                    "at least 10x below dense, unshared",
                    "at least 7x below dense, shared",
                    "below `+` trees on every layer",
                    "below da4ml on every layer",
                )
            ),
        ),
        (
            ("clocks", "ecp5", "sbnn95", "mhz"),
            149.9,
            ("150 MHz on ECP5 by nextpnr",),
        ),
        (
            ("scale", "points", "17000", "generate", "peak_mb"),
            2_000,
            ("QONNX to RTL, 17,000 ones: under 10 s, 1 GB",),
        ),
        (
            ("scale", "points", "1000000", "lower", "seconds"),
            1_000,
            ("QONNX to RTL, linear from 100,000 ones to a million",),
        ),
    ],
    ids=lambda given: given[-1] if isinstance(given, tuple) else None,
)
def test_a_worse_figure_misses_its_aims_only(measured, path, worse, aims):
    before = _verdicts(measured)
    _change(measured, *path, to=worse)
    after = _verdicts(measured)
    assert {aim for aim in before if before[aim] != after[aim]} <= set(aims)
    assert {after[aim] for aim in aims} == {"no"}


def test_what_is_not_measured_is_a_dash(measured):
    del measured["results"]["models"]["sbnn95"]
    del measured["layers"]["layers"]["sbnn98/fc3"]["ours"]
    measured["clocks"]["xc7"] = {}
    measured["scale"]["points"] = {}
    found = _verdicts(measured)
    dashes = {aim for aim, met in found.items() if met == "-"}
    assert dashes == {
        "sbnn95, whole core: at most 0.85 LUT6 sites per one",
        "sbnn98: at least 10x below dense, unshared",
        "sbnn98: at least 7x below dense, shared",
        "sbnn98: below `+` trees on every layer",
        "sbnn98: below da4ml on every layer",
        "250 MHz on 7-series -1 by the delay model",
    }
    assert not [aim for aim in found if aim.startswith("QONNX to RTL")]


def test_accuracy_counts_only_what_fits():
    points = [("lut4k", 3_999, 97.9), ("lenet-lut4k", 4_001, 99.0), ("sbnn95", 9_000, 98.4)]
    assert list(bench_aims._accuracy(points)) == [
        ("98 % on MNIST in 4,000 LUT6", "97.90 % (lut4k, 3,999)", False),
        ("98 % on MNIST in 4,000 LUT6, an image a cycle", "97.90 % (lut4k, 3,999)", False),
        ("98.4 % on MNIST in 9,000 LUT6", "99.00 % (lenet-lut4k, 4,001)", True),
        ("98.4 % on MNIST in 9,000 LUT6, an image a cycle", "98.40 % (sbnn95, 9,000)", True),
    ]
    assert [met for *_, met in bench_aims._accuracy([])] == [None] * 4
