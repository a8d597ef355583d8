"""Estimate the LUTs of a design from what it is made of, before any synthesis.

An estimate is linear: every full adder, truth table, addition and so on times its weight, by family. The
weights in weights.json are fitted to yosys's counts in measured.json (`sbnn.hls.fit`).
"""

import json
from functools import cache
from pathlib import Path

from sbnn.hls.facts import Cost
from sbnn.hls.manifest import Manifest
from sbnn.train.errors import UserError

WEIGHTS = Path(__file__).resolve().parent / "weights.json"
STREAMS = "streams"
# What one table of more than 6 inputs takes doubles with each of them.
WIDEST_TABLE = 6
# Without carry chains wider additions take more LUTs a bit: digits-grey's 7 and 12 bits beside digits-xi's 4.
WIDE = 4


class EstimateError(UserError):
    """There are no weights for what was asked."""


def estimate_layers(manifest: Manifest, family: str, unit: str = "lut") -> dict[str, int]:
    """Return {layer name: LUTs}, with `streams` for what surrounds the layers.

    Args:
        manifest: a design's manifest.
        family: key of `sbnn.hls.synth.FAMILIES`.
        unit: "lut", as yosys counts them, or "sites" of LUTs that pair (7-series).

    Raises:
        EstimateError: no weights of that family and unit.
    """
    weights = _weights_of(family, unit)
    return {part: _total(weights, found) for part, found in features(manifest, family).items()}


def estimate_cost(cost: Cost, family: str, unit: str = "lut") -> int:
    """Return the LUTs of one layer that is made of `cost`; see `estimate_layers`."""
    return _total(_weights_of(family, unit), _layer(cost))


def _weights_of(family: str, unit: str) -> dict[str, float]:
    weights = _weights().get(_measured(family), {}).get(unit)
    if weights is None:
        known = ", ".join(f"{name} {key}" for name, units in _weights().items() for key in units)
        raise EstimateError(f"no estimate of {family} {unit}: hls/weights.json has {known}")
    return weights


def _total(weights: dict[str, float], found: dict[str, float]) -> int:
    return round(sum(weights.get(name, 0.0) * value for name, value in found.items()))


def features(manifest: Manifest, family: str) -> dict[str, dict[str, float]]:
    """Return {layer name or `streams`: {what it is made of: how many}}.

    Args:
        manifest: a design's manifest.
        family: key of `sbnn.hls.synth.FAMILIES`; memories differ.
    """
    found = {layer.name: _layer(layer.cost) for layer in manifest.layers}
    return found | {STREAMS: _streams(manifest, _measured(family))}


def _measured(family: str) -> str:
    """Return the family whose weights hold: UltraScale+ has the LUTs of 7-series."""
    return "xc7" if family == "xcup" else family


@cache
def _weights() -> dict[str, dict[str, dict[str, float]]]:
    weights: dict[str, dict[str, dict[str, float]]] = json.loads(WEIGHTS.read_text())
    return weights


def _layer(cost: Cost) -> dict[str, float]:
    values: dict[str, float] = {"full_adder": cost.full_adders}
    for kind, counts in (("table", cost.tables), ("pair", cost.pairs)):
        for inputs, count in counts.items():
            name = f"{kind}_{min(inputs, WIDEST_TABLE)}"
            size = 2 ** max(0, inputs - WIDEST_TABLE)
            values[name] = values.get(name, 0) + size * count
    for kind, widths in cost.additions.items():
        values[f"{kind}_bit"] = sum(width * count for width, count in widths.items())
    shared = cost.additions.get("shared", {})
    values["shared_wide"] = sum(max(0, width - WIDE) * count for width, count in shared.items())
    return {name: value for name, value in values.items() if value}


def _streams(manifest: Manifest, family: str) -> dict[str, float]:
    """Return what surrounds the layers: the choice of the class, beats, windows, queues."""
    # Sign extension is not stored.
    result = (len(manifest.fields) - 1) * manifest.score_bits + (manifest.classes - 1).bit_length()
    values: dict[str, float] = {
        "argmax_bit": (manifest.classes - 1) * manifest.score_bits,
        "memory": _memory(family, result, manifest.segments[-1].queue_depth),
    }
    if manifest.encoding == "bits":
        return values | {"beat": manifest.in_beats}
    first = manifest.segments[0].map
    channels = manifest.bits // (8 * first[0] * first[1])
    held = manifest.in_beat_bits + 8 * (channels - 1)
    values |= {
        # A beat's shifter: as many steps as channels, or as bytes.
        "pixel_bit": held,
        "shift_bit": held * min(channels, manifest.in_beat_bits // 8),
    }
    values["memory"] += _memory(family, 1, 8)  # which images were cut short
    for segment in manifest.segments:
        _, columns, channels, bits = segment.map
        if segment.window:
            left, right = segment.padding[1], segment.padding[3]
            width, word = columns + left + right, channels * bits
            values["memory"] += _memory(family, (segment.window[0] - 1) * word, width)
            values["padded_bit"] = values.get("padded_bit", 0) + word * any(segment.padding)
    by_name = {layer.name: layer for layer in manifest.layers}
    for segment in manifest.segments[:-1]:
        words = segment.queue_depth
        values["address_bit"] = values.get("address_bit", 0) + (words - 1).bit_length()
        last = by_name[segment.layers[-1]]
        values["memory"] += _memory(family, last.mh * last.output_bits, words)
    return {name: value for name, value in values.items() if value}


def _memory(family: str, bits: int, words: int) -> int:
    """Return the LUTs of a memory and of what chooses between its banks."""
    if family == "ice40":  # block memories only
        return 0
    wide, deep = (6, 32) if family == "xc7" else (4, 16)
    banks = -(-words // deep)
    return 4 * -(-bits // wide) * banks + bits * (banks - 1)
