"""Read the reports that a build leaves: frozen data, or `NotRun` with the reason where there is none.

A report of another build (its digest differs) counts as not run: its figures would be wrong here.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, TypeVar

from sbnn.boards.board import Board, BoardError
from sbnn.hls.manifest import Manifest
from sbnn.hls.proof import FORMAT as PROOF_FORMAT
from sbnn.hls.proof import REPORT as PROOF
from sbnn.train.files import digest

CHECKS_FORMAT = "sbnn-verification-1"
Read = TypeVar("Read")


@dataclass(frozen=True)
class NotRun:
    """A step without a report of this build; `why` is a clause such as "no report/route.json"."""

    why: str


@dataclass(frozen=True)
class Cells:
    """What a part of the core takes, as yosys counts it."""

    lut: int
    ff: int
    carry: int
    bram: int


@dataclass(frozen=True)
class Synthesis:
    """report/synth.json: the core without its shell.

    Attributes:
        tool: name and version.
        lut_inputs: inputs of one LUT.
        layers: cells per layer.
        streams: cells of unpack, argmax, queue and pack together.
        total: cells of the core.
    """

    tool: str
    lut_inputs: int
    layers: dict[str, Cells]
    streams: Cells
    total: Cells


@dataclass(frozen=True)
class ClockResult:
    """What a clock reached after routing, and what it must reach, in MHz."""

    achieved_mhz: float
    needed_mhz: float
    met: bool


@dataclass(frozen=True)
class Route:
    """report/route.json: core and shell, placed and routed.

    Attributes:
        backend: which flow.
        tools: {tool: version}.
        seed: of the placer.
        synthesis: {lut, ff, bram} of core and shell before placing.
        routed: {lut, ff, bram, ...} after routing.
        clocks: by name.
        rates: images per second: line, core, core_at_fmax.
        seconds: {stage: seconds of its last run}.
    """

    backend: str
    tools: dict[str, str]
    seed: int
    synthesis: dict[str, int]
    routed: dict[str, int]
    clocks: dict[str, ClockResult]
    rates: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Check:
    """One entry of report/verification.json."""

    name: str
    what: str
    vectors: int
    vectors_digest: str
    result: str
    tool: str
    seconds: float


@dataclass(frozen=True)
class Proof:
    """report/proof.json: outputs that are read, how many of them are proven, modules of the wiring."""

    read: int
    proven: int
    widest: int
    modules: int
    tool: str


@dataclass(frozen=True)
class Export:
    """export.json: QONNX against torch."""

    model: str
    trained_digest: str
    qonnx_digest: str
    images: int
    images_from: str
    hidden_bits: int
    max_score_difference: float


@dataclass(frozen=True)
class Lowering:
    """lower.json: the integer network against QONNX; `sums` and `constant` are over all layers."""

    images: int
    images_from: str
    ties: int
    neurons: int
    sums: int
    constant: int


@dataclass(frozen=True)
class Accuracy:
    """Share of right classes, 0 to 1, of the tracked trained file, and the file that says so."""

    test: float
    dataset: str
    source: str


def read_synthesis(path: Path, manifest: Manifest, board: Board) -> Synthesis | NotRun:
    """Return the synthesis report of the core."""

    def take(table: Any) -> Synthesis | NotRun:
        if (table["rtl_digest"], table["family"]) != (manifest.rtl_digest, board.family):
            return NotRun("report/synth.json is of other Verilog or another family")
        return Synthesis(
            tool=str(table["tool"]),
            lut_inputs=_count(table["lut_inputs"]),
            layers={layer.name: _cells(table["layers"][layer.name]) for layer in manifest.layers},
            streams=_cells(table["streams"]),
            total=_cells(table["total"]),
        )

    return _read(path, "report/synth.json", take)


def read_route(path: Path, manifest: Manifest) -> Route | NotRun:
    """Return the report of place and route."""

    def take(table: Any) -> Route | NotRun:
        if table["build_id"] != manifest.build_id:
            return NotRun(f"report/route.json is of build {table['build_id']}")
        if not table["clocks"]:
            raise ValueError("no clock")
        return Route(
            backend=str(table["backend"]),
            tools={str(tool): str(version) for tool, version in table["tools"].items()},
            seed=_count(table["seed"]),
            synthesis={str(k): _count(n) for k, n in table["synthesis"].items()},
            routed={str(k): _count(entry["used"]) for k, entry in table["routed"].items()},
            clocks={
                str(name): ClockResult(
                    _number(clock["achieved_mhz"]), _number(clock["needed_mhz"]), bool(clock["met"])
                )
                for name, clock in table["clocks"].items()
            },
            rates={str(k): _count(n) for k, n in table["images_per_second"].items()},
            seconds={str(k): _number(n) for k, n in table["seconds"].items()},
        )

    return _read(path, "report/route.json", take)


def read_checks(path: Path, manifest: Manifest) -> tuple[Check, ...] | NotRun:
    """Return what the bitstream flow verified."""

    def take(table: Any) -> tuple[Check, ...] | NotRun:
        if table["format"] != CHECKS_FORMAT:
            raise ValueError(f"format is {table['format']!r}, needs {CHECKS_FORMAT!r}")
        return _of_another("report/verification.json", table, manifest) or tuple(
            Check(
                name=str(entry["name"]),
                what=str(entry["what"]),
                vectors=_count(entry["vectors"]),
                vectors_digest=str(entry["vectors_digest"]),
                result=str(entry["result"]),
                tool=str(entry["tool"]),
                seconds=_number(entry["seconds"]),
            )
            for entry in table["checks"]
        )

    return _read(path, "report/verification.json", take)


def read_proof(path: Path, manifest: Manifest) -> Proof | NotRun:
    """Return what was proven of the layers."""

    def take(table: Any) -> Proof | NotRun:
        if table["format"] != PROOF_FORMAT:
            raise ValueError(f"format is {table['format']!r}, needs {PROOF_FORMAT!r}")
        return _of_another(PROOF, table, manifest) or Proof(
            read=sum(_count(layer["read"]) for layer in table["layers"]),
            proven=sum(_count(layer["proven"]) for layer in table["layers"]),
            widest=max((_count(layer["widest"]) for layer in table["layers"]), default=0),
            modules=_count(table["wiring"]["modules"]),
            tool=", ".join(f"{tool} {v}" for tool, v in table["tools"].items()),
        )

    return _read(path, PROOF, take)


def read_export(path: Path, model: Path) -> Export | NotRun:
    """Return the comparison of QONNX with torch, where it is of the model.onnx beside it."""

    def take(table: Any) -> Export | NotRun:
        compared = table["compared"]
        if not model.is_file() or digest(model.read_bytes()) != table["qonnx_digest"]:
            return NotRun("export.json is of another model.onnx")
        return Export(
            model=str(table["sbnn.model"]),
            trained_digest=str(table["sbnn.trained_digest"]),
            qonnx_digest=str(table["qonnx_digest"]),
            images=_count(compared["images"]),
            images_from=str(compared["images_from"]),
            hidden_bits=_count(compared["hidden_bits"]),
            max_score_difference=_number(compared["max_score_difference"]),
        )

    return _read(path, "export.json", take)


def read_lowering(path: Path, manifest: Manifest) -> Lowering | NotRun:
    """Return the comparison of the integer network with QONNX."""

    def take(table: Any) -> Lowering | NotRun:
        if table["network_digest"] != manifest.network_digest:
            return NotRun("lower.json is of another network")
        compared, proved = table["compared"], table["proved"]
        return Lowering(
            images=_count(compared["images"]),
            images_from=str(compared["from"]),
            ties=_count(compared["score_ties_parted_by_float32"]),
            neurons=sum(_count(entry["neurons"]) for entry in proved),
            sums=sum(_count(entry["sums"]) for entry in proved),
            constant=sum(_count(entry["constant"]) for entry in proved),
        )

    return _read(path, "lower.json", take)


def read_accuracy(export: Export | NotRun) -> Accuracy | NotRun:
    """Return the test accuracy that training measured, where it trained what was exported."""
    if isinstance(export, NotRun):
        return NotRun(f"which trained file this is cannot be told: {export.why}")
    if not re.fullmatch(r"\w[\w.-]*", export.model):
        return NotRun(f"{export.model} is no tracked model")
    source = f"train/models/{export.model}/metrics.json"
    path = package_files("sbnn.train") / "models" / export.model / "metrics.json"

    def take(table: Any) -> Accuracy | NotRun:
        if table["trained_digest"] != export.trained_digest:
            return NotRun(f"{source} is of another trained file")
        return Accuracy(_number(table["accuracy"]["test"]), str(table["dataset"]), source)

    return _read(Path(str(path)), source, take)


def _read(path: Path, name: str, take: Callable[[Any], Read | NotRun]) -> Read | NotRun:
    """Return what `take` makes of a JSON file; a file that is not such a report is an error."""
    if not path.is_file():
        return NotRun(f"no {name}")
    try:
        return take(json.loads(path.read_text(encoding="utf-8")))
    except KeyError as error:
        raise BoardError(f"{path}: {error.args[0]} is missing") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise BoardError(f"{path}: not such a report ({error})") from error


def _of_another(name: str, table: Any, manifest: Manifest) -> NotRun | None:
    """Return why a report of a core's Verilog does not count, None where it is of this one."""
    if table["network_digest"] != manifest.network_digest:
        return NotRun(f"{name} is of another network")
    if table["rtl_digest"] != manifest.rtl_digest:
        return NotRun(f"{name} is of other Verilog")
    return None


def _cells(table: Any) -> Cells:
    return Cells(*(_count(table[name]) for name in ("lut", "ff", "carry", "bram")))


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is no finite number of 0 or more")
    return float(value)
