"""Build a design with Verilator once per content and run cocotb tests on it."""

import os
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from cocotb_tools.config import libs_dir, share_dir
from cocotb_tools.runner import get_runner

from sbnn.hls.tools import environment, run_tool
from sbnn.hls.verilate import built, cache_folder, compile_objects, content_key, runtime
from sbnn.hls.verilate import verilate as run_verilator

__all__ = ["CACHE", "ROOT", "built", "run_cocotb", "verilate"]
ROOT = Path(__file__).resolve().parent.parent
CACHE = cache_folder()


# -O0: sbnn95 compiles in 17 s instead of 75 s at -O1; 1,000 images then take 10 s instead of 1 s. Where a
# run takes 100,000 cycles and more, -O1 pays; without these passes it compiles in two thirds of the time.
FEW_CYCLES = ("-O0",)
MANY_CYCLES = tuple(f"-fno-{name}" for name in ("tree-pre", "tree-fre", "tree-dominator-opts"))


def verilate(
    files: Mapping[str, str],
    top: str,
    parameters: Mapping[str, int] | None = None,
    compile_options: Sequence[str] = FEW_CYCLES,
) -> Path:
    """Return the folder of the simulator of `files` ({name: SystemVerilog}), built if it is not there.

    Not through cocotb's runner: that makes every signal public, which takes sbnn95 from seconds to minutes,
    and compiles Verilator's runtime anew for each design (20 of 27 CPU seconds for a small one).
    """
    settings = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    key = content_key(sorted(files.items()), top, settings, version("cocotb"), compile_options)
    folder = CACHE / f"{top}-{key}"
    with built(folder) as missing:
        if missing:
            _build(folder, files, top, settings, compile_options)
    return folder


def _build(
    folder: Path,
    files: Mapping[str, str],
    top: str,
    settings: list[str],
    compile_options: Sequence[str],
) -> None:
    bridge = share_dir / "lib" / "verilator" / "verilator.cpp"
    options = ["--exe", "--vpi", "--public-depth", "1", "--assert", *settings, str(bridge)]
    parts = [*run_verilator(folder, files, top, options), bridge]
    if (
        compile_options == FEW_CYCLES
    ):  # one file: without optimisation reading the headers is most of it
        everything = folder / "all.cpp"
        everything.write_text("".join(f'#include "{path}"\n' for path in parts))
        parts = [everything]
    objects = compile_objects(folder, parts, compile_options)
    objects += runtime("verilated.cpp", "verilated_vpi.cpp", "verilated_threads.cpp")
    link = ["-pthread", f"-Wl,-rpath,{libs_dir}", f"-L{libs_dir}", "-lcocotbvpi_verilator"]
    run_tool(["g++", *map(str, objects), *link, "-o", top], folder, folder / "link.log")


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
