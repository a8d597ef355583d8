"""Run a command and say what it took: seconds of processor time and the most memory it held."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sbnn.hls.tools import ToolError, environment, find_tool

# The command is the child of a small process that waits for it: Linux counts what a parent held when it
# forked as the child's own peak, which is 100 MB and more with numpy and matplotlib loaded.
_WAIT = """
import json, os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
figures = [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss]
os.write(3, json.dumps(figures).encode())
"""


@dataclass(frozen=True)
class Spent:
    """What a command took, its threads and its own children included.

    Attributes:
        seconds: of processor time, user and system; on a shared machine the clock on the wall says little.
        peak_mb: most memory resident at once in one process, in MiB.
    """

    seconds: float
    peak_mb: int


def spend(argv: Sequence[str], cwd: Path, log: Path) -> Spent:
    """Run a command with its output in `log`.

    Raises:
        ToolError: the command is missing or failed; quotes its last line.
    """
    figures = log.with_name(f"{log.name}.spent")
    command = ["sh", "-c", 'exec "$@" 3>"$0"', str(figures)]
    command += [sys.executable, "-I", "-S", "-c", _WAIT, find_tool(argv[0]), *argv[1:]]
    with log.open("wb") as stream:
        subprocess.run(
            command,
            cwd=cwd,
            env=environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    status, seconds, peak_kb = json.loads(figures.read_text())
    figures.unlink()
    if status:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        reason = (lines or [f"exit status {status}"])[-1].strip()
        raise ToolError(f"{argv[0]} failed ({reason}); its log is {log}")
    return Spent(round(seconds, 2), peak_kb // 1024)
