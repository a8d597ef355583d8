"""Cores generated for a target clock: what they take, and the clock that they reach.

7-series has no router here, so its clock is that of static timing by the delay model (`sbnn.hls.timing`); on
ECP5 nextpnr places and routes the core without pins.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.backends.yosys import KITS
from sbnn.boards.bench_kept import keep_row, measure_each, read_kept
from sbnn.boards.board import load_board
from sbnn.boards.reports import read_route
from sbnn.boards.table import markdown
from sbnn.hls.delay import levels_that_fit
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.network import Network
from sbnn.hls.synth import FAMILIES, synthesis_key, synthesise
from sbnn.hls.tools import run_tool

RESULTS = Path(__file__).resolve().parent / "clock_results.json"
MODELS = ("tfc-sbnn95", "sbnn98", "sbnn95")
# nextpnr ends with an error where the constraint is missed; its report has the clock all the same.
PLACE = (
    f"{KITS['ecp5'].place} --json report/netlist.json --report report/route.json --out-of-context "
    f"--seed 1 --timing-allow-fail {KITS['ecp5'].effort}"
)


@dataclass(frozen=True)
class Target:
    """A device family and the clock to be reached, and a board whose device and speed grade stand for it."""

    board: str
    clock_mhz: int


TARGETS = {"xc7": Target("pynq-z2", 250), "ecp5": Target("ulx3s", 150)}


def read_clock_results() -> dict[str, Any]:
    """Return clock_results.json: {family: {model: figures}}."""
    found = read_kept(RESULTS)
    return {family: found.get(family, {}) for family in TARGETS}


def measure_clocks(networks: Mapping[str, Network], scratch: Path, jobs: int = 1) -> None:
    """Measure every network at every target whose core is not the one in clock_results.json.

    Args:
        networks: {model: network} of `MODELS`.
        scratch: an existing folder for what the tools write.
        jobs: cores at once.

    Raises:
        ToolError: yosys or nextpnr failed.
    """
    cores = [(family, model) for family in TARGETS for model in MODELS]
    known = read_clock_results()

    def measure(core: tuple[str, str]) -> dict[str, Any]:
        family, model = core
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            return _measure(networks[model], family, Path(folder), known[family].get(model, {}))

    def keep(core: tuple[str, str], found: dict[str, Any]) -> None:
        keep_row(RESULTS, core, found, MODELS)

    measure_each(cores, measure, keep, jobs, "clocks")


def _measure(network: Network, family: str, folder: Path, known: dict[str, Any]) -> dict[str, Any]:
    target = TARGETS[family]
    levels = levels_that_fit(family, target.clock_mhz)
    manifest = generate(
        network, Choices(levels_per_stage=levels, family=family), target.board, folder
    )
    routed = family == "ecp5"
    key = synthesis_key(manifest, [FAMILIES[family].command, PLACE if routed else ""])[:16]
    if known.get("key") == key:
        return known
    report = synthesise(folder, manifest, family)
    return {
        "key": key,
        "levels": levels,
        "ones": network.ones,
        **{
            name: report["total"][name]
            for name in ("lut", "sites", "ff")
            if name in report["total"]
        },
        "latency_cycles": manifest.latency_cycles,
        "mhz": _route(folder, target) if routed else report["timing"]["mhz"],
    }


def _route(folder: Path, target: Target) -> float:
    """Return the clock in MHz that nextpnr reaches for a synthesised core."""
    board = load_board(target.board)
    device = f"--{board.device} --package {board.package} --speed {board.speed}"
    command = f"{PLACE} {device} --freq {target.clock_mhz}"
    run_tool(command.split(), folder, folder / "report" / "route.log")
    _, clocks = read_route(folder / "report" / "route.json", board.family)
    return round(min(clock.achieved_mhz for clock in clocks.values()), 1)


def clock_table(results: dict[str, Any]) -> str:
    """Return one row per family and model."""
    head = ("target", "model", "levels a stage", "LUT6 sites or LUT4", "per one", "FF", "latency")
    rows: list[tuple[str, ...]] = [(*head, "reached")]
    for family, models in results.items():
        for model, found in models.items():
            size = found.get("sites", found["lut"])
            rows.append(
                (
                    f"{family}, {TARGETS[family].clock_mhz} MHz",
                    model,
                    f"{found['levels']}",
                    f"{size:,}",
                    f"{size / found['ones']:.2f}",
                    f"{found['ff']:,}",
                    f"{found['latency_cycles']}",
                    f"{found['mhz']:.0f} MHz",
                )
            )
    return markdown(rows)
