"""Validation of a deploy folder and verification of a core: what they say, and that they can fail."""

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from networks import tracked_network
from simulate import ROOT
from zynq_overlay import zynq_build

from sbnn.boards.board import BoardError
from sbnn.boards.driver import DriverError, open_accelerator
from sbnn.boards.transports.transport import find_files
from sbnn.boards.validate import read_images, report, validate
from sbnn.boards.verify import is_verified, verify
from sbnn.hls.manifest import ManifestError, load_manifest, manifest_text
from sbnn.hls.proof import REPORT as PROOF
from sbnn.hls.proof.prove import prove
from sbnn.train.config import load_config
from sbnn.train.data import sample_images


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    images, labels = sample_images(load_config("digits"))
    return zynq_build(tracked_network("digits"), images, labels, "own", tmp_path)


def change(deploy: Path, **arrays: np.ndarray) -> None:
    with np.load(deploy / "images.npz") as archive:
        np.savez(deploy / "images.npz", **(dict(archive) | arrays))


def test_everything_equal(deploy: Path) -> None:
    with open_accelerator(deploy, "verilator") as accelerator:
        found = validate(accelerator, deploy)
        assert (found.equal, found.images, found.scored) == (True, 200, True)
        data = read_images(deploy / "images.npz")
        assert found.accuracy == (data.classes == data.labels).mean()
        assert validate(accelerator, deploy, most=7).images == 7
    text = report(found, simulated=True)
    assert "says nothing about a board's speed" in text
    assert "images/s" not in text
    assert text.splitlines()[-1].split() == ["result", "EQUAL"]
    assert "images/s" in report(found, simulated=False)


def test_one_wrong_score_is_found(deploy: Path) -> None:
    with np.load(deploy / "images.npz") as archive:
        scores = archive["scores"]
    scores[17, 3] += 1
    change(deploy, scores=scores)
    with open_accelerator(deploy, "reference") as accelerator:
        found = validate(accelerator, deploy)
    assert not found.equal
    assert found.differing.tolist() == found.stale.tolist() == [17]
    assert "NO: 1 differ, first 17" in report(found, simulated=True)


def test_images_without_labels(deploy: Path) -> None:
    change(deploy, labels=np.full(200, -1))
    with open_accelerator(deploy, "reference") as accelerator:
        found = validate(accelerator, deploy)
    assert found.accuracy is None
    assert found.equal
    assert "no labels" in report(found, simulated=True)


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False
    )


def test_exit_status(deploy: Path) -> None:
    """The three lines of the deploy folder's validate.py."""
    script = deploy / "validate.py"
    script.write_text("from sbnn.boards.validate import main\n\nmain()\n")
    done = run(script, "--transport", "reference", "--images", "50")
    assert (done.returncode, done.stderr) == (0, "")
    assert "EQUAL" in done.stdout
    done = run(script)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("validate: ")
    assert len(done.stderr.splitlines()) == 1
    change(deploy, classes=np.zeros(200, np.int64))
    done = run(script, "--transport", "reference")
    assert (done.returncode, done.stderr) == (1, "")
    assert "DIFFERENT" in done.stdout
    (deploy / "images.npz").write_bytes(b"PK")
    done = run(script, "--transport", "reference")
    assert done.returncode == 2
    assert "images.npz: not a file of test images" in done.stderr


def test_test_images_that_are_wrong(deploy: Path) -> None:
    change(deploy, labels=np.zeros(3, np.int64))
    with pytest.raises(
        DriverError, match=r"arrays of \[3, 200\] entries, needs one number above 0"
    ):
        read_images(deploy / "images.npz")
    with pytest.raises(DriverError, match="no such file; make bitstream writes it"):
        read_images(deploy / "nothing.npz")


