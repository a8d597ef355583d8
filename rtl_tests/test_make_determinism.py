"""Two builds in different folders, by different users on different days, give the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lively import lively_conv_network, lively_network
from simulate import ROOT
from summary import count

# What a build is told by its surroundings and must not care about.
WORLDS = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "USER": "one", "SOURCE_DATE_EPOCH": "0"},
    {
        "PYTHONHASHSEED": "4242",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C.UTF-8",
        "USER": "two",
        "COLUMNS": "40",
    },
)
XC7 = "--board arty-a7-35t --levels 3 --family xc7"
ICE40 = "--board icebreaker --levels 4 --family ice40"
UMASKS = (0o022, 0o077)
# What says how long something took, or where, or names the bytes of such a file.
SPOKEN = (".log", ".out", "report/index.html")
TIMED = ("report/verification.json", "report/route.json", "deploy/manifest.json")


def build(folder: Path, number: int, *commands: str) -> Path:
    """Run commands of sbnn in a folder of their own, in one of the worlds; return the build folder."""
    place = folder / ("here" if number == 0 else "somewhere else/deeper")
    home = folder / f"home{number}"
    (place / "build").mkdir(parents=True)
    home.mkdir()
    env = {key: value for key, value in os.environ.items() if key not in WORLDS[0] | WORLDS[1]}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=place,
            env=env | WORLDS[number] | {"HOME": str(home)},
            umask=UMASKS[number],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return place / "build"


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a build."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_generated_files(tmp_path):
    """RTL, manifest and the scripts and sources that Vivado gets."""
    lively_network(19).save(tmp_path / "bits.npz")
    lively_conv_network(7).save(tmp_path / "pixels.npz")
    commands = [
        line
        for name in ("bits", "pixels")
        for line in (
            f"sbnn.hls generate {tmp_path}/{name}.npz --out build/{name}/arty {XC7}",
            f"sbnn.boards vivado-project --board arty-a7-35t --build build/{name}/arty",
        )
    ]
    first, second = (contents(build(tmp_path, n, *commands)) for n in range(2))
    assert list(first) == list(second)
    assert any(name.endswith(".tcl") for name in first)
    assert sum(name.endswith(".sv") for name in first) > 20
    for name, content in first.items():
        assert content == second[name], name
        assert str(tmp_path).encode() not in content, name
    count("files with the same bytes", len(first))


def test_lowered_graphs(tmp_path):
    """What FINN's passes make of a graph, named tensors included."""
    commands = (
        "sbnn.export digits --out build/digits/model.onnx",
        "sbnn.hls lower build/digits/model.onnx --name digits --out build/digits",
    )
    first, second = (contents(build(tmp_path, n, *commands)) for n in range(2))
    assert sum("intermediate_models/" in name for name in first) > 25
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    count("files with the same bytes", len(first))


@pytest.mark.regress
def test_everything_up_to_the_bitstream(tmp_path):
    """Export, lowering, RTL, netlist, placement and bitstream of digits on the icebreaker."""
    commands = [
        "sbnn.export digits --out build/digits/model.onnx",
        "sbnn.hls lower build/digits/model.onnx --name digits --out build/digits",
        f"sbnn.hls generate build/digits/network.npz --out build/digits/icebreaker {ICE40}",
        "sbnn.boards bitstream --board icebreaker --build build/digits/icebreaker",
    ]
    first, second = (contents(build(tmp_path, n, *commands)) for n in range(2))
    assert list(first) == list(second)
    differ = {name for name in first if first[name] != second[name]}
    timed = {
        name
        for name in first
        if name.endswith((*SPOKEN, *TIMED)) or ("/stages/" in name and name.endswith(".json"))
    }
    netlist = "digits/icebreaker/stages/top.json"
    assert differ <= timed - {netlist}, differ
    count("files with the same bytes", len(first) - len(differ))
    for name in ("digits/network.npz", netlist, "digits/icebreaker/bitfile/digits.bin"):
        assert name in first
    assert str(ROOT).encode() not in first["digits/icebreaker/bitfile/digits.bin"]
