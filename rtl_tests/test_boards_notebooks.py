"""The three notebooks, executed without a browser on every transport that needs no hardware."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import tracked_network
from simulate import ROOT
from zynq_overlay import zynq_build

from sbnn.boards.closure import import_closure
from sbnn.boards.deploy import ENTRIES
from sbnn.boards.driver import DriverError
from sbnn.boards.run_notebooks import NAMES, Executed, run_notebook
from sbnn.train.config import load_config
from sbnn.train.data import sample_images

NOTEBOOKS = ROOT / "boards" / "notebooks"
IMAGES = 60


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    images, labels = sample_images(load_config("digits"))
    return zynq_build(tracked_network("digits"), images, labels, "own", folder)


def run_all(deploy: Path, out: Path, transport: str, simulated: bool) -> dict[str, Executed]:
    return {
        name: run_notebook(name, deploy, out, transport, simulated, images=IMAGES) for name in NAMES
    }


def pictures_are_drawn(executed: Executed, count: int) -> None:
    from matplotlib.image import imread

    assert len(executed.pictures) == count, executed.pictures
    for path in executed.pictures:
        pixels = imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 150, path
        assert pixels.min() < 0.3, f"{path} is blank"
        assert pixels.max() > 0.95


@pytest.mark.parametrize(
    ("transport", "simulated", "kind"),
    [
        ("reference", False, "transport reference (numpy, no hardware)"),
        ("verilator", False, "transport verilator (simulated)"),
        ("auto", True, "transport pynq-dma (simulated)"),
    ],
)
def test_notebooks_run(
    deploy: Path, tmp_path: Path, transport: str, simulated: bool, kind: str
) -> None:
    executed = run_all(deploy, tmp_path, transport, simulated)
    start, performance, inside = (executed[name] for name in NAMES)
    for one, pictures in ((start, 2), (performance, 3), (inside, 5)):
        assert kind in one.text
        pictures_are_drawn(one, pictures)
    assert f"{IMAGES} test images" in performance.text
    assert "EQUAL" in performance.text
    assert "accelerator = expected  yes, every one" in performance.text
    assert "Power: not measured, there is no hardware behind this transport." in performance.text
    assert "Place and route: not run here" in inside.text
    # A simulation's seconds are nobody's throughput.
    for one in executed.values():
        assert "images/s" not in one.text.replace("images/s inside the fabric", "")
    counted = "not counted" if transport == "reference" else " per image"
    assert counted in performance.text.split("counted cycles")[1]


@pytest.mark.regress
@pytest.mark.parametrize("dma", ["own", "axi_dma"])
def test_notebooks_run_on_mnist(tmp_path: Path, dma: str) -> None:
    """sbnn95 on the simulated board and, once, on the core alone."""
    images, labels = sample_images(load_config("sbnn95"))
    folder = zynq_build(tracked_network("sbnn95"), images, labels, dma, tmp_path)
    runs = [run_all(folder, tmp_path / "simulated", "auto", True)]
    if dma == "own":
        runs.append(run_all(folder, tmp_path / "verilator", "verilator", False))
    for executed in runs:
        assert "EQUAL" in executed[NAMES[1]].text
        for name, pictures in zip(NAMES, (2, 3, 5), strict=True):
            pictures_are_drawn(executed[name], pictures)


@pytest.mark.parametrize("model", ["digits", "digits-grey"])
def test_notebooks_need_only_the_deploy_folder(tmp_path: Path, model: str) -> None:
    """Their code in deploy/notebooks, with no other sbnn in reach than the driver beside it."""
    images, labels = sample_images(load_config(model))
    deploy = zynq_build(tracked_network(model), images, labels, "own", tmp_path)
    board = tmp_path / "deploy"
    (board / "notebooks").mkdir(parents=True)
    for path in deploy.iterdir():
        (board / path.name).write_bytes(path.read_bytes())
    for name, source in import_closure(ENTRIES).files.items():
        (board / name).parent.mkdir(parents=True, exist_ok=True)
        (board / name).write_bytes(source.read_bytes())
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        code = code.replace('TRANSPORT = "auto"', 'TRANSPORT = "reference"')
        (board / "notebooks" / f"{path.stem}.py").write_text(code)
    runner = (
        "import runpy, sys; [runpy.run_path(name) for name in sys.argv[1:]]; import sbnn.boards;"
    )
    runner += "print(sbnn.boards.__path__)"
    packages = Path(np.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", runner, *(f"{name}.py" for name in NAMES)],
        cwd=board / "notebooks",
        env={"PYTHONPATH": str(packages), "MPLBACKEND": "Agg", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(board / "sbnn" / "boards") in done.stdout.splitlines()[-1]
    assert "result                  EQUAL" in done.stdout


def test_a_failing_notebook_says_which_cell(deploy: Path, tmp_path: Path) -> None:
    """Wrong expected results: the validation's cell must fail, and the copy up to it is kept."""
    broken = tmp_path / "deploy"
    broken.mkdir()
    for path in deploy.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    with np.load(deploy / "images.npz") as archive:
        data = dict(archive)
    data["scores"][3, 4] += 1
    np.savez(broken / "images.npz", **data)
    with pytest.raises(
        DriverError,
        match=r"^2_validation_and_performance: cell \d+ failed \(AssertionError: the accelerator and",
    ):
        run_notebook(NAMES[1], broken, tmp_path / "out", "reference", images=IMAGES)
    copy = (tmp_path / "out" / f"{NAMES[1]}.ipynb").read_text()
    assert "DIFFERENT" in copy


def test_notebooks_are_tracked_without_outputs() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == sorted(NAMES)
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code), path
        (parameters,) = (cell for cell in code if "parameters" in cell["metadata"].get("tags", []))
        text = "".join(parameters["source"])
        assert all(f"\n{name} = " in f"\n{text}" for name in ("FOLDER", "TRANSPORT", "IMAGES"))