def test_verification_is_written(deploy: Path) -> None:
    build = deploy.parent
    checks = verify(build)
    table = json.loads((build / "report" / "verification.json").read_text())
    manifest = find_files(build).manifest
    assert table["format"] == "sbnn-verification-1"
    assert table["network_digest"] == manifest.network_digest
    assert table["rtl_digest"] == manifest.rtl_digest
    assert [check["name"] for check in table["checks"]] == ["real images", "random images"]
    assert [check.vectors for check in checks] == [200, 1000]
    assert {check["result"] for check in table["checks"]} == {"equal"}
    assert all(check["tool"].startswith("Verilator 5") for check in table["checks"])
    assert table["proofs"] == []  # not lowered here
    assert set(table["files"]) == set(manifest.sources)
    assert set(table["tools"]) == {"generator", "numpy", "verilator"}
    assert (ROOT / "build" / "sim").is_dir()


def test_a_report_of_something_else_does_not_count(deploy: Path) -> None:
    build = deploy.parent
    verify(build)
    path = build / "report" / "verification.json"
    table = json.loads(path.read_text())
    for values in (
        {"network_digest": "0" * 64},
        {"rtl_digest": "0" * 64},
        {"checks_digest": "0" * 64},
        {"format": "sbnn-verification-0"},
        {"checks": [{"result": "different"}]},
        {"checks": 7},
    ):
        path.write_text(json.dumps(table | values))
        assert not is_verified(build), values
    path.write_text(json.dumps(table))
    assert is_verified(build)


def test_another_set_of_checks_is_run_again(deploy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = deploy.parent
    verify(build)
    monkeypatch.setattr("sbnn.boards.verify.RANDOM_IMAGES", 10)
    assert not is_verified(build)
    assert [check.vectors for check in verify(build)] == [200, 10]
    assert is_verified(build)


def test_what_lowering_proved(deploy: Path) -> None:
    build = deploy.parent
    proved = [{"neurons": 3, "sums": 70}, {"neurons": 2, "sums": 8}]
    for found, digest in ((True, find_files(build).manifest.network_digest), (False, "0" * 64)):
        lowered = {"network_digest": digest, "proved": proved}
        (build.parent / "lower.json").write_text(json.dumps(lowered))
        verify(build)
        proofs = json.loads((build / "report" / "verification.json").read_text())["proofs"]
        assert [(p["neurons"], p["sums"]) for p in proofs] == ([(5, 78)] if found else [])


def test_what_was_proven_of_the_verilog(deploy: Path) -> None:
    build = deploy.parent
    proof = prove(build)
    verify(build)
    (found,) = json.loads((build / "report" / "verification.json").read_text())["proofs"]
    assert found["read"] == found["proven"] == sum(layer.proven for layer in proof.layers) == 136
    path = build / PROOF
    path.write_text(path.read_text().replace(find_files(build).manifest.rtl_digest, "0" * 64))
    verify(build)
    assert json.loads((build / "report" / "verification.json").read_text())["proofs"] == []


@pytest.mark.parametrize("lost", [False, True])
def test_verilog_that_the_manifest_does_not_know(deploy: Path, lost: bool) -> None:
    """A file that was touched, or lost, after it was generated: never verified, whatever it computes."""
    build = deploy.parent
    layer = build / "rtl" / "digits_fc3.sv"
    layer.write_text(layer.read_text() + "\n")
    if lost:
        layer.unlink()
    for check in (is_verified, verify):
        with pytest.raises(ManifestError, match="make hls writes"):
            check(build)
    assert not (build / "report" / "verification.json").exists()


def test_a_wrong_core_is_no_bitstream(deploy: Path) -> None:
    """One turned bit in the RTL: refused, and an older report does not survive."""
    build = deploy.parent
    old = build / "report" / "verification.json"
    old.parent.mkdir()
    old.write_text("{}")
    layer = build / "rtl" / "digits_fc3.sv"
    wrong = layer.read_text().replace("^", "~^", 1)
    assert wrong != layer.read_text()
    layer.write_text(wrong)
    manifest = load_manifest(build / "manifest.json")
    rtl = "".join(f"{name}\0{(build / name).read_text()}\0" for name in manifest.sources)
    manifest = replace(manifest, rtl_digest=sha256(rtl.encode()).hexdigest())
    (build / "manifest.json").write_text(manifest_text(manifest))
    with pytest.raises(
        BoardError,
        match=r"the RTL differs from the reference on \d+ of 200 test images of digits, f",
    ):
        verify(build)
    assert not old.exists()
