"""Wired layers: every connection is a wire into shared full adders and tables, one vector per cycle.

`emit_layer` writes one SystemVerilog module per layer: free running, no handshake, a fixed latency; the
stream around it is `rtl/sbnn_flow.sv`. A neuron without xi is full adders, shared with the other neurons
(`sharing`), and a few tables (`ends`) that say whether the threshold is reached; no sum is ever made. Scores
and neurons with xi are sums (`sums`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sbnn.hls.circuit import Circuit, shared_adders
from sbnn.hls.fabric import Fabric
from sbnn.hls.facts import Cost
from sbnn.hls.heap import Body, emit_circuit
from sbnn.hls.levels import Bit, ask, build_levels, plan_levels
from sbnn.hls.pools import pool
from sbnn.hls.rows import LayerRows
from sbnn.hls.sums import emit_sums, score_width


@dataclass(frozen=True)
class LayerRtl:
    """One generated module.

    Attributes:
        module: its name.
        text: SystemVerilog.
        latency_cycles: from x to y.
        score_bits: width of one score (last layer), else 0.
        cost: what it is made of.
    """

    module: str
    text: str
    latency_cycles: int
    score_bits: int
    cost: Cost


def emit_layer(resolved: LayerRows, module: str, levels_per_stage: int, fabric: Fabric) -> LayerRtl:
    """Write the module of one layer.

    Args:
        resolved: the layer with constants and rails resolved.
        module: name of the module.
        levels_per_stage: levels of adders and tables between registers, at least 1.
        fabric: of the target.
    """
    layer, body = resolved.layer, Body()
    score_bits = score_width(layer) if layer.is_last else 0
    if layer.is_last or resolved.total is not None:
        outputs, latency = emit_sums(body, resolved, score_bits, levels_per_stage)
    elif layer.is_wide_pool:
        outputs, latency = _emit_pool(body, resolved, levels_per_stage, fabric)
    else:
        outputs, latency = _emit_thresholds(body, resolved, levels_per_stage, fabric)
    width = score_bits or layer.output.bits
    outputs = {
        j: f"{width}'{'bd'[width > 1]}{value};  // in every image"
        for j, value in resolved.constants.items()
    } | outputs
    assigns = []
    for j, row in enumerate(resolved.rows):
        value = outputs[j] if row is not None else f"{width}'b0;  // nothing reads it"
        place = f"{j}" if width == 1 else f"{(j + 1) * width - 1}:{j * width}"
        assigns.append(f"  assign y[{place}] = {value}")
    unused = "  wire unused = &{1'b0, x};  // not every input needs to be read"
    cost = Cost(
        full_adders=body.full_adders,
        tables=dict(body.tables),
        pairs=dict(body.pairs),
        additions={kind: dict(Counter(widths)) for kind, widths in body.additions.items()},
        registers=body.registers,
    )
    lines = [*body.declarations(), *body.lines, "", unused, *assigns]
    text = _module(resolved, module, latency, layer.mh * width, lines)
    return LayerRtl(module, text, latency, score_bits, cost)


def _emit_thresholds(
    body: Body, resolved: LayerRows, levels_per_stage: int, fabric: Fabric
) -> tuple[dict[int, str], int]:
    """Emit the hidden neurons of a layer without xi; return {output: value} and the latency."""
    layer = resolved.layer
    if layer.threshold is None or layer.invert is None:
        raise ValueError(f"layer {layer.name} has no thresholds")
    lows, highs = (ends.tolist() for ends in resolved.reach)
    asked = {
        j: ask(
            layer.threshold[j].tolist(),
            layer.xi_frac,
            (lows[j], highs[j]),
            row.base,
            bool(layer.invert[j]),
        )
        for j, row in resolved.live
    }
    plans, requests = [], []
    for j, row in resolved.live:
        columns = row.columns(layer.value_bits)
        plans.append(plan_levels(tuple(map(len, columns)), asked[j], fabric))
        requests.append(plans[-1].requests(columns))
    circuit, left = shared_adders([one for found in requests for one in found], layer.in_bits)
    ends = iter(left)
    bits = {
        j: build_levels(circuit, [next(ends) for _ in found], made, asked[j], fabric, j)
        for (j, _), made, found in zip(resolved.live, plans, requests, strict=True)
    }
    wanted = [bit >> 1 for found in bits.values() for bit in found if not isinstance(bit, bool)]
    names, latency = emit_circuit(body, circuit, wanted, "x", levels_per_stage)
    outputs = {}
    for j, row in resolved.live:
        relation = "below" if layer.invert[j] else "at least"
        needs = " ".join(map(str, asked[j].needs))
        value = bits_text(bits[j], names)
        outputs[j] = f"{value};  // {relation} {needs} of {row.largest(layer.peak)}"
    return outputs, latency


def _emit_pool(
    body: Body, resolved: LayerRows, levels_per_stage: int, fabric: Fabric
) -> tuple[dict[int, str], int]:
    """Emit a max pool of values of several bits; return {output: value} and the latency."""
    layer = resolved.layer
    circuit = Circuit(layer.in_bits)
    bits = {j: pool(circuit, layer, j, fabric) for j, _ in resolved.live}
    wanted = [literal >> 1 for found in bits.values() for literal in found]
    names, latency = emit_circuit(body, circuit, wanted, "x", levels_per_stage)
    outputs = {j: f"{bits_text(found, names)};" for j, found in bits.items()}
    return outputs, latency


def bits_text(bits: Sequence[Bit], names: Mapping[int, str]) -> str:
    """Return an output of some bits, the lowest first, as SystemVerilog."""
    texts = [
        f"1'b{int(bit)}" if isinstance(bit, bool) else f"{'~' if bit & 1 else ''}{names[bit >> 1]}"
        for bit in bits
    ]
    return texts[0] if len(texts) == 1 else "{" + ", ".join(reversed(texts)) + "}"


def _module(
    resolved: LayerRows, module: str, latency: int, width: int, lines: Sequence[str]
) -> str:
    """Return the whole module around its body."""
    layer = resolved.layer
    head = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// Layer {layer.name}: {layer.mh} outputs over {layer.mw} inputs, {layer.ones} ones.",
        f"// {resolved.literals} literals counted, xi in 1/{1 << layer.xi_frac}.",
        "// Generated by sbnn; do not edit.",
        f"// One vector per cycle, {latency} cycles from x to y, no handshake: see sbnn_flow.sv.",
        "`default_nettype none",
        "",
        f"module {module} (",
        "  input  wire aclk,",
        f"  input  wire [{layer.in_bits - 1}:0] x,",
        f"  output wire [{width - 1}:0] y",
        ");",
    ]
    return "\n".join([*head, *lines, "", "endmodule", "", "`default_nettype wire", ""])
