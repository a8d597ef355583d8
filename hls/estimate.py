"""Estimate the LUTs of a design from its full adders, sums and tables, before any synthesis."""

from collections.abc import Mapping
from typing import Any


def estimate_layers(manifest: Mapping[str, Any], family: str) -> dict[str, int]:
    """Return {layer name: LUTs}, with `streams` for what surrounds the layers.

    Args:
        manifest: a design's manifest.
        family: key of `sbnn.hls.synth.FAMILIES`.
    """
    weights = _WEIGHTS[6 if family in ("xc7", "xcup") else 4]
    luts = {}
    for layer in manifest["layers"]:
        cost = layer["cost"]
        tables = sum(weights["table"][int(n)] * count for n, count in cost["tables"].items())
        luts[layer["name"]] = round(
            weights["full_adder"] * cost["full_adders"]
            + weights["sum_bit"] * cost["sum_bits"]
            + weights["compare_bit"] * cost["compare_bits"]
            + tables
        )
    classes, field = manifest["classes"], manifest["output"]["field_bits"]
    luts["streams"] = round(weights["stream"] * classes * field)
    return luts


# LUTs per element, fitted to yosys 0.70 over the tracked models (make bench prints estimate / synthesis).
# A full adder is two LUT4 (sum, carry); on 7-series two outputs of five inputs share one LUT6, but yosys
# counts them apart, and its mapper merges two levels into one LUT6 here and there.
_WEIGHTS: dict[int, dict[str, Any]] = {
    4: {
        "full_adder": 2.0,
        "sum_bit": 1.35,
        "compare_bit": 0.35,
        "stream": 2.0,
        "table": {0: 0, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 4},
    },
    6: {
        "full_adder": 1.5,
        "sum_bit": 1.1,
        "compare_bit": 0.2,
        "stream": 1.3,
        "table": {0: 0, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1},
    },
}
