"""Readers of yosys' and nextpnr's reports on recorded ones, and what is said of a board's limits."""

import json
from pathlib import Path

import pytest

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.reports import (
    Timing,
    check_fit,
    check_timing,
    congestion,
    logic_cells,
    read_route,
    read_synthesis,
    shares,
)

RECORDED = Path(__file__).parent / "golden" / "boards"
ULX3S = load_board("ulx3s")
# sbnn95 in its shell.
SYNTHESISED = {"lut": 29105, "ff": 9236, "bram": 2}
ROUTED = {"lut": 29155, "ff": 9236, "bram": 2, "dsp": 0}
ACHIEVED = 48.770973205566406


def test_recorded_yosys_statistic() -> None:
    assert read_synthesis(RECORDED / "yosys_ecp5.json", "ecp5") == SYNTHESISED


def test_recorded_nextpnr_report() -> None:
    used, clocks = read_route(RECORDED / "nextpnr_ecp5.json", "ecp5")
    assert used == ROUTED
    assert clocks == {"clk": Timing(achieved_mhz=ACHIEVED, needed_mhz=25.0)}
    assert clocks["clk"].met
    assert shares(ULX3S, used)["bram"] == {"used": 2, "budget": 208, "percent": 1.0}


@pytest.mark.parametrize(
    ("family", "synthesised", "routed", "clock"),
    [
        (
            "ice40",
            {"lut": 2136, "ff": 1321, "bram": 10},
            {"lut": 2695, "bram": 10, "dsp": 0},
            (35.18, 12.0),
        ),
        (
            "gowin",
            {"lut": 2103, "ff": 1277, "bram": 2},
            {"lut": 2574, "ff": 1277, "bram": 2, "dsp": 0},
            (179.53, 27.0),
        ),
    ],
)
def test_recorded_reports_of_the_other_families(
    family: str, synthesised: dict[str, int], routed: dict[str, int], clock: tuple[float, float]
) -> None:
    """The digits model in the shells of the iCEBreaker and the Tang Nano 20K."""
    assert read_synthesis(RECORDED / f"yosys_{family}.json", family) == synthesised
    used, clocks = read_route(RECORDED / f"nextpnr_{family}.json", family)
    assert used == routed
    assert list(clocks) == ["clk"]
    assert (round(clocks["clk"].achieved_mhz, 2), round(clocks["clk"].needed_mhz, 2)) == clock


def netlist(path: Path, family: str) -> Path:
    """Write a netlist of three LUTs and four flip-flops; a feeds a flip-flop, b that and more."""
    lut, ff, out = {"ice40": ("SB_LUT4", "SB_DFF", "O"), "gowin": ("LUT2", "DFFE", "F")}[family]

    def cell(kind: str, **bits: int) -> dict[str, object]:
        return {
            "type": kind,
            "port_directions": {
                port: "output" if port in ("O", "F", "Q") else "input" for port in bits
            },
            "connections": {port: [bit] for port, bit in bits.items()},
        }

    cells = [
        cell(lut, I0=2, **{out: 10}),
        cell(lut, I0=2, **{out: 11}),
        cell(lut, I0=11, **{out: 12}),
        cell(ff, D=10, Q=20),
        cell(ff, D=11, Q=21),
        cell(ff, D=2, Q=22),
        cell(ff, D=22, Q=23),
    ]
    top = {
        "attributes": {"top": "1"},
        "ports": {"out": {"bits": [12, 20, 21, 23]}, "in": {"bits": [2]}},
        "cells": {f"c{n}": found for n, found in enumerate(cells)},
    }
    path.write_text(json.dumps({"modules": {"lib": {"attributes": {}, "cells": {}}, "top": top}}))
    return path


def test_cells_that_a_lut_and_a_flip_flop_share(tmp_path: Path) -> None:
    # 3 LUTs; alone are the two flip-flops without a LUT, and on iCE40 the one whose LUT feeds another.
    assert logic_cells(netlist(tmp_path / "a.json", "ice40"), "ice40") == 3 + 3
    assert logic_cells(netlist(tmp_path / "b.json", "gowin"), "gowin") == 3 + 2
    (tmp_path / "c.json").write_text('{"modules": {}}')
    with pytest.raises(BoardError, match="not a netlist of yosys"):
        logic_cells(tmp_path / "c.json", "gowin")


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
        read_route(path, "ecp5")
    assert str(error.value).startswith(f"{path}: {message}")
    path.write_text("{}")
    with pytest.raises(BoardError, match="not a yosys statistic"):
        read_synthesis(path, "ecp5")


def test_a_report_without_a_clock(tmp_path: Path) -> None:
    table = json.loads((RECORDED / "nextpnr_ecp5.json").read_text())
    path = tmp_path / "nextpnr.json"
    path.write_text(json.dumps(table | {"fmax": {}}))
    with pytest.raises(BoardError, match="nextpnr found no clock"):
        read_route(path, "ecp5")


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


def rounds(*overused: int) -> str:
    """Return nextpnr's lines for rounds of routing with so many wires that have two users."""
    lines = [
        f"Info:     iter={i} wires=175663 overused={n} overuse={n + 9} archfail=NA"
        for i, n in enumerate(overused, 1)
    ]
    return "\n".join(["Info: Running main router loop...", *lines, ""])


def test_a_router_that_stands_still_is_hopeless():
    """The first are lut4k's on an ECP5-85F; a routable design's last wires may take their time."""
    lut4k = (14491, 10989, 8766, 7178, 6434, 6019, 5771, 5639, 5777, 5800, 5785, 5897)
    assert [congestion(rounds(*lut4k[:n])) for n in range(12)] == [None] * 12
    assert congestion(rounds(*lut4k)) == (
        "after 12 rounds of routing 5,897 wires have more than one user, no fewer than 5 rounds before; so "
        "many connections between so few LUTs need another device or fewer ones"
    )
    assert congestion(rounds(9000, 400, 9, 2, 1, 1, 1, 1, 1, 2)) is None
    assert congestion("") is None
