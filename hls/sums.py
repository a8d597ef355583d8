"""Sums of wired layers: scores, and hidden neurons with xi.

Where xi is not 0 the layer counts S once and shares, per distinct xi and threshold fraction,

    V = (xi_num*S >> F) + [xi_num*S mod 2**F >= T mod 2**F]      y = P + V > T >> F

so that a neuron pays one short addition for it (Eq. 4: the xi*q term is the same for all outputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.circuit import Circuit, shared_adders
from sbnn.hls.compress import count_width, signed_width, to_two_rows
from sbnn.hls.heap import Body, add, emit_circuit, literal, stages
from sbnn.hls.layer import SparseLayer
from sbnn.hls.rows import LayerRows, Row
from sbnn.hls.sharing import Columns, Request


@dataclass(frozen=True)
class Counts:
    """The popcounts of some rows: what is left of each after its full adders, and when its sum is there."""

    rows: tuple[Row, ...]
    circuit: Circuit
    columns: tuple[Columns, ...]
    latency_cycles: int


def _plan_counts(layer: SparseLayer, rows: Sequence[Row], levels_per_stage: int) -> Counts:
    """Plan the popcounts of rows."""
    columns = [row.columns(layer.value_bits) for row in rows]
    requests = [Request(found, to_two_rows([len(column) for column in found])) for found in columns]
    circuit, left = shared_adders(requests, layer.in_bits)
    return Counts(tuple(rows), circuit, left, stages(circuit.depth, levels_per_stage) + 1)


def _emit_counts(
    body: Body, counts: Counts, peak: int, source: str, levels_per_stage: int, prefix: str
) -> list[str]:
    """Emit the registered popcounts of rows; return their names."""
    wanted = [bit >> 1 for columns in counts.columns for column in columns for bit in column]
    names, _ = emit_circuit(body, counts.circuit, wanted, source, levels_per_stage, prefix)
    body.comment("Popcounts.")
    sums = []
    for j, (row, columns) in enumerate(zip(counts.rows, counts.columns, strict=True)):
        width = count_width(row.largest(peak))
        bits = [[f"{'~' if b & 1 else ''}{names[b >> 1]}" for b in column] for column in columns]
        sums.append(body.register(f"{prefix}p{j}", width, add(bits, width)))
        body.addition("count", width)
    return sums


def emit_sums(
    body: Body, resolved: LayerRows, score_bits: int, levels_per_stage: int
) -> tuple[dict[int, str], int]:
    """Emit neurons with xi, or scores; return {output: value} and the latency."""
    layer, total, live = resolved.layer, resolved.total, resolved.live
    counts = _plan_counts(layer, [row for _, row in live], levels_per_stage)
    meet, source, shared = counts.latency_cycles, "x", None
    if total is not None:
        whole = _plan_counts(layer, [total], levels_per_stage)
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
        ends = sorted((k * total.base, k * (total.base + total.largest(layer.peak))))
        # The fraction is read as the low `frac` bits, below the sign even where the product is small.
        size = max(signed_width(ends), frac + 1)
        name = f"u_{'m' if k < 0 else ''}{abs(k)}"
        product = _times(k, count, size, total.base)
        for _ in range(abs(k).bit_count()):
            body.addition("product", size)
        body.register(name, size, product, "signed ")
        if layer.is_last:
            names[k, 0], ranges[k, 0] = name, (ends[0], ends[1])
            continue
        thresholds = (
            layer.threshold[layer.xi_num == k].reshape(-1) if layer.threshold is not None else []
        )
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
    below, lowest, highest = bool(layer.invert[j]), *(int(ends[j]) for ends in resolved.reach)
    totals: dict[int, str] = {}
    levels = []
    for threshold in layer.threshold[j].tolist():
        if not lowest < threshold <= highest:
            levels.append(f"1'b{int((threshold <= lowest) ^ below)}")
            continue
        fraction = threshold % (1 << layer.xi_frac)
        key = (int(layer.xi_num[j]), fraction)
        leasts = [
            (t >> layer.xi_frac) + 1 - row.base
            for t in layer.threshold[j].tolist()
            if t % (1 << layer.xi_frac) == fraction
        ]
        least = (threshold >> layer.xi_frac) + 1 - row.base
        low, high = shared.ranges[key]
        size = signed_width([low, high + row.largest(layer.peak), *leasts])
        body.comment(f"Neuron {j}: count of {n} plus V {'below' if below else 'at least'} {least}.")
        if fraction not in totals:
            name = f"n{j}_a" if layer.levels == 1 else f"n{j}_a{fraction}"
            value = f"$signed({size}'({count})) + {size}'({shared.names[key]})"
            totals[fraction] = body.wire(name, size, value, "signed ")
        body.addition("shared", size)
        levels.append(f"{totals[fraction]} {'<' if below else '>='} {literal(least, size)}")
    if layer.levels == 1:
        return f"{body.register(f'n{j}_y', 1, levels[0])};"
    thermometer = [f"({level})" for level in (levels[::-1] if below else levels)]
    # Bit k of how many levels count is the parity of those at multiples of 2**k (`levels`).
    bits = [
        "^{" + ", ".join(thermometer[(1 << bit) - 1 :: 1 << bit]) + "}"
        for bit in range(layer.output.bits)
    ]
    value = "{" + ", ".join(reversed(bits)) + "}"
    return f"{body.register(f'n{j}_y', layer.output.bits, value)};"


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


def score_width(layer: SparseLayer) -> int:
    """Return the width that holds every score of a last layer and every term of its sum."""
    low, high = layer.reach
    offset = layer.offset if layer.offset is not None else low
    ends = [*(2 * low + offset).tolist(), *(2 * high + offset).tolist()]
    return signed_width([int(end) for end in ends])
