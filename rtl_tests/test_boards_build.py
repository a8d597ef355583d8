"""The whole bitstream command: every refusal, and a complete deploy folder that validates itself."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_tools import hide_tools, put_vivado
from networks import ROOT, random_network, tracked_network

from sbnn.boards.board import BOARDS, BoardError, load_board
from sbnn.boards.build import make_bitstream, make_deploy
from sbnn.boards.driver import open_accelerator
from sbnn.boards.simulated_pynq import simulated_board
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import ManifestError, load_manifest
from sbnn.hls.network import Network
from sbnn.hls.synth import synthesise
from sbnn.train.files import digest

PYNQ, ARTY = load_board("pynq-z2"), load_board("arty-a7-35t")


@pytest.fixture(autouse=True)
def only_stand_ins(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_tools(tmp_path_factory.mktemp("path"), monkeypatch)


def core(network: Network, board: str, folder: Path) -> Path:
    """Return build/<model>/<board> with core, network and synthesis, as make leaves them."""
    place = folder / network.name / board
    levels = load_board(board).levels_per_stage
    generate(network, Choices(levels_per_stage=levels), board, place)
    network.save(place.parent / "network.npz")
    synthesise(place, load_manifest(place / "manifest.json"), load_board(board).family)
    return place


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return core(tracked_network("digits"), "pynq-z2", tmp_path_factory.mktemp("digits"))


@pytest.fixture
def build(digits: Path, tmp_path: Path) -> Path:
    shutil.copytree(digits.parent, tmp_path / "digits")
    return tmp_path / "digits" / "pynq-z2"


def bitstream(
    build: Path, command: str = "bitstream", *more: str
) -> subprocess.CompletedProcess[str]:
    place = f"{build.parent.name}/{build.name}"
    run = [sys.executable, "-m", "sbnn.boards", command, "--board", build.name, "--build", place]
    return subprocess.run(
        [*run, *more], cwd=build.parent.parent, capture_output=True, text=True, check=False
    )


def bare_python(folder: Path) -> list[str]:
    """Return a Python that sees numpy, the standard library and nothing else, as on a board."""
    site = folder / "site"
    site.mkdir()
    source = Path(np.__file__).parent
    for path in source.parent.glob("numpy*"):
        (site / path.name).symlink_to(path)
    return ["env", f"PYTHONPATH={site}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-S"]


def test_make_passes_everything_on() -> None:
    asked = ["bitstream", "BOARD=pynq-z2", "MODEL=digits", "BACKEND=vivado", "VENV=/venv"]
    done = subprocess.run(["make", "-n", *asked], cwd=ROOT, capture_output=True, text=True)
    assert (
        "/venv/bin/python -m sbnn.boards bitstream --board pynq-z2 --build build/digits/pynq-z2 "
        "--backend vivado"
    ) in done.stdout
    for target in ("vivado-project", "deploy", "page", "index", "run_notebooks"):
        rule = {"index": "page", "run_notebooks": "notebooks"}.get(target, target)
        done = subprocess.run(
            ["make", "-n", rule, *asked[1:]], cwd=ROOT, capture_output=True, text=True
        )
        assert re.search(rf"-m sbnn\.boards[ .]{target} .*build", done.stdout)


def test_a_whole_run_with_vivado(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch)
    done = bitstream(build)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "BACKEND=auto: vivado, the first choice of pynq-z2"
    assert lines[1].startswith("openxc7: ")
    assert "verified: 200 real images equal" in lines
    assert lines[-2].startswith(
        "digits/pynq-z2/bitfile/digits.bit: 4321 LUT (8.1 %), 3456 FF (3.2 %)"
    )
    assert lines[-1] == "digits/pynq-z2/deploy: copy this folder to TUL PYNQ-Z2 or its host"
    assert "implementation [4/6" in done.stderr, "the steps of the script move the bar"
    assert (build / "report" / "index.html").is_file()
    report = json.loads((build / "report" / "route.json").read_text())
    assert report["clocks"]["clk"]["achieved_mhz"] == pytest.approx(1000 / (10 - 1.25), abs=0.01)

    deploy = build / "deploy"
    manifest = json.loads((deploy / "manifest.json").read_text())
    assert manifest["link"] == {"kind": "zynq", "baud": 0, "dma": "axi_dma", "clock_mhz": 100.0}
    assert manifest["build_id"] == load_manifest(build / "manifest.json").build_id
    present = {path.relative_to(deploy).as_posix() for path in deploy.rglob("*") if path.is_file()}
    assert present == {*manifest["files"], "manifest.json"}
    assert manifest["files"] == {
        name: digest((deploy / name).read_bytes()) for name in manifest["files"]
    }
    needed = {"digits.bit", "digits.hwh", "network.npz", "images.npz", "validate.py", "README.md"}
    needed |= {"requirements.txt", "report/route.json", "report/verification.json"}
    assert needed < present
    notebooks = {path.name for path in (BOARDS / "notebooks").glob("*.ipynb")}
    assert {Path(name).name for name in present if name.endswith(".ipynb")} == notebooks
    with np.load(deploy / "images.npz") as images:
        assert images["images"].shape == (360, 8, 8)
        assert (images["classes"] == images["labels"]).mean() > 0.9

    # The folder alone, on a machine that has numpy and nothing else.
    away = tmp_path / "away"
    shutil.copytree(deploy, away)
    run = [*bare_python(tmp_path), str(away / "validate.py")]
    checked = subprocess.run(
        [*run, "--transport", "reference"], cwd="/", capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "EQUAL" in checked.stdout
    with np.load(away / "images.npz") as images:
        changed = dict(images)
    changed["classes"] = (changed["classes"] + 1) % 10
    np.savez(away / "images.npz", **changed)
    checked = subprocess.run([*run, "--transport", "reference"], capture_output=True, check=False)
    assert checked.returncode == 1
    refused = subprocess.run(run, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "pynq is not installed" in refused.stderr

    # On a board: the real pynq package over the Verilated design beside a model of axi_dma.
    for transport in ("pynq-dma", "pynq-fifo"):
        with (
            simulated_board(deploy),
            open_accelerator(deploy, transport) as accelerator,
            np.load(deploy / "images.npz") as expected,
        ):
            results = accelerator.run(expected["images"])
            assert (results.classes == expected["classes"]).all()
            assert (results.scores == expected["scores"]).all()

    # Again: neither the simulation nor Vivado is run, and the folder is the same one, byte for byte.
    put_vivado(tmp_path / "bin", monkeypatch, "synth_fails")
    before = deploy.stat().st_ino, json.loads((deploy / "manifest.json").read_text())
    again = bitstream(build)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-2] == lines[-2]
    assert "verified before: report/verification.json" in again.stdout
    assert before == (deploy.stat().st_ino, json.loads((deploy / "manifest.json").read_text()))
    (build / ".deploy.killed").mkdir()
    shutil.rmtree(deploy)
    assert bitstream(build, "deploy").returncode == 0
    assert json.loads((deploy / "manifest.json").read_text()) == before[1], "made again, equal"
    assert not list(build.glob(".deploy*")), "nothing half-written stays"


def test_without_any_backend(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a machine with Vivado needs, one sentence, exit 2; then that machine's part."""
    done = bitstream(build)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "sbnn.boards: pynq-z2: Vivado and openxc7 are not on this machine, so take digits/pynq-z2/vivado "
        "to one with Vivado, run `vivado -mode batch -source build.tcl` in it, bring its out/ back and run "
        "make deploy BOARD=pynq-z2 MODEL=digits"
    )
    assert "Traceback" not in done.stderr
    assert not (build / "deploy").exists()
    assert not (build / "bitfile").exists()
    assert (build / "report" / "index.html").is_file()
    early = bitstream(build, "deploy")
    assert (early.returncode, early.stdout) == (2, "")
    assert "no bitstream of build" in early.stderr

    # There is no Python on the other machine.
    put_vivado(tmp_path / "bin", monkeypatch)
    other = tmp_path / "other"
    shutil.copytree(build / "vivado", other)
    path = os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"])
    ran = subprocess.run(
        ["vivado", "-mode", "batch", "-source", "build.tcl"],
        cwd=other,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    shutil.copytree(other / "out", build / "vivado" / "out")
    deployed = bitstream(build, "deploy")
    assert (deployed.returncode, deployed.stdout) == (0, "digits/pynq-z2/deploy\n"), deployed.stderr
    assert (build / "deploy" / "digits.bit").read_bytes() == (other / "out/digits.bit").read_bytes()


def test_the_project_folder_is_the_same_every_time(build: Path, tmp_path: Path) -> None:
    def content() -> dict[str, bytes]:
        files = (path for path in (build / "vivado").rglob("*") if path.is_file())
        return {path.relative_to(build).as_posix(): path.read_bytes() for path in files}

    assert bitstream(build, "vivado-project").returncode == 0
    first = content()
    assert {"vivado/build.tcl", "vivado/settings.tcl", "vivado/README.md"} < set(first)
    (build / "vivado" / "rtl" / "old_layer.sv").write_text("module old_layer; endmodule")
    shutil.rmtree(build / "vivado" / "shell")
    done = bitstream(build, "vivado-project")
    assert content() == first
    assert done.stdout == (
        "digits/pynq-z2/vivado: run `vivado -mode batch -source build.tcl` there, on a machine with Vivado\n"
    )


def test_vivados_errors_are_shown_whole(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch, "route_fails")
    with pytest.raises(BoardError) as error:
        make_bitstream(PYNQ, build)
    assert str(error.value).splitlines() == [
        f"vivado failed on pynq-z2 (exit status 1); its log is {build}/report/vivado.log; its errors:",
        "ERROR: [Synth 8-439] module 'nothing' not found [top.sv:7] (in @run:impl_1)",
        "ERROR: [Common 17-69] Command failed: see the errors above (in @run:impl_1)",
        "SBNN failed: impl_1 stopped at 42%: write_bitstream ERROR",
    ]
    assert "ERROR: [Synth 8-439]" in (build / "report" / "vivado.log").read_text()
    assert not (build / "report" / "route.json").exists()
    assert not (build / "deploy").exists()


def test_a_missed_clock_leaves_its_figures(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch)
    make_bitstream(PYNQ, build)
    assert (build / "bitfile" / "digits.bit").is_file()
    put_vivado(tmp_path / "bin", monkeypatch, "setup")
    (build / "stages" / "vivado.json").unlink()
    with pytest.raises(BoardError, match=r"worst set-up slack is -0.312 ns; see out/timing.rpt"):
        make_bitstream(PYNQ, build)
    clock = json.loads((build / "report" / "route.json").read_text())["clocks"]["clk"]
    assert clock == {"achieved_mhz": 96.97, "needed_mhz": 100.0, "met": False}
    assert not (build / "bitfile" / "digits.bit").exists()
    with pytest.raises(BoardError, match=r"no digits\.bit; Vivado has not finished there"):
        make_deploy(PYNQ, build)


def test_products_of_another_build_are_refused(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch)
    make_bitstream(PYNQ, build)
    result = build / "vivado" / "out" / "result.txt"
    identity = load_manifest(build / "manifest.json").build_id
    result.write_text(result.read_text().replace(identity, "0" * 16))
    with pytest.raises(BoardError) as error:
        make_deploy(PYNQ, build)
    assert str(error.value).endswith(f"build_id is {'0' * 16}, needs {identity}")


def test_core_of_another_board(build: Path) -> None:
    with pytest.raises(BoardError) as error:
        make_bitstream(ARTY, build)
    assert str(error.value) == (
        f"{build}/manifest.json: was generated for pynq-z2, needs arty-a7-35t"
    )


def test_no_core(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as error:
        make_bitstream(PYNQ, tmp_path)
    assert str(error.value) == f"{tmp_path}/manifest.json: no such file; make hls writes it"


@pytest.mark.regress
def test_a_whole_run_for_an_fpga_without_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch)
    build = core(random_network(1, largest=20), ARTY.name, tmp_path)
    made = make_bitstream(ARTY, build)
    assert made.path.read_text() == "bitstream of arty_a7_35t_top for xc7a35ticsg324-1L"
    assert (build / "vivado" / "shell" / "pins.xdc").is_file()
    assert (build / "deploy" / "validate.py").is_file()


def test_a_mistyped_backend_changes_nothing(build: Path) -> None:
    before = sorted(build.rglob("*"))
    done = bitstream(build, "bitstream", "--backend", "vivaldi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sbnn.boards: BACKEND=vivaldi: not known; there are: auto vivado openxc7 yosys\n"
    )
    done = bitstream(build, "bitstream", "--backend", "openxc7")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "sbnn.boards: BACKEND=openxc7: no tools for pynq-z2 here; openxc7: fasm2frames on PATH, "
    )
    assert sorted(build.rglob("*")) == before
