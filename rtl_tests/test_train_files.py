"""Files are whole or not there, and two builds never share a folder."""

import signal
import subprocess
import sys
import time

import pytest

from sbnn.train.files import reserved, write_atomic

HOLD = """
import sys, time
from pathlib import Path
from sbnn.train.files import reserved
with reserved(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
WRITE = """
import sys
from pathlib import Path
from sbnn.train.files import write_atomic
print("ready", flush=True)
for n in range(10**9):
    write_atomic(Path(sys.argv[1]), bytes([n % 251]) * 3_000_000)
"""


def start(script, *arguments):
    """Start a script in a process of its own; return it when it has said its first word."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline()
    return process


def test_a_second_build_waits_and_says_so(tmp_path, capfd):
    holder = start(HOLD, tmp_path / "build", 1.0)
    began = time.monotonic()
    with reserved(tmp_path / "build"):
        waited = time.monotonic() - began
    assert holder.wait() == 0
    assert waited > 0.5
    assert (
        capfd.readouterr().err
        == f"{tmp_path / 'build'}: another build is at work there, waiting for it\n"
    )


def test_a_killed_build_leaves_no_lock(tmp_path, capfd):
    holder = start(HOLD, tmp_path / "build", 60)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with reserved(tmp_path / "build"):
        pass
    assert not (tmp_path / "build").exists()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("delay", [0.05, 0.11, 0.23, 0.31])
def test_killed_while_writing(tmp_path, delay):
    """Whoever reads sees one whole content, whenever the writer is killed."""
    path = tmp_path / "weights"
    writer = start(WRITE, path)
    time.sleep(delay)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    if path.exists():
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert len(set(content)) == 1


def test_equal_bytes_are_not_written_again(tmp_path):
    path = tmp_path / "a" / "b"
    assert write_atomic(path, "one")
    before = path.stat().st_mtime_ns
    assert not write_atomic(path, "one")
    assert path.stat().st_mtime_ns == before
    assert write_atomic(path, b"two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["b"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
