"""Stand-ins for the vendor's and the open place-and-route tools, put on PATH by tests."""

import os
import shutil
import sys
from pathlib import Path

import pytest

TOOLS = ("vivado", "nextpnr-xilinx", "nextpnr-himbaechel", "fasm2frames", "xc7frames2bit")
STUBS = Path(__file__).parent / "vivado_stubs.tcl"

# Checks what it is asked, writes a log in nextpnr's words and a FASM that names its input.
_NEXTPNR = """\
import argparse, hashlib, pathlib, sys
parser = argparse.ArgumentParser(allow_abbrev=False)
if "--version" in sys.argv:
    print('"{name}" -- Next Generation Place and Route (Version 0.9-7)')
    sys.exit()
for flag in ("--json", "--freq", "--seed", "-l", {flags}):
    parser.add_argument(flag, required=True, action="append")
parser.add_argument("--timing-allow-fail", action="store_true", required=True)
parser.add_argument("-q", action="store_true")
given = vars(parser.parse_args())
outputs = dict(text.split("=", 1) for text in given.get("o", []))
fasm = outputs.get("fasm") or given["fasm"][0]
xdc = outputs.get("xdc") or given["xdc"][0]
netlist = pathlib.Path(given["json"][0]).read_bytes()
assert b'"modules"' in netlist and pathlib.Path(xdc).read_text()
if given.get("chipdb"):
    assert pathlib.Path(given["chipdb"][0]).is_file()
freq = float(given["freq"][0])
lines = open({log!r}).read().replace("@FREQ@", "%.2f" % freq)
pathlib.Path(given["l"][0]).write_text(lines)
pathlib.Path(fasm).write_text("# " + hashlib.sha256(netlist).hexdigest() + "\\n")
"""

_FASM2FRAMES = """\
import argparse, pathlib
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--part", required=True)
parser.add_argument("--db-root", required=True, type=pathlib.Path)
parser.add_argument("fasm", type=pathlib.Path)
parser.add_argument("frames", type=pathlib.Path)
given = parser.parse_args()
assert (given.db_root / given.part / "part.yaml").is_file()
given.frames.write_text("frames of " + given.fasm.read_text())
"""

_FRAMES2BIT = """\
import argparse, pathlib
parser = argparse.ArgumentParser(allow_abbrev=False)
for flag in ("--part_file", "--part_name", "--frm_file", "--output_file"):
    parser.add_argument(flag, required=True)
given = parser.parse_args()
assert pathlib.Path(given.part_file).is_file()
text = given.part_name + " " + pathlib.Path(given.frm_file).read_text()
pathlib.Path(given.output_file).write_text(text)
"""


def hide_tools(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Take every real tool that a test stands in for off PATH, and nothing else."""
    places = []
    for number, place in enumerate(os.environ["PATH"].split(os.pathsep)):
        if any(Path(place, name).exists() for name in TOOLS):
            shown = folder / str(number)
            shown.mkdir()
            for path in Path(place).iterdir():
                if path.name not in TOOLS:
                    (shown / path.name).symlink_to(path)
            place = str(shown)
        places.append(place)
    patch.setenv("PATH", os.pathsep.join(places))
    for name in ("PRJXRAY_DB_DIR", "CHIPDB"):
        patch.delenv(name, raising=False)


def put_vivado(folder: Path, patch: pytest.MonkeyPatch, scenario: str = "none") -> None:
    """Put a `vivado` on PATH that runs scripts in Tcl against the recording stand-in."""
    if shutil.which("tclsh") is None:
        pytest.skip("needs tclsh (package tcl)")
    _command(folder, "vivado", f'exec tclsh "{STUBS}" "$@"')
    patch.setenv("STUB_SCENARIO", scenario)
    patch.setenv("PATH", str(folder), prepend=os.pathsep)


def put_openxc7(
    folder: Path, patch: pytest.MonkeyPatch, placer: str, part: str, family: str, log: Path
) -> None:
    """Put the tools of the open flow on PATH; the placer answers with the recorded log."""
    flags = {
        "nextpnr-xilinx": '"--chipdb", "--xdc", "--fasm"',
        "nextpnr-himbaechel": '"--device", "--router", "-o"',
    }[placer]
    texts = {
        placer: _NEXTPNR.format(name=placer, flags=flags, log=str(log)),
        "fasm2frames": _FASM2FRAMES,
        "xc7frames2bit": _FRAMES2BIT,
    }
    for name, text in texts.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        _command(folder, name, f'exec "{sys.executable}" "{folder}/{name}.py" "$@"')
    database = folder / "database" / family / part
    database.mkdir(parents=True, exist_ok=True)
    (database / "part.yaml").write_text("part\n")
    (folder / "chips").mkdir(exist_ok=True)
    if placer == "nextpnr-xilinx":
        (folder / "chips" / f"{part.rpartition('-')[0]}.bin").write_text("chip\n")
    patch.setenv("PATH", str(folder), prepend=os.pathsep)
    patch.setenv("PRJXRAY_DB_DIR", str(folder / "database"))
    patch.setenv("CHIPDB", str(folder / "chips"))


def _command(folder: Path, name: str, line: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
