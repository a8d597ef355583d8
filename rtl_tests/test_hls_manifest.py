"""The manifest: what is written is read, and what contradicts itself is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from networks import tracked_network

from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import Link, Manifest, ManifestError, load_manifest, manifest_text


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return generate(tracked_network("digits-xi"), Choices(levels_per_stage=4), "ulx3s", tmp_path)


def test_what_is_written_is_read(manifest: Manifest, tmp_path: Path) -> None:
    assert load_manifest(tmp_path / "manifest.json") == manifest
    linked = replace(manifest, link=Link("uart", 3_000_000, "", 25.0))
    (tmp_path / "linked.json").write_text(manifest_text(linked))
    assert load_manifest(tmp_path / "linked.json") == linked
    assert json.loads((tmp_path / "linked.json").read_text())["build_id"] == manifest.build_id


def test_a_link_of_another_kind(manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "linked.json"
    file.write_text(manifest_text(replace(manifest, link=Link("pcie", 0, "", 25.0))))
    with pytest.raises(ManifestError, match=r"link\.kind is 'pcie', needs one of uart zynq"):
        load_manifest(file)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ["format"],
            "sbnn-manifest-9",
            "not a manifest of format sbnn-manifest-1; make hls writes it",
        ),
        (["input", "bits"], 63, "input.bits is 63, needs 64"),
        (["input", "beats"], 2, "input.beats is 2, needs 1"),
        (["output", "beats"], 2, "output.beats is 2, needs 3"),
        (["output", "field_bits"], 12, "field_bits is 12, needs a multiple of 8"),
        (
            ["output", "fields"],
            ["class", "score0"],
            "output.fields is class score0, needs class, or class and 10 scores",
        ),
        (["input"], None, "not a manifest ('NoneType' object is not subscriptable)"),
    ],
)
def test_manifests_that_contradict_themselves(
    manifest: Manifest, tmp_path: Path, path: list[str], value: Any, message: str
) -> None:
    file = tmp_path / "manifest.json"
    table = json.loads(file.read_text())
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    if path == ["output", "fields"]:
        table["output"]["beats"] = 1
    file.write_text(json.dumps(table))
    with pytest.raises(ManifestError) as error:
        load_manifest(file)
    assert str(error.value) == f"{file}: {message}"


def test_manifests_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    with pytest.raises(ManifestError) as error:
        load_manifest(file)
    assert str(error.value) == f"{file}: no such file; make hls writes it"
    file.write_text("{")
    with pytest.raises(ManifestError, match="not JSON"):
        load_manifest(file)
    file.write_text("{}")
    with pytest.raises(ManifestError, match="not a manifest of format sbnn-manifest-1"):
        load_manifest(file)


def test_build_ids_differ_with_network_rtl_and_board(manifest: Manifest) -> None:
    others = [replace(manifest, **{key: "x"}) for key in ("network_digest", "rtl_digest", "board")]
    assert len({m.build_id for m in (manifest, *others)}) == 4
