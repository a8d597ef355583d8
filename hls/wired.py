"""Wired layers: every connection is a wire into shared full adders and tables, one vector per cycle.

`emit_layer` writes one SystemVerilog module per layer: free running, no handshake, a fixed latency; the
stream around it is `rtl/sbnn_flow.sv`. A neuron without xi is full adders, shared with the other neurons
(`sharing`), and a few tables (`ends`) that say whether the threshold is reached; no sum is ever made. Scores
and neurons with xi are sums. Where xi is not 0 the layer counts S once and shares, per distinct xi and
threshold fraction,

    V = (xi_num*S >> F) + [xi_num*S mod 2**F >= T mod 2**F]      y = P + V > T >> F

so that a neuron pays one short addition for it (Eq. 4: the xi*q term is the same for all outputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.circuit import Circuit
from sbnn.hls.compress import count_width, signed_width, to_two_rows
from sbnn.hls.ends import decide, plan
from sbnn.hls.fabric import Fabric
from sbnn.hls.heap import Body, add, emit_circuit, literal, stages
from sbnn.hls.layer import SparseLayer
from sbnn.hls.rows import LayerRows, Row
from sbnn.hls.sharing import Request, share

# Per row and column the literals that are left when all full adders are made.
Columns = tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True)
class Cost:
    """What a layer is made of, for the estimate before synthesis.

    Attributes:
        full_adders: distinct ones.
        tables: {inputs: outputs of truth tables of so many inputs}.
        additions: {kind: bits of the results} of the carry-propagate additions. Kinds: "count", a popcount
            that is registered; "shared", a count plus V, compared; "score", a count plus a constant;
            "offset", U on top of it; "product", U itself, once per digit of xi_num; "carry", V from U.
        registers: flip-flops.
    """

    full_adders: int
    tables: dict[int, int]
    additions: dict[str, tuple[int, ...]]
    registers: int


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
    score_bits = _score_bits(resolved) if layer.is_last else 0
    if layer.is_last or resolved.total is not None:
        outputs, latency = _emit_sums(body, resolved, score_bits, levels_per_stage)
    else:
        outputs, latency = _emit_thresholds(body, resolved, levels_per_stage, fabric)
    outputs = {
        j: f"1'b{int(bit)};  // in every image" for j, bit in resolved.constants.items()
    } | outputs
    width = max(score_bits, 1)
    assigns = []
    for j, row in enumerate(resolved.rows):
        value = outputs[j] if row is not None else "1'b0;  // nothing reads it"
        place = f"{j}" if width == 1 else f"{(j + 1) * width - 1}:{j * width}"
        assigns.append(f"  assign y[{place}] = {value}")
    unused = "  wire unused = &{1'b0, x};  // not every input needs to be read"
    additions = {kind: tuple(widths) for kind, widths in body.additions.items()}
    cost = Cost(body.full_adders, body.tables, additions, body.registers)
    lines = [*body.declarations(), *body.lines, "", unused, *assigns]
    text = _module(resolved, module, latency, layer.mh * width, lines)
    return LayerRtl(module, text, latency, score_bits, cost)


def _columns(row: Row, value_bits: int) -> tuple[tuple[int, ...], ...]:
    """Return a row's literals per bit of its values: 2 * bit of x + complemented."""
    return tuple(
        tuple(2 * (index * value_bits + bit) + off for index, off in row.literals)
        for bit in range(value_bits)
    )


def _full_adders(layer: SparseLayer, requests: Sequence[Request]) -> tuple[Circuit, Columns]:
    """Return a circuit of shared full adders, and per request the literals that are left."""
    shared = share(requests, layer.in_bits)
    circuit = Circuit(layer.in_bits)
    for level in shared.levels:
        for triple in level:
            circuit.add(triple)
    return circuit, shared.columns


