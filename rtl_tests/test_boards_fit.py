"""Which layer takes how much of a board, before any synthesis."""

import subprocess
import sys
from dataclasses import replace

import pytest
from networks import ROOT, tracked_network

from sbnn.boards.backends.fit import budget_table, check_estimate, estimate_parts
from sbnn.boards.board import BoardError, load_board
from sbnn.hls.design import Choices
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.generate import generate


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    folder = tmp_path_factory.mktemp("core")
    return folder, generate(tracked_network("digits"), Choices(), "pynq-z2", folder)


def small(board, lut):
    return replace(board, budget=replace(board.budget, lut=lut))


def test_xilinx_boards_are_filled_by_sites(core):
    _, manifest = core
    assert estimate_parts(load_board("ulx3s"), manifest) == estimate_layers(manifest, "ecp5")
    sites = estimate_parts(load_board("pynq-z2"), manifest)
    assert (
        sites
        == estimate_layers(manifest, "xc7", "sites")
        == estimate_parts(load_board("zcu104"), manifest)
    )
    assert sum(sites.values()) < sum(estimate_layers(manifest, "xc7").values())


def test_table_of_a_board_that_is_too_small(core):
    _, manifest = core
    parts = estimate_parts(load_board("pynq-z2"), manifest)
    largest = max(parts, key=lambda name: parts[name])
    board = small(load_board("pynq-z2"), parts[largest] - 1)
    title, *rows = budget_table(board, manifest).splitlines()
    assert title == f"digits on pynq-z2, which has {parts[largest] - 1:,} LUTs; estimated:"
    found = {row.split()[0]: row.split()[1:] for row in rows}
    assert {name: int(found[name][0]) for name in parts} == parts
    assert found["total"][0] == str(sum(parts.values()))
    over = {name for name, words in found.items() if words[-3:] == ["exceeds", "the", "board"]}
    assert over == {name for name, count in parts.items() if count >= parts[largest]} | {"total"}


def test_a_refusal_names_the_largest_layers(core):
    _, manifest = core
    board = small(load_board("pynq-z2"), 100)
    parts = estimate_parts(board, manifest)
    with pytest.raises(BoardError) as caught:
        check_estimate(board, manifest)
    message = str(caught.value)
    assert f"it needs about {sum(parts.values())} LUT of 100 (estimate: " in message
    first, second, third, fourth = sorted(parts, key=lambda name: -parts[name])
    assert (
        f"{first} {parts[first]}, {second} {parts[second]}, {third} {parts[third]}, ...)" in message
    )
    assert f"{fourth} {parts[fourth]}" not in message
    check_estimate(load_board("pynq-z2"), manifest)


def test_command_line(core):
    folder, manifest = core
    argv = [sys.executable, "-m", "sbnn.boards", "estimate", "--board", "ulx3s"]
    done = subprocess.run(
        [*argv, "--build", str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == budget_table(load_board("ulx3s"), manifest)
