"""Estimate the LUTs of a design from its full adders, sums and tables, before any synthesis."""

from typing import Any

from sbnn.hls.manifest import Manifest


def estimate_layers(manifest: Manifest, family: str) -> dict[str, int]:
    """Return {layer name: LUTs}, with `streams` for what surrounds the layers.

    Args:
        manifest: a design's manifest.
        family: key of `sbnn.hls.synth.FAMILIES`.
    """
    weights = _WEIGHTS[6 if family in ("xc7", "xcup") else 4]
    luts = {}
    for layer in manifest.layers:
        tables = sum(weights["table"][n] * count for n, count in layer.cost.tables.items())
        luts[layer.name] = round(
            weights["full_adder"] * layer.cost.full_adders
            + weights["sum_bit"]
            * sum(
                n * count for widths in layer.cost.additions.values() for n, count in widths.items()
            )
            + tables
        )
    streams = weights["score_bit"] * manifest.classes * manifest.score_bits
    if manifest.encoding == "bytes":
        streams += _windows(manifest, family)
    luts["streams"] = round(streams)
    return luts


def _windows(manifest: Manifest, family: str) -> float:
    """Return the LUTs of pixels, windows and the queues between segments.

    Fitted to yosys 0.70 on the modules by themselves: a beat's shifter, counters, and memories in LUTs.
    """
    first = manifest.segments[0].map
    channels = manifest.bits // (8 * first[0] * first[1])
    held = manifest.in_beat_bits + 8 * (channels - 1)
    luts = held * (1.6 + 0.57 * min(channels, manifest.in_beat_bits // 8))
    luts += _memory(family, 1, 8) + 30  # which images were cut short
    for segment in manifest.segments:
        _, columns, channels, bits = segment.map
        if segment.window:
            luts += 20 + channels * bits / 2  # counters; padding's zeros, where there is any
            luts += _memory(family, (segment.window[0] - 1) * channels * bits, columns)
        else:
            luts += 11
    by_name = {layer.name: layer for layer in manifest.layers}
    for segment in manifest.segments[:-1]:
        luts += 7 * (segment.queue_depth - 1).bit_length()
        luts += _memory(family, by_name[segment.layers[-1]].mh, segment.queue_depth)
    return luts


def _memory(family: str, bits: int, words: int) -> int:
    """Return the LUTs of a memory and of what chooses between its banks."""
    if family == "ice40":  # block memories only
        return 0
    wide, deep = (6, 32) if family in ("xc7", "xcup") else (4, 16)
    banks = -(-words // deep)
    return 4 * -(-bits // wide) * banks + bits * (banks - 1)


# LUTs per element, fitted to yosys 0.70 over 26 layers (the four sparse MNIST models and the digits models)
# for the smallest largest error: 10.0 % on ECP5, 9.5 % on 7-series. A full adder is two LUTs (sum, carry)
# less what the mapper merges; comparisons with a constant vanish into the addition before them; truth tables
# share logic between neurons. iCE40 and Gowin take ECP5's weights: at most 11 % off on the ten layers each of
# digits, digits-xi and tfc-sbnn95.
_WEIGHTS: dict[int, dict[str, Any]] = {
    4: {
        "full_adder": 1.84,
        "sum_bit": 0.87,
        "score_bit": 5.3,
        "table": {0: 0, 1: 0.58, 2: 0.58, 3: 0.58, 4: 0.58, 5: 1.16, 6: 2.31},
    },
    6: {
        "full_adder": 1.7,
        "sum_bit": 0.45,
        "score_bit": 5.1,
        "table": {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0},
    },
}
