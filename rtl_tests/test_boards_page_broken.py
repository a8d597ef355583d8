"""The build page where something is missing, old, broken, hostile or refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from networks import random_network
from pages import (
    add_checks,
    add_route,
    add_synthesis,
    build_folder,
    read,
    small_network,
    state,
    whole_folder,
)

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.page import write_page
from sbnn.boards.page.facts import read_facts
from sbnn.boards.page.state import judge
from sbnn.train.errors import UserError

REPORTS = (
    *("report/synth.json", "report/route.json", "report/verification.json"),
    "report/proof.json",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return whole_folder(tmp_path / "small" / "ulx3s")


HOSTILE = "</title></style><script>alert(1)</script>&amp;\"'<b>"


def test_everything_is_escaped(tmp_path: Path) -> None:
    folder = whole_folder(tmp_path / "a<b>&'\"c" / "ulx3s")
    add_checks(folder, name=HOSTILE, what=HOSTILE + "what\x00\x1b\ud800\uffff", tool=HOSTILE)
    for name in ("report/synth.json", "report/route.json"):
        table = json.loads((folder / name).read_text())
        if "clocks" in table:
            table |= {"backend": HOSTILE, "tools": {HOSTILE: HOSTILE}, "seconds": {HOSTILE: 1.0}}
            table["clocks"] = {HOSTILE: table["clocks"]["clk"]}
        else:
            table["tool"] = HOSTILE
        (folder / name).write_text(json.dumps(table))
    page = read(folder, refusal=HOSTILE)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "b" not in {tag for tag, _ in page.elements}
    assert page.text.count(HOSTILE) >= 8
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff\uffff]", page.source)


@pytest.mark.parametrize("name", [*REPORTS, "../export.json", "../lower.json"])
def test_a_missing_report_is_not_run(folder: Path, name: str) -> None:
    whole = read(folder)
    (folder / name).unlink()
    page = read(folder)
    assert "not run" not in whole.text
    assert "not run" in page.text
    assert f"no {name.removeprefix('../')}" in page.text.replace("/ ", "/")


def test_a_core_alone(tmp_path: Path) -> None:
    page = read(build_folder(tmp_path / "small" / "pynq-z2", small_network(), "pynq-z2"))
    assert state(page) == (
        "not run",
        (
            "Place and route has not run for this core (no report/route.json); "
            f"ways to a bitstream of pynq-z2: {', '.join(load_board('pynq-z2').flows)}."
        ),
    )
    assert "There is no bitstream yet." in page.text
    assert "not measured" in page.words
    rows = page.tables["From torch to the bitstream, each step against the one before it"]
    assert [row[1] for row in rows[1:]] == ["not run"] * 6


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("report/synth.json", "rtl_digest"),
        ("report/route.json", "build_id"),
        ("report/verification.json", "rtl_digest"),
        ("report/verification.json", "network_digest"),
        ("report/proof.json", "rtl_digest"),
        ("report/proof.json", "network_digest"),
        ("../export.json", "qonnx_digest"),
        ("../lower.json", "network_digest"),
    ],
)
def test_a_report_of_another_build_is_not_run(folder: Path, name: str, key: str) -> None:
    table = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(table | {key: "0123456789abcdef"}))
    page = read(folder)
    assert "not run" in page.text
    assert re.search(rf"{Path(name).name} is of \w", page.text)


@pytest.mark.parametrize("name", [*REPORTS, "manifest.json", "../export.json", "../lower.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "{}", '{"format": 1}', "\udcff"])
def test_a_broken_file_is_one_sentence(folder: Path, name: str, text: str) -> None:
    before = write_page(folder).read_bytes()
    path = folder / name
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(UserError) as error:
        write_page(folder)
    message = str(error.value)
    assert message.startswith(str(folder / name).replace(f"/{folder.name}/..", "")), message
    assert "\n" not in message and len(message) < 400
    assert (folder / "report" / "index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("report/synth.json", ("total", "lut"), -1),
        ("report/synth.json", ("total", "lut"), "many"),
        ("report/synth.json", ("layers", "fc1"), None),
        ("report/route.json", ("clocks", "clk", "achieved_mhz"), float("nan")),
        ("report/route.json", ("clocks", "clk", "achieved_mhz"), float("inf")),
        ("report/route.json", ("routed", "lut"), 7),
        ("report/route.json", ("seconds",), []),
        ("report/verification.json", ("checks",), {"name": 1}),
        ("report/verification.json", ("format",), "sbnn-verification-9"),
        ("../lower.json", ("proved",), 5),
    ],
)
def test_a_wrong_value_is_one_sentence(
    folder: Path, name: str, keys: tuple[str, ...], value: object
) -> None:
    table = json.loads((folder / name).read_text())
    inner = table
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (folder / name).write_text(json.dumps(table))
    with pytest.raises(BoardError, match=re.escape(Path(name).name) + ": "):
        write_page(folder)
    assert not (folder / "report" / "index.html").exists()


def test_files_that_contradict_each_other(folder: Path) -> None:
    other = random_network(5, largest=20)
    other.save(folder.parent / "network.npz")
    with pytest.raises(
        BoardError, match=r"was generated from network .* make hls generates it again"
    ):
        write_page(folder)
    (folder.parent / "network.npz").unlink()
    with pytest.raises(BoardError, match=r"network.npz: no such file; make hls writes it"):
        write_page(folder)


def test_latency_below_its_parts(folder: Path) -> None:
    path = folder / "manifest.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps(table | {"latency_cycles": 2}))
    with pytest.raises(BoardError, match="latency_cycles is 2, less than its stages take together"):
        write_page(folder)


def test_states(folder: Path) -> None:
    assert state(read(folder)) == (
        "bitstream made",
        "bitfile/small.bit was made by the yosys backend.",
    )
    assert state(read(folder, refusal="It is Sunday.")) == ("no bitstream", "It is Sunday.")
    (folder / "bitfile/small.bit").unlink()
    assert state(read(folder))[0] == "not run"
    add_route(folder, mhz=24.5, bitfile=False)
    assert state(read(folder)) == (
        "refused",
        "It misses its timing: clk reaches 24.50 MHz, needs 25.00 MHz.",
    )
    add_checks(folder, result="3 of 217 differ")
    word, why = state(read(folder))
    assert word == "refused" and "3 of 217 differ" in why
    add_synthesis(folder, lut=90_000)
    word, why = state(read(folder))
    assert word == "refused"
    assert re.fullmatch(r"It does not fit: LUT [\d,]+ of 83,640 \(synthesis, core\)\.", why)
    assert state(read(folder, refusal="It is too large.")) == ("refused", "It is too large.")


def test_an_estimate_refuses_only_beyond_its_error(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "small" / "ulx3s", small_network())
    facts = read_facts(folder)
    lut = facts.board.budget.lut
    for share, name in ((1.09, "not run"), (1.11, "refused")):
        estimate = {"fc1": 0, "fc2": 0, "streams": round(share * lut)}
        assert judge(replace(facts, estimate=estimate)).name == name
