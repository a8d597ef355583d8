"""What holds for the whole tree: import order, packaging, the lock, the Makefile's messages."""

import ast
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["train", "export", "hls", "boards"]
# Only these may import FINN: everything else works without its seconds of start-up.
FINN_FACING = {"hls/lower.py", "hls/finn_passes.py", "hls/finn_nodes.py"}
TORCH = {"torch", "brevitas"}
NUMPY_ONLY = [
    *(f"hls/{name}.py" for name in ("maps", "layer", "network", "manifest", "reference")),
    *(f"boards/{name}.py" for name in ("driver", "protocol", "registers", "validate")),
]


def imports(path: Path):
    """Give (line, module) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def modules(stage: str) -> list[Path]:
    return sorted((ROOT / stage).rglob("*.py"))


def test_imports_go_one_way():
    wrong = []
    for order, stage in enumerate(STAGES):
        for path in modules(stage):
            where = path.relative_to(ROOT).as_posix()
            for line, name in imports(path):
                parts = name.split(".")
                if parts[0] == "sbnn" and len(parts) > 1 and STAGES.index(parts[1]) > order:
                    wrong.append(f"{where}:{line}: imports {name}")
                if parts[0] == "finn" and where not in FINN_FACING:
                    wrong.append(f"{where}:{line}: imports {name}")
                if parts[0] in TORCH and stage in ("hls", "boards"):
                    wrong.append(f"{where}:{line}: imports {name}")
    assert not wrong, "\n".join(wrong)


def test_what_runs_on_a_board_needs_numpy_only():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'onnx', 'qonnx', 'finn', 'brevitas']));"
        "import sbnn.hls.network, sbnn.hls.reference, sbnn.boards.driver;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('scipy', 'sklearn', 'serial', 'cocotb')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_modules_are_short():
    long = [
        f"{p.relative_to(ROOT)}: {n}"
        for s in [*STAGES, "rtl_tests"]
        for p in modules(s)
        if (n := len(p.read_text().splitlines())) > 400
    ]
    assert not long, long


def test_wheel_holds_what_git_tracks(tmp_path):
    tracked = subprocess.run(
        ["git", "ls-files", *STAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # A copy, because setuptools leaves build/ behind and would pack what an older build left there.
    for name in [*tracked, "pyproject.toml", "README.md", "LICENSE"]:
        target = tmp_path / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(tmp_path),
            str(tmp_path / "tree"),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("sbnn/")}
    documents = (".md", ".svg", "bench.json", "results.json")
    wanted = {f"sbnn/{name}" for name in tracked if not name.endswith(documents)}
    assert packed == wanted, f"missing {sorted(wanted - packed)}, extra {sorted(packed - wanted)}"


def test_environment_is_the_lock():
    pins = [
        line.split("#")[0].strip() for line in (ROOT / "requirements.lock").read_text().splitlines()
    ]
    wrong = [
        pin
        for pin in pins
        if pin and version(pin.split("==")[0]).split("+")[0] != pin.split("==")[1]
    ]
    assert not wrong, wrong


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def names(stage: str, entry: str) -> str:
    return " ".join(sorted(path.parent.name for path in (ROOT / stage).glob(entry)))


def test_make_lists_every_target():
    lines = make().stdout.splitlines()
    listed = [line.split()[1] for line in lines if line.startswith("  make ")]
    targets = [
        "setup",
        "train",
        "export",
        "hls",
        "sim",
        "synth",
        "bitstream",
        "test",
        "regress",
        "lint",
        "bench",
        "clean",
    ]
    assert set(targets) <= set(listed)
    assert all(len(line.split()) > 2 for line in lines if line.startswith("  make "))


@pytest.mark.parametrize("target", ["train", "export", "hls", "sim", "synth", "bitstream"])
def test_make_names_the_models_there_are(target):
    done = make(target, "MODEL=foo")
    there = names("train/models", "*/config.toml")
    assert done.returncode == 2
    assert f"MODEL=foo: no train/models/foo/config.toml; there are: {there}.  Stop." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_make_names_a_model_that_was_not_trained(tmp_path):
    (tmp_path / "train" / "models" / "new").mkdir(parents=True)
    (tmp_path / "train" / "models" / "new" / "config.toml").touch()
    done = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), "export", "MODEL=new"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    wanted = "MODEL=new: no train/models/new/trained.npz; make train MODEL=new writes it.  Stop."
    assert wanted in done.stderr


@pytest.mark.parametrize("target", ["hls", "sim", "synth", "bitstream"])
def test_make_names_the_boards_there_are(target):
    done = make(target, "BOARD=zybo")
    there = names("boards", "*/board.toml")
    assert done.returncode == 2
    assert f"BOARD=zybo: no boards/zybo/board.toml; there are: {there}.  Stop." in done.stderr


def test_set_up_names_a_missing_tool(tmp_path):
    for tool in ("bash", "python3", "perl", "make", "dirname", "env"):
        (tmp_path / tool).symlink_to(
            subprocess.run(
                ["which", tool], capture_output=True, text=True, check=True
            ).stdout.strip()
        )
    done = subprocess.run(
        ["bash", ".ci/setup.sh", "python3", str(tmp_path / "venv")],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "setup: g++ is not installed; it comes with the Debian package g++\n"
    assert not (tmp_path / "venv").exists()
