"""Wired layers: every connection is a wire into a compressor heap, one vector per cycle.

`emit_layer` writes one SystemVerilog module per layer: free running, no handshake, a fixed latency; the
stream around it is `rtl/sbnn_flow.sv`. Per neuron: a truth table where at most 6 literals are counted and xi
is 0 (one LUT6, or four LUT4), else a heap of full adders with registers every few levels, one addition and
one comparison. Where xi is not 0 the layer counts S once and shares, per distinct xi and threshold fraction,

    V = (xi_num*S >> F) + [xi_num*S mod 2**F >= T mod 2**F]      y = P + V > T >> F

so that a neuron pays one short addition for it (Eq. 4: the xi*q term is the same for all outputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.compress import count_width, signed_width
from sbnn.hls.heap import Body, add, emit_count, emit_heap, gather, literal, row_schedule
from sbnn.hls.layer import SparseLayer
from sbnn.hls.rows import LayerRows, Row

# One LUT6 on 7-series, four LUT4 on ECP5: at most what two full-adder levels and a comparison would take.
TABLE_LITERALS = 6


@dataclass(frozen=True)
class Cost:
    """What a layer is made of, for the estimate before synthesis.

    Attributes:
        full_adders: in all heaps.
        tables: {literals: number of neurons that are truth tables}.
        additions: {kind: bits of the results} of the carry-propagate additions. Kinds: "count", a popcount
            that is registered; "threshold", a popcount that is compared with a constant; "shared", a count
            plus V, compared; "score", a count plus a constant; "offset", U on top of it; "product", U itself,
            once per digit of xi_num; "carry", V from U.
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


def emit_layer(resolved: LayerRows, module: str, levels_per_stage: int) -> LayerRtl:
    """Write the module of one layer.

    Args:
        resolved: the layer with constants and rails resolved.
        module: name of the module.
        levels_per_stage: full-adder levels between registers, at least 1.
    """
    layer = resolved.layer
    body = Body()
    shared = _shared(body, resolved, levels_per_stage) if resolved.total is not None else None
    counted = shared is not None or layer.is_last
    stages = [_row_stages(row, layer, counted, levels_per_stage) for row in resolved.rows]
    # Stage at which the popcounts of all rows are needed: as late as V, or the deepest heap, if later.
    meet = max([shared.stage if shared else 0, *(s for s in stages if s is not None)])
    taps = _input_taps(body, resolved, [meet - s for s in stages if s is not None], shared)
    latency = meet + (1 if shared or layer.is_last else 0)
    score_bits = _score_bits(resolved) if layer.is_last else 0
    outputs = []
    for j, row in enumerate(resolved.rows):
        stage = stages[j]
        if row is None or stage is None:
            outputs.append(f"  assign y[{j}] = 1'b0;  // nothing reads it")
        elif layer.is_last:
            source = taps[meet - stage] if shared else "x"
            wait = 0 if shared else meet - stage
            outputs.append(
                _emit_score(
                    body, resolved, j, row, source, wait, shared, score_bits, levels_per_stage
                )
            )
        elif j in resolved.constants:
            outputs.append(f"  assign y[{j}] = 1'b{int(resolved.constants[j])};  // in every image")
        elif shared:
            outputs.append(
                _emit_shared(body, resolved, j, row, taps[meet - stage], shared, levels_per_stage)
            )
        else:
            outputs.append(_emit_plain(body, resolved, j, row, meet - stage, levels_per_stage))
    additions = {kind: tuple(widths) for kind, widths in body.additions.items()}
    cost = Cost(body.full_adders, body.tables, additions, body.registers)
    width = layer.mh * max(score_bits, 1)
    unused = (
        f"  wire unused = &{{1'b0, {', '.join(taps.values())}}};  // S and P need not read all of x"
    )
    text = _module(resolved, module, latency, width, [*body.lines, "", unused, *outputs])
    return LayerRtl(module, text, latency, score_bits, cost)


@dataclass(frozen=True)
class Shared:
    """The shared S of a layer: V per (xi_num, fraction of T), and U = xi_num*S per xi_num.

    Attributes:
        stage: cycles from x to V (hidden layer) or U (last layer).
        names: {(xi_num, fraction)} -> signal; fraction is 0 in the last layer.
        ranges: {(xi_num, fraction)} -> smallest and largest value.
    """

    stage: int
    names: dict[tuple[int, int], str]
    ranges: dict[tuple[int, int], tuple[int, int]]


def _shared(body: Body, resolved: LayerRows, levels_per_stage: int) -> Shared:
    """Emit S, xi_num*S and the shared V of a layer."""
    layer, total = resolved.layer, resolved.total
    if total is None:  # pragma: no cover - the caller asks only where xi is not 0
        raise ValueError(layer.name)
    frac = layer.xi_frac
    body.comment(f"S: how many of the {len(total.literals)} inputs are on; shared by all neurons.")
    count, _, stage = emit_count(body, "s", total, "x", layer.value_bits, levels_per_stage)
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
    return Shared(stage + (1 if layer.is_last else 2), names, ranges)


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


