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
            + tables
        )
    luts["streams"] = round(
        weights["score_bit"] * manifest["classes"] * manifest["output"]["score_bits"]
    )
    return luts


# LUTs per element, fitted to yosys 0.70 over sbnn95 and the three digits models: layers come out within 11 %.
# A full adder is two LUT4 (sum, carry) less what the mapper merges; yosys counts the two LUT6 outputs that
# 7-series could share apart. Comparisons with a constant vanish into the addition before them.
_WEIGHTS: dict[int, dict[str, Any]] = {
    4: {
        "full_adder": 1.87,
        "sum_bit": 0.88,
        "score_bit": 4.5,
        "table": {0: 0, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 4},
    },
    6: {
        "full_adder": 1.7,
        "sum_bit": 0.05,
        "score_bit": 4.3,
        "table": {0: 0, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1},
    },
}
