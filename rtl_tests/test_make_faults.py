"""Disk full, read-only folders, Ctrl-C and kill: the next run works and nothing half-written is left."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lively import lively_network
from networks import ROOT
from summary import count
from test_make_determinism import TIMED, contents

from sbnn.hls.tools import run_tool

SBNN = [sys.executable, "-m"]
GENERATE = "sbnn.hls generate network.npz --out build/ulx3s --board ulx3s --levels 3 --family ecp5"
BITSTREAM = "sbnn.boards bitstream --board ulx3s --build build/ulx3s"
# What a tool leaves behind is judged by its stage's note; these are written by us, whole or not at all. The
# notes and reports say how long the tools took, so only that they are whole can be asked.
OURS = (".sv", ".npz", "ulx3s/manifest.json", ".lpf", ".bit")
NOTES = (*TIMED, *(f"stages/{stage}.json" for stage in ("synthesis", "route", "pack")))


@pytest.fixture
def place(tmp_path) -> Path:
    lively_network(12, 24).save(tmp_path / "network.npz")
    return tmp_path


def start(place: Path, command: str, **options) -> subprocess.Popen[str]:
    (place / "build").mkdir(exist_ok=True)
    shutil.copy(place / "network.npz", place / "build")
    return subprocess.Popen(
        [*SBNN, *command.split()],
        cwd=place,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def run(place: Path, command: str, **options) -> tuple[int, str]:
    process = start(place, command, **options)
    _, said = process.communicate()
    return process.returncode, said


def clean(place: Path, *commands: str) -> dict[str, bytes]:
    """Return what undisturbed commands write."""
    for command in commands:
        code, said = run(place, command)
        assert code == 0, said
    made = contents(place / "build")
    shutil.rmtree(place / "build")
    return made


def is_untouched(found: dict[str, bytes], whole: dict[str, bytes]) -> None:
    """Fail where a file of ours is there that is neither whole nor as it should be."""
    for name, content in found.items():
        if name.endswith(NOTES):
            json.loads(content)
        elif name.endswith(OURS):
            assert content == whole[name], f"{name} has {len(content)} of {len(whole[name])} bytes"


@pytest.mark.parametrize("limit", [900, 5000])
def test_disk_full(place, limit):
    """Every file longer than the limit fails to be written, as on a full disk."""
    whole = clean(place, GENERATE)
    code, said = run(
        place,
        GENERATE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert code == 2
    assert said == "sbnn.hls: File too large\n"
    is_untouched(contents(place / "build"), whole)
    assert not list((place / "build" / "ulx3s").rglob(".*.sv.*")), "a part is left"
    assert not (place / "build" / "ulx3s" / "manifest.json").exists()
    assert run(place, GENERATE) == (0, "")
    assert contents(place / "build") == whole
    count("full disks")


def test_read_only(place):
    whole = clean(place, GENERATE)
    folder = place / "build"
    folder.mkdir()
    command = [*SBNN, *GENERATE.split()]
    if os.geteuid() == 0:  # to whom modes say nothing
        if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
            pytest.skip("root without mount namespaces cannot be kept from writing")
        protect = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", protect, str(folder), *command]
    else:
        folder.chmod(0o555)
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("sbnn.hls: ")
    assert "ead-only" in done.stderr or "ermission denied" in done.stderr
    assert not list(folder.iterdir())
    assert run(place, GENERATE) == (0, "")
    assert contents(folder) == whole


def stopped(place: Path, command: str, how: signal.Signals, seconds: float) -> None:
    """Stop a command, and what it started where it is Ctrl-C, after some seconds."""
    process = start(place, command)
    time.sleep(seconds)
    try:
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
    except ProcessLookupError:
        pass
    _, said = process.communicate()
    assert process.returncode in (0, 130, -how), said
    if process.returncode == 130:
        assert said.endswith("stopped\n")


def check_stops(place: Path, commands: list[str], times: int, longest: float) -> None:
    whole = clean(place, *commands)
    drawn = random.Random(times)
    for n in range(times):
        how = (signal.SIGINT, signal.SIGKILL)[n % 2]
        for command in commands[:-1]:
            assert run(place, command)[0] == 0
        stopped(place, commands[-1], how, drawn.uniform(0.2, longest))
        count("stops")
        is_untouched(contents(place / "build"), whole)
    for command in commands:
        code, said = run(place, command)
        assert code == 0, said
    made = contents(place / "build")
    timed = ("report/", "stages/", "deploy/")
    assert {n: c for n, c in made.items() if not any(t in n for t in timed)} == {
        n: c for n, c in whole.items() if not any(t in n for t in timed)
    }


def test_stopped_while_generating(place):
    check_stops(place, [GENERATE], 4, 1.5)


@pytest.mark.regress
@pytest.mark.long
def test_stopped_in_any_stage_of_a_bitstream(place):
    """12 times at random within the minute that verifying, synthesis, place and route and packing take."""
    check_stops(place, [GENERATE, BITSTREAM], 12, 60)


@pytest.mark.regress
@pytest.mark.parametrize("limit", [1000, 30_000, 300_000])
def test_disk_full_in_a_bitstream(place, limit):
    whole = clean(place, GENERATE, BITSTREAM)
    assert run(place, GENERATE)[0] == 0
    code, said = run(
        place,
        BITSTREAM,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert code != 0
    assert "Traceback" not in said
    assert not list((place / "build").rglob("*.bit"))
    code, said = run(place, BITSTREAM)
    assert code == 0, said
    name = "ulx3s/bitfile/random12.bit"
    assert contents(place / "build")[name] == whole[name]
    count("full disks")


TOOL = """
import sys
from pathlib import Path
from sbnn.hls.tools import run_tool
run_tool(["sh", "-c", "echo $$ > pid; sleep 300"], Path(sys.argv[1]), Path(sys.argv[1]) / "log")
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed (Linux)")
def test_a_tool_ends_with_the_build_that_started_it(tmp_path):
    """Else it would go on writing into the folder that the next build works in."""
    process = subprocess.Popen([sys.executable, "-c", TOOL, str(tmp_path)], cwd=ROOT)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        time.sleep(0.05)
    tool = int((tmp_path / "pid").read_text())
    process.kill()
    process.wait()
    for _ in range(100):
        state = Path(f"/proc/{tool}/stat")
        if not state.exists() or state.read_text().split()[2] in "ZX":
            return
        time.sleep(0.1)
    os.kill(tool, signal.SIGKILL)
    pytest.fail("the tool outlived its build")