def _row_stages(
    row: Row | None, layer: SparseLayer, counted: bool, levels_per_stage: int
) -> int | None:
    """Return the cycles from x to a row's sum (`counted`) or to its bit."""
    if row is None:
        return None
    if not counted and _is_table(row, layer):
        return 1
    return -(-row_schedule(row, layer.value_bits).levels // levels_per_stage) + 1


def _is_table(row: Row, layer: SparseLayer) -> bool:
    return layer.value_bits == 1 and len(row.literals) <= TABLE_LITERALS


def _input_taps(
    body: Body, resolved: LayerRows, delays: Sequence[int], shared: Shared | None
) -> dict[int, str]:
    """Emit x delayed by 0..max(delays) cycles where rows wait for S; return {cycles: name}.

    Delaying the inputs costs MW flip-flops a cycle, delaying the popcounts MH times their width; at
    784 x 256 with 6-bit counts that is 784 against 1,536.
    """
    taps = {0: "x"}
    for cycle in range(1, (max(delays, default=0) if shared else 0) + 1):
        taps[cycle] = body.register(f"x_d{cycle}", resolved.layer.in_bits, taps[cycle - 1])
    return taps


def _emit_plain(
    body: Body, resolved: LayerRows, j: int, row: Row, wait: int, levels_per_stage: int
) -> str:
    """Emit a hidden neuron with xi = 0; return the assignment of its output."""
    layer, n = resolved.layer, len(row.literals)
    if layer.threshold is None or layer.invert is None:
        raise ValueError(f"layer {layer.name} has no thresholds")
    least = -(-int(layer.threshold[j]) // (1 << layer.xi_frac)) - row.base
    below = bool(layer.invert[j])
    body.comment(f"Neuron {j}: {'below' if below else 'at least'} {least} of {n * layer.peak}.")
    if _is_table(row, layer):
        table = sum(((i.bit_count() >= least) != below) << i for i in range(1 << n))
        index = body.wire(f"n{j}_i", n, gather(row, "x"))
        lut = body.wire(f"n{j}_t", 1 << n, f"{1 << n}'h{table:x}")
        bit = body.register(f"n{j}_y", 1, f"{lut}[{index}]")
        body.tables[n] = body.tables.get(n, 0) + 1
    else:
        width = count_width(n * layer.peak)
        columns, _ = emit_heap(body, f"n{j}", row, "x", layer.value_bits, levels_per_stage)
        count = body.wire(f"n{j}_p", width, add(columns, width))
        bit = body.register(f"n{j}_y", 1, f"{count} {'<' if below else '>='} {width}'d{least}")
        body.addition("threshold", width)
    return f"  assign y[{j}] = {body.delay(bit, 1, wait)};"


def _emit_shared(
    body: Body,
    resolved: LayerRows,
    j: int,
    row: Row,
    source: str,
    shared: Shared,
    levels_per_stage: int,
) -> str:
    """Emit a hidden neuron with a shared V; return the assignment of its output."""
    layer, n = resolved.layer, len(row.literals)
    if layer.threshold is None or layer.invert is None:
        raise ValueError(f"layer {layer.name} has no thresholds")
    threshold, k = int(layer.threshold[j]), int(layer.xi_num[j])
    key = (k, threshold % (1 << layer.xi_frac))
    least = (threshold >> layer.xi_frac) + 1 - row.base
    below = bool(layer.invert[j])
    low, high = shared.ranges[key]
    size = signed_width([low, high + n * layer.peak, least])
    body.comment(f"Neuron {j}: count of {n} plus V {'below' if below else 'at least'} {least}.")
    count, _, _ = emit_count(body, f"n{j}", row, source, layer.value_bits, levels_per_stage)
    total = body.wire(
        f"n{j}_a", size, f"$signed({size}'({count})) + {size}'({shared.names[key]})", "signed "
    )
    body.addition("shared", size)
    bit = body.register(f"n{j}_y", 1, f"{total} {'<' if below else '>='} {literal(least, size)}")
    return f"  assign y[{j}] = {bit};"


def _emit_score(
    body: Body,
    resolved: LayerRows,
    j: int,
    row: Row,
    source: str,
    wait: int,
    shared: Shared | None,
    size: int,
    levels_per_stage: int,
) -> str:
    """Emit score j of the last layer; return the assignment of its bits."""
    layer, n = resolved.layer, len(row.literals)
    if layer.offset is None:
        raise ValueError(f"layer {layer.name} has no offsets")
    scale = layer.xi_frac + 1
    constant = int(layer.offset[j]) + (row.base << scale)
    body.comment(f"Score {j}: twice the sum of {n} inputs, offset {constant}.")
    count, _, _ = emit_count(body, f"n{j}", row, source, layer.value_bits, levels_per_stage)
    value = f"($signed({size}'({count})) <<< {scale}) + {literal(constant, size)}"
    body.addition("score", size)
    if shared:
        value += f" + ({size}'({shared.names[int(layer.xi_num[j]), 0]}) <<< 1)"
        body.addition("offset", size)
    name = body.delay(body.register(f"n{j}_z", size, value, "signed "), size, wait)
    return f"  assign y[{(j + 1) * size - 1}:{j * size}] = {name};"


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
