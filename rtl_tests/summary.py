"""What a test run compared and proved: counted where it happens, drawn as the README's table.

`make regress` writes build/regress.json and prints the table; `python rtl_tests/summary.py` keeps that run
as rtl_tests/regress.json and puts its table into README.md.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sbnn.boards.table import markdown
from sbnn.train.files import write_atomic

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "build" / "regress.json"
KEPT = ROOT / "rtl_tests" / "regress.json"
BLOCK = re.compile(r"(<!-- regress: [^\n]*-->\n).*?(<!-- end of regress -->)", re.DOTALL)

# The first pattern that fits a test's module and name says where it counts.
ITEMS = {
    "Random networks": (
        *("test_design_random::*", "test_design::*random*", "test_design::test_few_bit*"),
        *("test_design_conv::*random*", "test_hls_finn_conv::*qonnx_to_rtl*"),
    ),
    "Gate level": (
        *("test_design_gates::*", "test_design_routed::*", "test_design_netlist::*"),
        "test_boards_shell::*icebreaker*",
    ),
    "Proofs": ("test_formal_*::*", "test_hls_proof*::*"),
    "Stalls, resets, X": ("test_design_streams::*",),
    "Mutation": ("test_mutation::*",),
    "Determinism": ("test_make_determinism::*", "*::*equal_bytes*", "*::*stay_as_they_were*"),
    "Faults in use": (
        *("test_make_faults::*", "test_train_archive::*", "test_hls_network::*"),
        "test_boards_build::*",
    ),
    "Files from elsewhere": ("test_hls_lower*::*", "test_hls_finn*::*", "test_make_foreign::*"),
    "Real images": ("test_design::*", "test_design_conv::*", "test_chain_cnv::*"),
    "Boards: shells, driver, pages": ("test_boards_*::*",),
    "Generator": ("test_hls_*::*",),
    "Training, export, packaging": ("*",),
}

_counts: Counter[str] = Counter()
_survivors: list[str] = []


def count(what: str, number: int = 1) -> None:
    """Count something that the running test compared or proved; `what` is the plural that a table shows."""
    _counts[what] += number


def list_survivor(mutant: str) -> None:
    """List a mutant that nothing saw."""
    _survivors.append(mutant)


def take_counts() -> list[tuple[str, object]]:
    """Return what was counted since the last call, as properties of a test."""
    found: list[tuple[str, object]] = [("counts", dict(_counts))] if _counts else []
    found += [("survivor", name) for name in _survivors]
    _counts.clear()
    _survivors.clear()
    return found


def item_of(test: str) -> str:
    """Return the item of a test, rtl_tests/test_x.py::test_y[z]."""
    name = Path(test.split("::")[0]).stem + "::" + test.split("::", 1)[1].split("[")[0]
    return next(
        item for item, some in ITEMS.items() if any(fnmatch(name, pattern) for pattern in some)
    )


def summarise(tests: Iterable[Mapping[str, Any]], wall: float) -> dict[str, Any]:
    """Return the summary of a run.

    Args:
        tests: {"name", "outcome": passed, failed or skipped, "seconds", "properties"} of each.
        wall: seconds of the whole run.
    """
    items: dict[str, dict[str, Any]] = {
        name: {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0, "counts": Counter()}
        for name in ITEMS
    }
    failed, survivors = [], []
    for test in tests:
        item = items[item_of(test["name"])]
        item[test["outcome"]] += 1
        item["seconds"] += test["seconds"]
        if test["outcome"] == "failed":
            failed.append(test["name"])
        for name, value in test["properties"]:
            if name == "counts":
                item["counts"].update(value)
            elif name == "survivor":
                survivors.append(value)
    for item in items.values():
        item["seconds"] = round(item["seconds"])
    return {
        "wall_seconds": round(wall),
        "cores": os.cpu_count(),
        "failed": sorted(failed),
        "mutants_not_seen": sorted(survivors),
        "items": {name: item for name, item in items.items() if item["passed"] + item["failed"]},
    }


def table(run: Mapping[str, Any]) -> str:
    """Return a run as Markdown: one row per item, then one of all."""
    rows = [("item", "tests", "compared or proven", "minutes of a core")]
    total: Counter[str] = Counter()
    for name, item in run["items"].items():
        counts = ", ".join(f"{number:,} {what}" for what, number in item["counts"].items())
        rows.append((name, _tests(item), counts, f"{item['seconds'] / 60:.1f}"))
        total.update({key: item[key] for key in ("passed", "failed", "skipped", "seconds")})
    rows.append(("**all**", _tests(total), "", f"{total['seconds'] / 60:.0f}"))
    return markdown(rows)


def _tests(item: Mapping[str, int]) -> str:
    more = [f"{item[key]} {key}" for key in ("failed", "skipped") if item[key]]
    return ", ".join([f"{item['passed']:,}", *more])


def block(run: Mapping[str, Any]) -> str:
    """Return what stands between the marks in README.md."""
    minutes = round(run["wall_seconds"] / 60)
    took = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    lines = [table(run), "", f"`make regress` took {took} on {run['cores']} cores."]
    if missed := len(run["mutants_not_seen"]):
        lines[-1] += f" {missed} mutants were neither seen nor proven to be equal, see rtl_tests/."
    return "\n".join(lines) + "\n"


def keep() -> None:
    """Keep the last run: regress.json and the README's table."""
    run = json.loads(RUN.read_text())
    write_atomic(KEPT, json.dumps(run, indent=1) + "\n")
    readme = ROOT / "README.md"
    text = BLOCK.sub(lambda found: found[1] + block(run) + found[2], readme.read_text())
    write_atomic(readme, text)


if __name__ == "__main__":
    keep()
