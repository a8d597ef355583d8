"""make with MODEL=path/to/file.onnx: a network from elsewhere takes the way of a named model."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments):
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "goal", "reason"),
    [
        ("none", "hls", "no such file"),
        ("sbnn95", "bitstream", "sbnn95 is a model of train/models; give the file another name"),
        (
            "9lives",
            "hls",
            "a file name needs letters, digits, _ and - before .onnx, a letter first",
        ),
        ("net", "train", "is exported already; make hls, synth or bitstream go on from it"),
    ],
)
def test_refusals(name, goal, reason, tmp_path):
    path = tmp_path / f"{name}.onnx"
    if name != "none":
        path.touch()
    done = make(goal, f"MODEL={path}")
    assert done.returncode == 2
    assert done.stderr.endswith(f"*** MODEL={path}: {reason}.  Stop.\n")
    assert len(done.stderr.splitlines()) == 1


def test_the_steps_to_a_bitstream(tmp_path):
    """A dry run: the file is lowered as it is, under its stem, and all else is as for a named model."""
    path = tmp_path / "my-net.onnx"
    path.touch()
    ready = tmp_path / "ready"
    ready.touch()
    done = make("-n", "bitstream", f"MODEL={path}", "DIVIDE=255", f"READY={ready}")
    assert done.returncode == 0, done.stderr
    steps = [line for line in done.stdout.splitlines() if " -m " in line]
    assert "-m sbnn.train" not in done.stdout
    assert "-m sbnn.export" not in done.stdout
    lower = f"-m sbnn.hls lower {path} --divide 255 --name my-net --out build/my-net"
    assert any(lower in step for step in steps)
    assert any("-m sbnn.hls generate build/my-net/network.npz" in step for step in steps)
    assert any("-m sbnn.boards bitstream" in step for step in steps)
    assert not (ROOT / "build" / "my-net").exists()
