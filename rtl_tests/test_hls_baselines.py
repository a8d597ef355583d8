"""What our layers are compared with computes the same layer: every baseline equals the reference in RTL."""

from dataclasses import replace

import numpy as np
import pytest
from simulate import CACHE, run_cocotb, verilate

from sbnn.hls import reference
from sbnn.hls.baselines.adder_graph import emit_adder_graph
from sbnn.hls.baselines.dense import best_group, dense_layer, emit_dense, emit_shared, shared_parts
from sbnn.hls.baselines.folded import emit_folded
from sbnn.hls.baselines.plus import emit_plus
from sbnn.hls.baselines.verilog import score_bits
from sbnn.hls.layer import NetworkError, SparseLayer

INPUTS = 24


def sparse(last: bool, rails: int = 1) -> SparseLayer:
    """Rows of no, one, few and many ones; thresholds beyond reach both ways; both polarities."""
    rng = np.random.default_rng(5)
    w01 = rng.random((12, INPUTS * rails)) < np.linspace(0, 0.7, 12)[:, None]
    w01[1, :] = False
    w01[1, 7] = True
    weight = w01.astype(np.uint8)
    common = {"xi_num": np.zeros(12, np.int64), "xi_frac": 2, "rails": rails}
    if last:
        return SparseLayer("s", weight, **common, offset=rng.integers(-30, 31, 12))
    threshold = (w01.sum(1) << 1) + rng.integers(-3, 4, 12)
    threshold[3], threshold[4] = -1, 4 * w01[4].sum() + 1
    threshold = threshold[:, None]
    return SparseLayer("s", weight, **common, threshold=threshold, invert=rng.random(12) < 0.5)


def everything():
    """Return {name: (layer, baseline)}; one module around all of them is one simulator to build."""
    hidden, last = dense_layer(INPUTS, 8, False), dense_layer(INPUTS, 10, True)
    found = {}
    for name, layer in (("hidden", hidden), ("last", last)):
        found[f"dense_{name}"] = layer, emit_dense(layer, f"dense_{name}", 2)
        found[f"shared_{name}"] = layer, emit_shared(layer, f"shared_{name}", 2)
    found["shared_odd"] = hidden, emit_shared(hidden, "shared_odd", 1, group=6)
    found["folded_hidden"] = hidden, emit_folded(hidden, "folded_hidden", 4, 8, 2)
    found["folded_last"] = last, emit_folded(last, "folded_last", 5, 12, 2)
    found["folded_whole"] = hidden, emit_folded(hidden, "folded_whole", 8, INPUTS, 3)
    for name, layer in (
        ("hidden", sparse(False)),
        ("last", sparse(True)),
        ("dual", sparse(False, 2)),
    ):
        read = np.arange(12) != 5
        found[f"plus_{name}"] = (
            layer,
            emit_plus(layer, read, f"plus_{name}", 1 if name == "dual" else 2),
        )
        found[f"graph_{name}"] = layer, emit_adder_graph(layer, read, f"graph_{name}", 2)
    return found


def around(found) -> str:
    ports, lines = ["input wire aclk", f"input wire [{INPUTS - 1}:0] x"], []
    for name, (layer, made) in found.items():
        ports.append(f"output wire [{layer.mh * score_bits(layer) - 1}:0] y_{name}")
        extra = ""
        if name.startswith("folded"):
            ports += [f"input wire start_{name}", f"output wire done_{name}"]
            extra = f", .start(start_{name}), .done(done_{name})"
        lines.append(f"  {made.module} u_{name} (.aclk, .x, .y(y_{name}){extra});")
    return "\n".join([f"module baselines ({', '.join(ports)});", *lines, "endmodule", ""])


def outputs(name: str, layer: SparseLayer, x: np.ndarray) -> list[str]:
    """Return what y must be, as hexadecimal words; output 5 of the sparse layers is read by nothing."""
    size = score_bits(layer)
    values = reference.score(layer, x) if layer.is_last else reference.activate(layer, x)
    if name.startswith(("plus", "graph")):
        values[:, 5] = 0
    return [
        f"{sum((int(v) & (1 << size) - 1) << size * j for j, v in enumerate(row)):x}"
        for row in values
    ]


def test_baselines_equal_the_reference():
    found = everything()
    files = {"baselines.sv": around(found)}
    for _, made in found.values():
        files = dict(made.files) | files
    folder = verilate(files, "baselines")
    rng = np.random.default_rng(9)
    x = (rng.random((120, INPUTS)) < rng.random((120, 1))).astype(np.uint8)
    x[0], x[1] = 0, 1
    vectors = CACHE / "baselines-vectors.npz"
    words = [f"{int(''.join(map(str, row[::-1])), 2):x}" for row in x.tolist()]
    np.savez(
        vectors,
        x=words,
        **{f"y_{name}": outputs(name, layer, x) for name, (layer, _) in found.items()},
    )
    for name, (_, made) in found.items():
        if name.startswith("folded"):
            settings = {"vectors": vectors, "name": name, "latency": made.latency_cycles}
            run_cocotb(folder, "baselines", "tb_baselines", "folded", **settings)
    latencies = {
        f"latency_{name}": made.latency_cycles
        for name, (_, made) in found.items()
        if not name.startswith("folded")
    }
    with np.load(vectors) as archive:
        kept = {n: archive[n] for n in archive if not n.startswith("y_folded")}
    np.savez(vectors, **kept)
    run_cocotb(folder, "baselines", "tb_baselines", "wired", vectors=vectors, **latencies)


def test_parts_of_a_shared_layer_add_up():
    """The groups' sums, S and the neurons, each as often as they stand in the layer, are the layer."""
    layer = dense_layer(INPUTS, 8, False)
    parts = shared_parts(layer, "part", 2, groups=3, neurons=4)
    size = best_group(INPUTS, 8)
    assert {name: times for name, (_, times) in parts.items()} == {
        "sums": -(-INPUTS // size) / 3,
        "total": 1,
        "neurons": 2,
    }
    adders = {name: made.files[f"part_{name}.sv"].count(" ^ ") for name, (made, _) in parts.items()}
    whole = emit_shared(layer, "whole", 2).files["whole.sv"].count(" ^ ")
    few = dense_layer(INPUTS, 8, False)
    assert adders["sums"] == 0
    assert 0 < adders["total"] < adders["neurons"] < whole
    assert few.ones == layer.ones == 8 * INPUTS


def test_groups_pay_more_where_more_neurons_share_them():
    sizes = [best_group(784, outputs) for outputs in (2, 16, 64, 256, 4096)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == 6


def test_what_a_baseline_cannot_express_is_refused():
    layer = sparse(False)
    with pytest.raises(NetworkError) as caught:
        emit_folded(dense_layer(24, 8, False), "f", 3, 5, 2)
    assert str(caught.value) == "layer dense: PE 3 and SIMD 5 need to divide 8 and 24"
    tilted = SparseLayer(
        "s", layer.weight, layer.xi_num - 1, 2, threshold=layer.threshold, invert=layer.invert
    )
    with pytest.raises(NetworkError) as caught:
        emit_plus(tilted, np.ones(12, bool), "p", 2)
    assert str(caught.value) == "layer s: xi is not 0, baselines need xi = 0"
    with pytest.raises(NetworkError) as caught:
        emit_plus(replace(layer, weight=3 * layer.weight), np.ones(12, bool), "p", 2)
    assert str(caught.value) == (
        "layer s: weights, inputs and outputs have 2, 1 and 1 bits, baselines need 1"
    )
