"""The sparse matrix as a user would write it: sums with `+`, registered every few levels of additions."""

from sbnn.hls.baselines.verilog import (
    Baseline,
    Lines,
    counts_of,
    decide,
    literal,
    module_text,
    place,
    score_bits,
    width_of,
)
from sbnn.hls.layer import BoolArray, SparseLayer


def emit_plus(layer: SparseLayer, read: BoolArray, module: str, levels_per_stage: int) -> Baseline:
    """Write a layer as `+` trees.

    A stage adds 2**levels_per_stage numbers, as `levels_per_stage` levels of two-input adders would; the
    comparison shares the last stage, and shorter neurons wait at the end.

    Args:
        layer: the layer, xi = 0.
        read: (MH,) bool, outputs that the next layer reads.
        module: name of the module.
        levels_per_stage: levels of two-input adders between registers.

    Raises:
        NetworkError: xi is not 0.
    """
    lines = Lines()
    arity = 1 << levels_per_stage
    depth = 0
    results: list[tuple[int, str, int] | None] = []
    for j, row in enumerate(counts_of(layer, read)):
        if row is None:
            results.append(None)
            continue
        terms = [(literal(*found), 1) for found in row.literals] or [("1'b0", 0)]
        stage = 1
        while len(terms) > arity:
            stored = []
            for i in range(0, len(terms), arity):
                group = terms[i : i + arity]
                largest = sum(most for _, most in group)
                name = f"n{j}_{stage}_{i // arity}"
                value = " + ".join(name for name, _ in group)
                stored.append((lines.register(name, width_of(largest), value), largest))
            terms, stage = stored, stage + 1
        largest = sum(most for _, most in terms)
        total = lines.wire(f"n{j}_p", width_of(largest), " + ".join(name for name, _ in terms))
        size = score_bits(layer)
        output = lines.register(f"n{j}_y", size, decide(layer, j, total, largest, row.base))
        results.append((stage, output, size))
        depth = max(depth, stage)
    for j, found in enumerate(results):
        value = "1'b0" if found is None else lines.delay(found[1], found[2], depth - found[0])
        lines.text.append(place(layer, j, value))
    about = f"Layer {layer.name} as + trees, {depth} cycles."
    return Baseline(
        module, {f"{module}.sv": module_text(module, about, layer, lines.text)}, max(depth, 1)
    )
