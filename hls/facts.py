"""What a manifest says of the layers and segments of a core, as dataclasses and as JSON tables.

numpy is not needed here: this module runs on a board.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What a wired layer is made of, for estimates.

    Attributes:
        full_adders: distinct 3:2 compressors.
        tables: {inputs: number of truth tables}.
        pairs: {inputs: number of pairs of truth tables of the same inputs}.
        additions: {kind: {bits of the result: number}} of the carry-propagate additions. Kinds: "count", a
            popcount that is registered; "shared", a count plus V, compared; "score", a count plus a constant;
            "offset", U on top of it; "product", U itself, once per digit of xi_num; "carry", V from U.
        registers: flip-flops.
    """

    full_adders: int
    tables: dict[int, int]
    pairs: dict[int, int]
    additions: dict[str, dict[int, int]]
    registers: int


@dataclass(frozen=True)
class LayerFacts:
    """One generated layer.

    Attributes:
        name: the network's name of it.
        module: its Verilog module.
        mh: outputs.
        mw: inputs.
        ones: connections.
        pool: the connections are those of a max pool, and no weights.
        value_bits: bits of each incoming value.
        weight_bits: bits of the largest weight.
        output_bits: bits of each outgoing value; scores have their own width.
        xi_frac: F of xi = k / 2^F.
        latency_cycles: registers from input to output.
        cost: what it is made of.
    """

    name: str
    module: str
    mh: int
    mw: int
    ones: int
    pool: bool
    value_bits: int
    weight_bits: int
    output_bits: int
    xi_frac: int
    latency_cycles: int
    cost: Cost


@dataclass(frozen=True)
class SegmentFacts:
    """A run of layers from a collected vector to a queue.

    Attributes:
        layers: their names.
        map: (height, width, channels, bits per value) of what arrives.
        window: rows and columns of the kernel; empty where the whole map is one vector.
        padding: (top, left, bottom, right) of it; empty too.
        vectors: vectors per image.
        cycles: from a vector to its result.
        queue_depth: places for results.
        begin: cycle, from the first input beat, at which an image's first vector is complete; nothing waits.
        end: cycle at which its last result is queued.
    """

    layers: tuple[str, ...]
    map: tuple[int, ...]
    window: tuple[int, ...]
    padding: tuple[int, ...]
    vectors: int
    cycles: int
    queue_depth: int
    begin: int
    end: int


def layer_table(layer: LayerFacts) -> dict[str, Any]:
    """Return a layer as a JSON table."""
    additions = {kind: _keyed(widths) for kind, widths in layer.cost.additions.items()}
    tables = {name: _keyed(getattr(layer.cost, name)) for name in ("tables", "pairs")}
    cost = {**vars(layer.cost), **tables, "additions": additions}
    return {**vars(layer), "cost": cost}


def _keyed(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(n): count for n, count in sorted(counts.items())}


def _counted(table: Mapping[str, Any]) -> dict[int, int]:
    return {int(n): int(count) for n, count in table.items()}


def read_layer(table: dict[str, Any]) -> LayerFacts:
    """Return a layer from its JSON table.

    Raises:
        KeyError: an entry is missing.
        ValueError, TypeError: an entry is no number.
    """
    cost = table["cost"]
    return LayerFacts(
        name=str(table["name"]),
        module=str(table["module"]),
        mh=int(table["mh"]),
        mw=int(table["mw"]),
        ones=int(table["ones"]),
        pool=bool(table["pool"]),
        value_bits=int(table["value_bits"]),
        weight_bits=int(table.get("weight_bits", 1)),  # older bitstreams have 1 and do not say so
        output_bits=int(table.get("output_bits", 1)),
        xi_frac=int(table["xi_frac"]),
        latency_cycles=int(table["latency_cycles"]),
        cost=Cost(
            full_adders=int(cost["full_adders"]),
            tables=_counted(cost["tables"]),
            pairs=_counted(cost.get("pairs", {})),
            additions={str(kind): _counted(found) for kind, found in cost["additions"].items()},
            registers=int(cost["registers"]),
        ),
    )


def read_segment(table: dict[str, Any]) -> SegmentFacts:
    """Return a segment from its JSON table; errors as of `read_layer`."""
    return SegmentFacts(
        layers=tuple(str(name) for name in table["layers"]),
        map=tuple(int(n) for n in table["map"]),
        window=tuple(int(n) for n in table["window"]),
        padding=tuple(int(n) for n in table["padding"]),
        vectors=int(table["vectors"]),
        cycles=int(table["cycles"]),
        queue_depth=int(table["queue_depth"]),
        begin=int(table["begin"]),
        end=int(table["end"]),
    )
