"""What the Vivado backend reads of Vivado's files; whole runs are in test_boards_build.py."""

from pathlib import Path

import pytest

from sbnn.boards.backends.vivado import read_result, read_utilization
from sbnn.boards.board import BoardError

RECORDED = Path(__file__).parent / "golden" / "boards"
RESULT = """\
build_id 0123456789abcdef
part xc7z020clg400-1
vivado 2024.1
clock_mhz 100
setup_slack_ns 1.25
hold_slack_ns 0.05
"""


def test_seven_series_report() -> None:
    assert read_utilization(RECORDED / "vivado_7series.rpt") == {
        "lut": 15342,
        "ff": 19120,
        "bram": 3,
        "dsp": 0,
    }, "2.5 block RAM tiles are three"


def test_ultrascale_report() -> None:
    assert read_utilization(RECORDED / "vivado_ultrascale.rpt") == {
        "lut": 14987,
        "ff": 19344,
        "bram": 2,
        "dsp": 0,
    }


def test_reports_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "utilization.rpt"
    with pytest.raises(BoardError, match="no such report"):
        read_utilization(path)
    path.write_text("| Slice LUTs | 12 | 0 |\n")
    with pytest.raises(BoardError) as error:
        read_utilization(path)
    assert str(error.value) == (f"{path}: not a report_utilization, Slice Registers is missing")


def test_result(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    with pytest.raises(BoardError, match="no such file; Vivado has not finished there"):
        read_result(path)
    path.write_text(RESULT)
    assert read_result(path)["setup_slack_ns"] == "1.25"
    path.write_text(RESULT.replace("hold_slack_ns 0.05\n", ""))
    with pytest.raises(BoardError) as error:
        read_result(path)
    assert str(error.value) == f"{path}: hold_slack_ns is missing"
