"""Markdown tables of layer_results.json and scale_results.json, and the aims they are held against."""

from collections.abc import Mapping, Sequence
from typing import Any

from sbnn.boards.table import markdown
from sbnn.hls.fit import largest_errors
from sbnn.hls.measure import read_rows

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
    for model, layers in _models(results).items():
        found = [_layer(results, f"{model}/{name}", family) for name in layers]
        rows += [
            (f"{model} {name}", shape_of(results, f"{model}/{name}"), *_cells(sizes))
            for name, sizes in zip(layers, found, strict=True)
        ]
        whole = {
            kind: _sum_of([sizes[kind] for sizes in found]) for kind in (found[0] if found else {})
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
    for model, layers in _models(results).items():
        shapes = [shape_of(results, f"{model}/{name}").replace(" ", "") for name in layers]
        folded = [results["dense"].get(s, {}).get("folded", {}).get("xc7", {}) for s in shapes]
        if not all("sites" in found for found in folded):
            continue
        cycles = max(found["cycles_per_vector"] for found in folded)
        sites = sum(found["sites"] for found in folded)
        ours = _sum_of([_layer(results, f"{model}/{name}", "xc7")["ours"] for name in layers])
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


def aims_table(
    results: Mapping[str, Any],
    scale: Mapping[str, Any],
    clocks: Mapping[str, Any],
    ours: Sequence[Any],
) -> str:
    """Return the aims that these figures decide, each with what was measured.

    Args:
        results: layer_results.json.
        scale: scale_results.json.
        clocks: clock_results.json.
        ours: (model, LUT6, accuracy in %) of the synthesised models.
    """
    rows = [("aim", "measured", "met")]

    def add(aim: str, measured: str, met: bool | None) -> None:
        rows.append((aim, measured, DASH if met is None else "yes" if met else "no"))

    for model, layers in _models(results).items():
        found = {name: _layer(results, f"{model}/{name}", "xc7") for name in layers}
        total = {
            k: _sum_of([sizes[k] for sizes in found.values()]) for k in next(iter(found.values()))
        }
        mine, ones = total["ours"], total["ones"]
        if model == "sbnn95":
            value = mine / ones if mine and ones else None
            text = f"{value:.2f}" if value else DASH
            met = value <= 0.85 if value else None
            add("sbnn95, all layers: at most 0.85 LUT6 sites per one", text, met)
        for kind, least in (("unshared", 10), ("shared", 7)):
            dense = total[kind]
            ratio = dense / mine if dense and mine else None
            text = f"{ratio:.1f}x" if ratio else DASH
            met = ratio >= least if ratio else None
            add(f"{model}: at least {least}x below dense, {kind}", text, met)
        for kind in ("plus", "da4ml"):
            pairs = [(s["ours"], s[kind]) for s in found.values()]
            known = [(a, b) for a, b in pairs if a is not None and b is not None]
            below = sum(a < b for a, b in known)
            met = below == len(pairs) if len(known) == len(pairs) else None
            text = f"{below} of {len(known)} measured layers"
            add(f"{model}: below {kind} on every layer", text, met)
    for family, least, how in (
        ("xc7", 250, "7-series -1 by the delay model"),
        ("ecp5", 150, "ECP5 by nextpnr"),
    ):
        reached = {model: found["mhz"] for model, found in clocks[family].items()}
        text = ", ".join(f"{model} {mhz:.0f}" for model, mhz in reached.items()) or DASH
        add(f"{least} MHz on {how}", text, min(reached.values()) >= least if reached else None)
    for most, aimed in ((4_000, 98.0), (9_000, 98.4)):
        fit = [(accuracy, name, lut) for name, lut, accuracy in ours if lut <= most]
        best = max(fit, default=None)
        text = f"{best[0]:.2f} % ({best[1]}, {best[2]:,})" if best else DASH
        add(f"{aimed:g} % on MNIST in {most:,} LUT6", text, best[0] >= aimed if best else None)
    errors = largest_errors(read_rows())
    text = ", ".join(f"{family} {100 * error:.1f} %" for family, error in errors.items())
    add("estimated LUTs within 10 % on every measured layer", text, max(errors.values()) <= 0.1)
    point = scale["points"].get("17000")
    if point:
        steps, loading = (point["lower"], point["generate"]), scale["loading"]
        seconds = sum(step["seconds"] for step in steps)
        own = seconds - sum(loading[step]["seconds"] for step in ("lower", "generate"))
        peak = max(step["peak_mb"] for step in steps)
        text = f"{own:.1f} s and {seconds - own:.1f} s of loading packages, {peak:,} MB"
        add("QONNX to RTL, 17,000 ones: under 10 s, 1 GB", text, own < 10 and peak < 1024)
    return markdown(rows)


def shape_of(results: Mapping[str, Any], layer: str) -> str:
    """Return "inputs x outputs" of a layer."""
    return str(results["layers"][layer]["shape"]).replace("x", " x ")


def _models(results: Mapping[str, Any]) -> dict[str, list[str]]:
    models: dict[str, list[str]] = {}
    for name in results["layers"]:
        model, layer = name.split("/")
        models.setdefault(model, []).append(layer)
    return models


def _layer(results: Mapping[str, Any], name: str, family: str) -> dict[str, int | None]:
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


def _sum_of(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _number(value: int | None) -> str:
    return DASH if value is None else f"{value:,}"
