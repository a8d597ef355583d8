"""The dense -1/+1 layer of the same shape, wired: unshared, and with shared sums of groups of inputs.

Unshared, a neuron counts x XNOR w over all inputs in its own heap of full adders. Shared, it counts only
where w is +1 (2 P - S instead of the XNOR count, so half the bits), and inputs come in groups whose partial
sums, one for every subset, are made once and taken by all neurons.
"""

from collections.abc import Mapping, Sequence
from math import comb

import numpy as np

from sbnn.hls.baselines.verilog import (
    Baseline,
    Lines,
    decide,
    literal,
    module_text,
    place,
    score_bits,
    threshold_of,
    width_of,
)
from sbnn.hls.layer import SparseLayer


def dense_layer(inputs: int, outputs: int, last: bool, seed: int = 0) -> SparseLayer:
    """Return a random dense -1/+1 layer as two rails: each input or its complement counts.

    The threshold of a neuron is half its inputs, where training puts it within a few counts; the bnn model's
    own first layer has 49.5 % of +1.
    """
    positive = np.random.default_rng(seed).random((outputs, inputs)) < 0.5
    return SparseLayer(
        "dense",
        np.hstack([positive, ~positive]).astype(np.uint8),
        np.zeros(outputs, np.int64),
        0,
        rails=2,
        threshold=None if last else np.full((outputs, 1), inputs // 2, np.int64),
        invert=None if last else np.zeros(outputs, bool),
        offset=np.full(outputs, -inputs, np.int64) if last else None,
    )


def emit_dense(layer: SparseLayer, module: str, levels_per_stage: int) -> Baseline:
    """Write a dense layer with one heap per neuron.

    Args:
        layer: of `dense_layer`.
        module: name of the module.
        levels_per_stage: full-adder levels between registers.
    """
    lines, latency = Lines(), 1
    for j in range(layer.mh):
        signs = layer.w01[j, : layer.inputs].tolist()
        bits = {0: [literal(i, not positive) for i, positive in enumerate(signs)]}
        rows, stage = lines.heap(f"n{j}", bits, levels_per_stage)
        count = lines.wire(f"n{j}_p", width_of(layer.inputs), " + ".join(rows))
        value = decide(layer, j, count, layer.inputs, 0)
        lines.text.append(place(layer, j, lines.register(f"n{j}_y", score_bits(layer), value)))
        latency = stage + 1
    about = f"Dense layer, {layer.mh} x {layer.inputs}, XNOR and popcount, {latency} cycles."
    return Baseline(
        module, {f"{module}.sv": module_text(module, about, layer, lines.text)}, latency
    )


def best_group(inputs: int, outputs: int) -> int:
    """Return the group size with the fewest full adders and tables, 2 to 6 (a table is one LUT6)."""

    def cost(size: int) -> float:
        sums = [(comb(size, n), n) for n in range(1, size + 1)]
        bits = sum(times * width_of(n) for times, n in sums) / (1 << size)
        tables = sum(times * width_of(n) for times, n in sums if n > 1)
        # Two outputs of up to five shared inputs are one LUT6.
        return inputs / size * (bits * outputs + tables / (2 if size < 6 else 1))

    return min(range(2, 7), key=cost)


def emit_shared(
    layer: SparseLayer, module: str, levels_per_stage: int, group: int | None = None
) -> Baseline:
    """Write a dense layer whose neurons share the partial sums of groups of inputs, and S.

    Args:
        layer: of `dense_layer`.
        module: name of the module.
        levels_per_stage: full-adder levels between registers.
        group: inputs of a group; None takes `best_group`.
    """
    size = group or best_group(layer.inputs, layer.mh)
    lines = Lines()
    groups = _groups(layer, size)
    sums = _emit_groups(lines, layer, groups)
    total, waited = _emit_total(lines, layer, levels_per_stage)
    counts = [_emit_count(lines, layer, j, groups, sums, levels_per_stage) for j in range(layer.mh)]
    meet = max(waited, *(stage + 1 for _, stage in counts))  # the groups' own register
    width = width_of(layer.inputs)
    total = lines.delay(total, width, meet - waited)
    for j, (count, stage) in enumerate(counts):
        waiting = lines.delay(count, width, meet - stage - 1)
        lines.text.append(place(layer, j, _emit_decision(lines, layer, j, waiting, total)))
    about = (
        f"Dense layer, {layer.mh} x {layer.inputs}, sums of groups of {size} inputs shared, "
        f"{meet + 1} cycles."
    )
    text = module_text(module, about, layer, lines.text)
    return Baseline(module, {f"{module}.sv": text}, meet + 1)


def shared_parts(
    layer: SparseLayer, module: str, levels_per_stage: int, groups: int, neurons: int
) -> dict[str, tuple[Baseline, float]]:
    """Return parts of `emit_shared`'s layer with the times that each stands in it, where it is too big.

    Registers are the parts' boundaries there too, so their sizes add up; only what waits for S is left out.

    Args:
        layer: of `dense_layer`.
        module: name of the modules, before their part.
        levels_per_stage: full-adder levels between registers.
        groups: of the sums to write.
        neurons: to write.
    """
    size = best_group(layer.inputs, layer.mh)
    every = _groups(layer, size)
    parts: dict[str, tuple[Baseline, float]] = {}

    def add(part: str, lines: Lines, inputs: int, outputs: Sequence[str], times: float) -> None:
        name = f"{module}_{part}"
        ports = (
            f"input wire aclk, input wire [{inputs - 1}:0] x, output wire [{len(outputs) - 1}:0] y"
        )
        body = [*lines.text, f"  assign y = {{{', '.join(reversed(outputs))}}};"]
        text = "\n".join([f"module {name} ({ports});", *body, "endmodule", ""])
        parts[part] = Baseline(name, {f"{name}.sv": text}, 1), times

    lines = Lines()
    sums = _emit_groups(lines, layer, every[:groups])
    bits = [bit for found in sums.values() for bit in found]
    add("sums", lines, layer.inputs, bits, len(every) / len(every[:groups]))
    lines = Lines()
    width = width_of(layer.inputs)
    total, _ = _emit_total(lines, layer, levels_per_stage)
    add("total", lines, layer.inputs, [f"{total}[{i}]" for i in range(width)], 1)
    lines, inputs = Lines(), width  # x is S and the sums that these neurons take
    taken: dict[tuple[int, int], list[str]] = {}
    for j in range(neurons):
        for g, key in enumerate(_keys(layer, j, every)):
            if key and (g, key) not in taken:
                bits_of = width_of(key.bit_count())
                taken[g, key] = [f"x[{inputs + i}]" for i in range(bits_of)]
                inputs += bits_of
    outputs = []
    for j in range(neurons):
        count, _ = _emit_count(lines, layer, j, every, taken, levels_per_stage)
        name = _emit_decision(lines, layer, j, count, f"x[{width - 1}:0]")
        outputs += [f"{name}[{i}]" for i in range(score_bits(layer))]
    add("neurons", lines, inputs, outputs, layer.mh / neurons)
    return parts


def _groups(layer: SparseLayer, size: int) -> list[range]:
    starts = range(0, layer.inputs, size)
    return [range(start, min(start + size, layer.inputs)) for start in starts]


def _keys(layer: SparseLayer, output: int, groups: Sequence[range]) -> list[int]:
    """Return which subset of each group a neuron takes, as bits."""
    row = layer.w01[output].tolist()
    return [sum(row[i] << k for k, i in enumerate(members)) for members in groups]


def _emit_groups(
    lines: Lines, layer: SparseLayer, groups: Sequence[range]
) -> dict[tuple[int, int], list[str]]:
    """Emit the registered sums of all subsets that some neuron takes; return their bits, lowest first."""
    taken = [_keys(layer, j, groups) for j in range(layer.mh)]
    found: dict[tuple[int, int], list[str]] = {}
    for g, members in enumerate(groups):
        for key in sorted({keys[g] for keys in taken} - {0}):
            width = width_of(key.bit_count())
            value = " + ".join(f"x[{i}]" for k, i in enumerate(members) if key >> k & 1)
            name = lines.register(f"g{g}_{key}", width, value)
            found[g, key] = [f"{name}[{bit}]" for bit in range(width)]
    return found


def _emit_total(lines: Lines, layer: SparseLayer, levels_per_stage: int) -> tuple[str, int]:
    """Emit S; return its register and stage."""
    every = {0: [f"x[{i}]" for i in range(layer.inputs)]}
    rows, stage = lines.heap("s", every, levels_per_stage)
    return lines.register("s_p", width_of(layer.inputs), " + ".join(rows)), stage + 1


def _emit_count(
    lines: Lines,
    layer: SparseLayer,
    output: int,
    groups: Sequence[range],
    sums: Mapping[tuple[int, int], Sequence[str]],
    levels_per_stage: int,
) -> tuple[str, int]:
    """Emit P of one neuron over its +1 weights, from the groups' sums; return its register and stage."""
    bits: dict[int, list[str]] = {}
    for g, key in enumerate(_keys(layer, output, groups)):
        for weight, bit in enumerate(sums[g, key] if key else ()):
            bits.setdefault(weight, []).append(bit)
    rows, stage = lines.heap(f"n{output}", bits or {0: ["1'b0"]}, levels_per_stage)
    value = " + ".join(rows)
    return lines.register(f"n{output}_p", width_of(layer.inputs), value), stage + 1


def _emit_decision(lines: Lines, layer: SparseLayer, output: int, count: str, total: str) -> str:
    """Emit the end of one neuron, given P over its +1 weights and S; return its register.

    The XNOR count is 2 P - S + Z, Z the neuron's -1 weights.
    """
    zeros = int(layer.inputs - layer.w01[output, : layer.inputs].sum())
    if layer.offset is not None:
        size = score_bits(layer)
        constant = (int(layer.offset[output]) + 2 * zeros) % (1 << size)
        agree = f"({size}'({count}) << 1) - {size}'({total})"
        return lines.register(f"n{output}_y", size, f"(({agree}) << 1) + {size}'d{constant}")
    least, below = threshold_of(layer, output, zeros)
    size = width_of(2 * layer.inputs) + 2
    difference = lines.wire(
        f"n{output}_d",
        size,
        f"({size}'({count}) << 1) - {size}'({total}) - {size}'d{least % (1 << size)}",
    )
    sign = f"{difference}[{size - 1}]"
    return lines.register(f"n{output}_y", 1, sign if below else f"!{sign}")