def _emit_thresholds(
    body: Body, resolved: LayerRows, levels_per_stage: int, fabric: Fabric
) -> tuple[dict[int, str], int]:
    """Emit the hidden neurons of a layer without xi; return {output: value} and the latency."""
    layer = resolved.layer
    if layer.threshold is None or layer.invert is None:
        raise ValueError(f"layer {layer.name} has no thresholds")
    needs, plans, requests = {}, [], []
    for j, row in _live(resolved):
        needs[j] = -(-int(layer.threshold[j]) // (1 << layer.xi_frac)) - row.base
        columns = _columns(row, layer.value_bits)
        plans.append(plan(tuple(map(len, columns)), (), needs[j], fabric))
        requests.append(Request(columns, plans[-1].adders))
    circuit, left = _full_adders(layer, requests)
    bits = {
        j: decide(circuit, columns, end.carries, need, bool(layer.invert[j]), fabric, j)
        for (j, need), end, columns in zip(needs.items(), plans, left, strict=True)
    }
    wanted = [bit >> 1 for bit in bits.values()]
    names, latency = emit_circuit(body, circuit, wanted, "x", levels_per_stage)
    outputs = {}
    for j, row in _live(resolved):
        relation = "below" if layer.invert[j] else "at least"
        name = f"{'~' if bits[j] & 1 else ''}{names[bits[j] >> 1]}"
        outputs[j] = f"{name};  // {relation} {needs[j]} of {len(row.literals) * layer.peak}"
    return outputs, latency


def _live(resolved: LayerRows) -> list[tuple[int, Row]]:
    """Return (output, row) of the outputs that something reads and that images change."""
    return [
        (j, row)
        for j, row in enumerate(resolved.rows)
        if row is not None and j not in resolved.constants
    ]


@dataclass(frozen=True)
class Counts:
    """The popcounts of some rows: what is left of each after its full adders, and when its sum is there."""

    rows: tuple[Row, ...]
    circuit: Circuit
    columns: Columns
    latency_cycles: int


def _counts(layer: SparseLayer, rows: Sequence[Row], levels_per_stage: int) -> Counts:
    """Plan the popcounts of rows."""
    columns = [_columns(row, layer.value_bits) for row in rows]
    requests = [Request(found, to_two_rows([len(column) for column in found])) for found in columns]
    circuit, left = _full_adders(layer, requests)
    return Counts(tuple(rows), circuit, left, stages(circuit, levels_per_stage) + 1)


def _emit_counts(
    body: Body, counts: Counts, peak: int, source: str, levels_per_stage: int, prefix: str
) -> list[str]:
    """Emit the registered popcounts of rows; return their names."""
    wanted = [bit >> 1 for columns in counts.columns for column in columns for bit in column]
    names, _ = emit_circuit(body, counts.circuit, wanted, source, levels_per_stage, prefix)
    body.comment("Popcounts.")
    sums = []
    for j, (row, columns) in enumerate(zip(counts.rows, counts.columns, strict=True)):
        width = count_width(len(row.literals) * peak)
        bits = [[f"{'~' if b & 1 else ''}{names[b >> 1]}" for b in column] for column in columns]
        sums.append(body.register(f"{prefix}p{j}", width, add(bits, width)))
        body.addition("count", width)
    return sums


def _emit_sums(
    body: Body, resolved: LayerRows, score_bits: int, levels_per_stage: int
) -> tuple[dict[int, str], int]:
    """Emit neurons with xi, or scores; return {output: value} and the latency."""
    layer, total, live = resolved.layer, resolved.total, _live(resolved)
    counts = _counts(layer, [row for _, row in live], levels_per_stage)
    meet, source, shared = counts.latency_cycles, "x", None
    if total is not None:
        whole = _counts(layer, [total], levels_per_stage)
        late = whole.latency_cycles + (1 if layer.is_last else 2)
        if not total.literals:  # the same in every cycle: nothing waits for it
            late = meet
        ahead = body.delay("x", layer.in_bits, max(meet - late, 0))
        (s,) = _emit_counts(body, whole, layer.peak, ahead, levels_per_stage, "s_")
        shared = _shared(body, resolved, total, s)
        # Delaying the inputs costs MW flip-flops a cycle, delaying the popcounts MH times their width; at
        # 784 x 256 with 6-bit counts that is 784 against 1,536.
        source = body.delay("x", layer.in_bits, max(late - meet, 0))
        meet = max(meet, late)
    sums = _emit_counts(body, counts, layer.peak, source, levels_per_stage, "")
    outputs = {}
    for (j, row), count in zip(live, sums, strict=True):
        emit = _emit_score if layer.is_last else _emit_shared
        outputs[j] = emit(body, resolved, j, row, count, shared, score_bits)
    return outputs, meet + 1


@dataclass(frozen=True)
class Shared:
    """The shared S of a layer: V per (xi_num, fraction of T), or U = xi_num*S in the last layer.

    Attributes:
        names: {(xi_num, fraction)} -> signal; fraction is 0 in the last layer.
        ranges: {(xi_num, fraction)} -> smallest and largest value.
    """

    names: dict[tuple[int, int], str]
    ranges: dict[tuple[int, int], tuple[int, int]]


def _shared(body: Body, resolved: LayerRows, total: Row, count: str) -> Shared:
    """Emit xi_num*S and the shared V of a layer, one and two cycles behind `count`."""
    layer = resolved.layer
    frac = layer.xi_frac
    body.comment(f"S: how many of the {len(total.literals)} inputs are on; shared by all neurons.")
    names, ranges = {}, {}
    for k in sorted(set(layer.xi_num.tolist())):
        ends = sorted((k * total.base, k * (total.base + len(total.literals) * layer.peak)))
        size = signed_width(ends)
        name = f"u_{'m' if k < 0 else ''}{abs(k)}"
        product = _times(k, count, size, total.base)
        for _ in range(abs(k).bit_count()):
            body.addition("product", size)
        body.register(name, size, product, "signed ")
        if layer.is_last:
            names[k, 0], ranges[k, 0] = name, (ends[0], ends[1])
            continue
        thresholds = layer.threshold[layer.xi_num == k] if layer.threshold is not None else []
        fractions = {int(threshold) % (1 << frac) for threshold in thresholds}
        for fraction in sorted(fractions):
            low, high = (ends[0] >> frac), (ends[1] >> frac) + 1
            wide = signed_width([low, high])
            high_part = f"{wide}'({name} >>> {frac})"
            carry = "1'b1" if fraction == 0 else f"({name}[{frac - 1}:0] >= {frac}'d{fraction})"
            key = (k, fraction)
            names[key] = body.register(
                f"v_{'m' if k < 0 else ''}{abs(k)}_{fraction}",
                wide,
                f"{high_part} + $signed({wide}'({carry}))",
                "signed ",
            )
            body.addition("carry", wide + frac)
            ranges[key] = (low, high)
    return Shared(names, ranges)


def _times(k: int, count: str, size: int, base: int) -> str:
    """Return k * (count + base) as shifts and additions, `size` bits wide, signed.

    A product would be a DSP block in some tools and plain adders in others; this is the same everywhere.
    """
    terms = [
        f"($signed({size}'({count})) <<< {bit})" if bit else f"$signed({size}'({count}))"
        for bit in range(abs(k).bit_length())
        if abs(k) >> bit & 1
    ]
    value = " + ".join(terms) if terms else literal(0, size)
    constant = f" + {literal(k * base, size)}" if base and k else ""
    return f"-({value}){constant}" if k < 0 else f"{value}{constant}"


def _emit_shared(
    body: Body, resolved: LayerRows, j: int, row: Row, count: str, shared: Shared | None, _: int
) -> str:
    """Emit a hidden neuron with a shared V; return its output."""
    layer, n = resolved.layer, len(row.literals)
    if layer.threshold is None or layer.invert is None or shared is None:
        raise ValueError(f"layer {layer.name} has no thresholds")
    threshold = int(layer.threshold[j])
    key = (int(layer.xi_num[j]), threshold % (1 << layer.xi_frac))
    least = (threshold >> layer.xi_frac) + 1 - row.base
    below = bool(layer.invert[j])
    low, high = shared.ranges[key]
    size = signed_width([low, high + n * layer.peak, least])
    body.comment(f"Neuron {j}: count of {n} plus V {'below' if below else 'at least'} {least}.")
    value = f"$signed({size}'({count})) + {size}'({shared.names[key]})"
    total = body.wire(f"n{j}_a", size, value, "signed ")
    body.addition("shared", size)
    relation = f"{total} {'<' if below else '>='} {literal(least, size)}"
    return f"{body.register(f'n{j}_y', 1, relation)};"


def _emit_score(
    body: Body,
    resolved: LayerRows,
    j: int,
    row: Row,
    count: str,
    shared: Shared | None,
    size: int,
) -> str:
    """Emit score j of the last layer; return its bits."""
    layer = resolved.layer
    if layer.offset is None:
        raise ValueError(f"layer {layer.name} has no offsets")
    scale = layer.xi_frac + 1
    constant = int(layer.offset[j]) + (row.base << scale)
    body.comment(f"Score {j}: twice the sum of {len(row.literals)} inputs, offset {constant}.")
    value = f"($signed({size}'({count})) <<< {scale}) + {literal(constant, size)}"
    body.addition("score", size)
    if shared:
        value += f" + ({size}'({shared.names[int(layer.xi_num[j]), 0]}) <<< 1)"
        body.addition("offset", size)
    return f"{body.register(f'n{j}_z', size, value, 'signed ')};"


def _score_bits(resolved: LayerRows) -> int:
    """Return the width that holds every score and every term of its sum."""
    layer = resolved.layer
    low, high = layer.reach()
    offset = layer.offset if layer.offset is not None else low
    ends = [*(2 * low + offset).tolist(), *(2 * high + offset).tolist()]
    return signed_width([int(end) for end in ends])


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