CUT_OFF = """
import sys
from pathlib import Path
from sbnn.hls.tools import ToolError, run_tool
place, script = Path(sys.argv[1]), sys.argv[2]
try:
    run_tool(["sh", "-c", script], place, Path(sys.argv[3]) / "log")
except ToolError as error:
    print(error)
"""


def test_a_tool_that_says_nothing_of_a_full_disk(tmp_path):
    """yosys and nextpnr end with status 0 whatever became of their files."""
    write = 'head -c 200000 /dev/zero > "$PWD/out" 2> /dev/null; exit 0'
    argv = [sys.executable, "-c", CUT_OFF, str(tmp_path), write, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert done.stdout == (
        f"{tmp_path}: out has reached the limit of 5000 bytes a file, "
        "so sh may have written half of its files\n"
    )
    small = tmp_path / "small"
    small.mkdir()
    mount = 'mount -t tmpfs -o size=128k none "$0" && exec "$@"'
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs root and mount namespaces to make a small disk")
    argv[3] = str(small)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, str(small), *argv],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{small}: the disk is full (0 bytes are free), so sh may have")


def test_run_tool_still_passes_the_status_on(tmp_path):
    run_tool(["sh", "-c", "exit 0"], tmp_path, tmp_path / "log")
    with pytest.raises(ValueError, match="sh failed"):
        run_tool(["sh", "-c", "exit 3"], tmp_path, tmp_path / "log")
