"""Turn SystemVerilog into a compiled C++ model with Verilator, once per content.

cocotb's simulators (rtl_tests/simulate.py) and the models behind ctypes (boards/verilated.py) share it.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from sbnn.hls.tools import environment, run_tool

PREFIX = "Vtop"
COMPILE = (
    "-std=gnu++20",
    "-fcoroutines",
    "-pthread",
    "-w",
    "-fPIC",
    "-DVERILATOR=1",
    *(f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD")),
    "-DVM_TRACE_SAIF=0",
)
# Verilator writes files of half a megabyte, each with all of the model's header: lenet-sbnn95's 37 files
# take 120 CPU seconds one by one, 50 in parts of this size, which leave work for several processors.
PART_BYTES = 4 << 20
_ROOT = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """Return the folder of compiled models: build/sim of a checkout, else one in the user's cache."""
    if (_ROOT / "pyproject.toml").is_file():
        return _ROOT / "build" / "sim"
    return Path.home() / ".cache" / "sbnn" / "sim"


def content_key(*content: object) -> str:
    """Return 20 hexadecimal digits that differ wherever the content or Verilator's version does."""
    return hashlib.sha256(repr((version("verilator"), content)).encode()).hexdigest()[:20]


@contextmanager
def built(folder: Path) -> Iterator[bool]:
    """Hold the lock of a cached folder; give whether it must be built, and mark it done at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may want the same design
        missing = not (folder / "done").exists()
        yield missing
        (folder / "done").touch()


def verilate(
    folder: Path, files: Mapping[str, str], top: str, options: Sequence[str] = ()
) -> list[Path]:
    """Write Verilator's C++ of `files` ({name: SystemVerilog}) into `folder`; return what to compile.

    Raises:
        ToolError: Verilator is missing, or does not take the design.
    """
    source = folder / "source"
    if source.exists():
        shutil.rmtree(source)
    source.mkdir(parents=True)
    for name, text in files.items():
        (source / Path(name).name).write_text(text)
    designs = [str(source / Path(name).name) for name in files if not name.endswith(".vh")]
    command = ["verilator", "-cc", "-Mdir", str(folder), "--top-module", top, "--prefix", PREFIX]
    command += ["-Wall", "-Wno-fatal", "--timescale", "1ns/1ps", *options, f"-I{source}", *designs]
    run_tool(command, folder, folder / "verilator.log")
    return _parts(folder)


def _parts(folder: Path) -> list[Path]:
    """Write files that each include some of Verilator's, the slow ones by themselves; return them."""
    parts: list[list[Path]] = []
    kind, size = "", 0
    sources = sorted(folder.glob(f"{PREFIX}*.cpp"), key=lambda path: (_kind(path), path.name))
    for source in sources:
        if not parts or _kind(source) != kind or size > PART_BYTES:
            parts.append([])
            kind, size = _kind(source), 0
        parts[-1].append(source)
        size += source.stat().st_size
    made = []
    for number, included in enumerate(parts):
        made.append(folder / f"part{number}{_kind(included[0])}.cpp")
        made[-1].write_text("".join(f'#include "{source.name}"\n' for source in included))
    return made


def _kind(source: Path) -> str:
    """Return what Verilator puts at the end of the name of a file that runs once, at the start."""
    return "Slow" if source.stem.endswith("Slow") else ""


def compile_objects(
    folder: Path, sources: Sequence[Path], options: Sequence[str] = ()
) -> list[Path]:
    """Compile C++ files into objects in `folder`, one per processor at a time.

    What Verilator marks as slow (it runs once, at the start) is compiled without optimisation.

    Raises:
        ToolError: the compiler is missing or failed.
    """
    include = Path(environment()["VERILATOR_ROOT"]) / "include"
    paths = [f"-I{include}", f"-I{include / 'vltstd'}", f"-I{folder}"]

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        level = "-O0" if _kind(source) else "-O1"
        command = ["g++", *COMPILE, level, *options, *paths, "-c", str(source), "-o", str(target)]
        run_tool(command, folder, folder / f"{source.stem}.log")
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(compile_one, sources)
        # disable=None: no bar where nobody watches, such as in an executed notebook.
        bar = tqdm(done, "compile", len(sources), leave=False, file=sys.stderr, disable=None)
        return list(bar)


def runtime(*parts: str) -> list[Path]:
    """Return the objects of parts of Verilator's runtime, such as "verilated.cpp", each built once."""
    include = Path(environment()["VERILATOR_ROOT"]) / "include"
    objects = []
    for part in parts:
        folder = cache_folder() / f"runtime-{content_key(COMPILE, part)}"
        with built(folder) as missing:
            if missing:
                compile_objects(folder, [include / part], ["-O2"])
        objects += sorted(folder.glob("*.o"))
    return objects
