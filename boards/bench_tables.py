"""Markdown tables of layer_results.json and scale_results.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from sbnn.boards.table import markdown

# What a family's LUTs are called, and which count of a netlist fills the device.
SIZES = {"xc7": "LUT6 sites", "ecp5": "LUT4"}
DASH = "-"


def layer_table(results: Mapping[str, Any], family: str) -> str:
    """Return ours against the others, one row per layer and one per model.

    Args:
        results: layer_results.json.
        family: "xc7" or "ecp5".
    """
    head = (
        *("layer", "inputs x outputs", "ones", f"ours, {SIZES[family]}", "per one"),
        *("`+` trees", "da4ml", "dense, shared", "dense, unshared", "dense / ours"),
    )
    rows: list[tuple[str, ...]] = [head]
    for model, layers in models_of(results).items():
        found = [layer_sizes(results, f"{model}/{name}", family) for name in layers]
        rows += [
            (f"{model} {name}", shape_of(results, f"{model}/{name}"), *_cells(sizes))
            for name, sizes in zip(layers, found, strict=True)
        ]
        whole = {
            kind: sum_of([sizes[kind] for sizes in found]) for kind in (found[0] if found else {})
        }
        rows.append((f"**{model}, all layers**", "", *_cells(whole)))
    return markdown(rows)


def speed_table(results: Mapping[str, Any], family: str) -> str:
    """Return flip-flops, cycles and the delay model's clock of each layer, ours and the others'.

    Args:
        results: layer_results.json.
        family: "xc7" or "ecp5".
    """
    kinds = {"ours": "ours", "plus": "`+` trees", "da4ml": "da4ml"}
    rows: list[tuple[str, ...]] = [("layer", *(f"{n}: FF, cycles, MHz" for n in kinds.values()))]
    for name, layer in results["layers"].items():
        cells = []
        for kind in kinds:
            found = layer.get(kind, {}).get(family, {})
            known = (found.get(key) for key in ("ff", "latency_cycles", "mhz"))
            cells.append(", ".join(map(_number, known)))
        rows.append((name.replace("/", " "), *cells))
    return markdown(rows)


def folded_table(results: Mapping[str, Any], published: Sequence[Mapping[str, Any]]) -> str:
    """Return folded dense networks against ours, LUT x cycles of an image.

    Args:
        results: layer_results.json.
        published: published_results.json; those with a folding get a row, computed from what they publish.
    """
    head = (
        *("model", "dense, folded: PE x SIMD of its layers", "cycles an image", "LUT6 sites"),
        *("block RAM", "sites x cycles", "ours, sites x 1", "ratio"),
    )
    rows: list[tuple[str, ...]] = [head]
    for model, layers in models_of(results).items():
        shapes = [shape_of(results, f"{model}/{name}").replace(" ", "") for name in layers]
        folded = [results["dense"].get(s, {}).get("folded", {}).get("xc7", {}) for s in shapes]
        if not all("sites" in found for found in folded):
            continue
        cycles = max(found["cycles_per_vector"] for found in folded)
        sites = sum(found["sites"] for found in folded)
        ours = sum_of([layer_sizes(results, f"{model}/{name}", "xc7")["ours"] for name in layers])
        rows.append(
            (
                model,
                ", ".join(f"{found['pe']} x {found['simd']}" for found in folded),
                f"{cycles}",
                f"{sites:,}",
                f"{sum(found['bram'] for found in folded)}",
                f"{sites * cycles:,}",
                _number(ours),
                f"{sites * cycles / ours:.0f}" if ours else DASH,
            )
        )
    rows += [
        (
            f"{point['name']} (published)",
            ", ".join(f"{pe} x {simd}" for pe, simd in point["folding"]),
            f"{point['cycles']}",
            f"{point['lut']:,} LUT",
            f"{point['bram']}",
            f"{point['lut'] * point['cycles']:,}",
            *(DASH, DASH),
        )
        for point in published
        if "folding" in point
    ]
    return markdown(rows)


def scale_table(results: Mapping[str, Any], boards: Mapping[str, Any]) -> str:
    """Return tool time and memory against ones.

    Args:
        results: scale_results.json.
        boards: `boards` of results.json, for the times of whole bitstreams; their wall-clock seconds.
    """
    head = (
        "ones",
        "weights",
        "QONNX to RTL",
        "peak",
        "RTL",
        "RTL to netlist",
        "peak",
        "to bitstream",
    )
    rows: list[tuple[str, ...]] = [head]
    for point in results["points"].values():
        to_rtl = (point["lower"], point["generate"])
        synth = point.get("synth")
        rows.append(
            (
                f"{point['ones']:,} (random)",
                f"{point['weights']:,}",
                f"{sum(step['seconds'] for step in to_rtl):.1f} s",
                f"{max(step['peak_mb'] for step in to_rtl):,} MB",
                f"{point['rtl_bytes'] / 1e6:.1f} MB",
                f"{synth['seconds']:.0f} s" if synth else DASH,
                f"{synth['peak_mb']:,} MB" if synth else DASH,
                DASH,
            )
        )
    for board, made in boards.items():
        seconds = made["seconds"]
        total = sum(seconds[stage] for stage in ("synthesis", "route", "pack"))
        rows.append(
            (f"{made['model']} on {board}", *[DASH] * 6, f"{total:.0f} s (clock on the wall)")
        )
    return markdown(rows)


def shape_of(results: Mapping[str, Any], layer: str) -> str:
    """Return "inputs x outputs" of a layer."""
    return str(results["layers"][layer]["shape"]).replace("x", " x ")


def models_of(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return {model: names of its layers}."""
    models: dict[str, list[str]] = {}
    for name in results["layers"]:
        model, layer = name.split("/")
        models.setdefault(model, []).append(layer)
    return models


def layer_sizes(results: Mapping[str, Any], name: str, family: str) -> dict[str, int | None]:
    """Return {kind: size} of one layer, None where it has not been measured."""
    layer = results["layers"][name]
    dense = results["dense"].get(layer["shape"], {})
    sizes: dict[str, int | None] = {"ones": layer["ones"]}
    for kind in ("ours", "plus", "da4ml"):
        sizes[kind] = layer.get(kind, {}).get(family, {}).get("sites")
    for kind in ("shared", "unshared"):
        sizes[kind] = dense.get(kind, {}).get(family, {}).get("sites")
    return sizes


def _cells(sizes: Mapping[str, int | None]) -> tuple[str, ...]:
    ours, ones, dense = sizes["ours"], sizes["ones"], (sizes["shared"], sizes["unshared"])
    per_one = f"{ours / ones:.2f}" if ours and ones else DASH
    ratios = ", ".join(f"{size / ours:.1f}" if size and ours else DASH for size in dense)
    numbers = (sizes[kind] for kind in ("plus", "da4ml", "shared", "unshared"))
    return (_number(ones), _number(ours), per_one, *map(_number, numbers), ratios)


def sum_of(values: Sequence[int | None]) -> int | None:
    """Return the sum, None where one has not been measured."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _number(value: int | None) -> str:
    return DASH if value is None else f"{value:,}"
