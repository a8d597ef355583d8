"""da4ml's solution of the sparse matrix: its shared adder graph, its pipelining and its Verilog.

da4ml (C. Sun et al., TRETS 2025) solves a constant matrix-vector product with common subexpressions; its
own code generator writes each pipeline stage, and the thresholds or scores here follow its last one.
"""

from importlib.resources import files as package_files

import numpy as np
from da4ml.cmvm import solve
from da4ml.codegen.rtl.verilog.comb import comb_logic_gen
from da4ml.trace import FixedVariable, HWConfig, comb_trace
from da4ml.trace.pipeline import to_pipeline
from da4ml.types import CombLogic, minimal_kif

from sbnn.hls.baselines.verilog import (
    Baseline,
    Lines,
    counts_of,
    decide,
    literal,
    module_text,
    place,
    score_bits,
)
from sbnn.hls.layer import BoolArray, SparseLayer

BIT = (0.0, 1.0, 1.0)  # smallest, largest, step


def emit_adder_graph(
    layer: SparseLayer, read: BoolArray, module: str, levels_per_stage: int
) -> Baseline:
    """Write a layer as da4ml's adder graph.

    Args:
        layer: the layer, xi = 0.
        read: (MH,) bool, outputs that the next layer reads.
        module: name of the module.
        levels_per_stage: adders in a row between registers.

    Raises:
        NetworkError: xi is not 0.
    """
    lines, rows = Lines(), counts_of(layer, read)
    inputs = sorted({found for row in rows if row for found in row.literals})
    place_of = {found: i for i, found in enumerate(inputs)}
    counted = [j for j, row in enumerate(rows) if row and row.literals]
    kernel = np.zeros((len(inputs), len(counted)), np.float32)
    for column, j in enumerate(counted):
        row = rows[j]
        for found in row.literals if row else ():
            kernel[place_of[found], column] = 1
    stages = solve_stages(kernel, levels_per_stage)
    files = {"shift_adder.v": _library("shift_adder"), "negative.v": _library("negative")}
    source = lines.wire(
        "in0", len(inputs), "{" + ", ".join(literal(*found) for found in reversed(inputs)) + "}"
    )
    for i, stage in enumerate(stages):
        name = f"{module}_stage{i}"
        files[f"{name}.v"] = comb_logic_gen(stage, name)
        width = sum(_widths(stage))
        lines.text.append(f"  wire [{width - 1}:0] out{i};")
        lines.text.append(f"  {name} u{i} (.model_inp({source}), .model_out(out{i}));")
        source = (
            lines.register(f"in{i + 1}", width, f"out{i}") if i + 1 < len(stages) else f"out{i}"
        )
    size, low = score_bits(layer), 0
    spans = {}
    for column, width in enumerate(_widths(stages[-1])):
        spans[counted[column]] = f"{source}[{low + width - 1}:{low}]"
        low += width
    for j, row in enumerate(rows):
        if row is None:
            lines.text.append(place(layer, j, "1'b0"))
        else:
            value = decide(layer, j, spans.get(j, "1'b0"), len(row.literals), row.base)
            lines.text.append(place(layer, j, lines.register(f"n{j}_y", size, value)))
    about = f"Layer {layer.name} as da4ml's adder graph, {len(stages)} cycles."
    files[f"{module}.sv"] = module_text(module, about, layer, lines.text)
    return Baseline(module, files, len(stages))


def solve_stages(kernel: np.ndarray, levels_per_stage: int) -> tuple[CombLogic, ...]:
    """Return da4ml's solution of x @ kernel for bits x, cut where registers go."""
    found = solve(kernel, qintervals=[BIT] * len(kernel))
    config = HWConfig(-1, -1, -1)
    bits = [FixedVariable(*BIT, hwconf=config) for _ in range(len(kernel))]
    graph = comb_trace(bits, list(found(bits)))
    return tuple(to_pipeline(graph, levels_per_stage, retiming=False, verbose=False).solutions)


def _widths(stage: CombLogic) -> list[int]:
    return [int(sum(minimal_kif(interval))) for interval in stage.out_qint]


def _library(name: str) -> str:
    """Return a module of da4ml's own library, as it is installed."""
    folder = package_files("da4ml") / "codegen" / "rtl" / "verilog" / "source"
    return (folder / f"{name}.v").read_text()
