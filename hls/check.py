"""What a QONNX file would become, layer by layer, without torch, without FINN and without writing a file."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sbnn.hls.counts import count_design, dense_network
from sbnn.hls.design import Choices, Design, make_design, make_manifest
from sbnn.hls.estimate import STREAMS, estimate_layers
from sbnn.hls.fabric import fabric_of
from sbnn.hls.finn_file import read_file
from sbnn.hls.finn_fold import integer_layers
from sbnn.hls.finn_forms import FormChoice, choose_forms
from sbnn.hls.finn_prepare import prepare
from sbnn.hls.finn_read import read
from sbnn.hls.finn_recorder import Recorder
from sbnn.hls.layer import SparseLayer
from sbnn.hls.network import Network

# Writing the modules of 17,000 connections takes a second, of a million a minute and a GB.
MOST_WRITTEN = 50_000
POOL = "max pool: OR of bits"


@dataclass(frozen=True)
class CheckedLayer:
    """One line of the report.

    Attributes:
        name: the layer.
        shape: outputs x inputs, with the window of a convolution.
        bits: of an incoming value and of what the layer makes of it.
        weights: the smallest and the largest connection, -c for c of a complement.
        zeros: share of the weights that need no connection.
        ones: connections.
        xi: the distinct xi.
        hardware: what the layer becomes.
        luts: estimate.
        dense_luts: estimate of the layer with weights of -1 and +1 in its place.
    """

    name: str
    shape: str
    bits: str
    weights: str
    zeros: float
    ones: int
    xi: str
    hardware: str
    luts: int
    dense_luts: int


@dataclass(frozen=True)
class Checked:
    """A whole file.

    Attributes:
        network: the integer network.
        layers: one per layer.
        luts: estimate of everything, streams included.
        dense_luts: the same of the dense network.
        ii_cycles: cycles per image.
        latency_cycles: from the first beat in to the first beat out.
        counted: the estimate is from counts; no module was written.
        family: of the estimate.
    """

    network: Network
    layers: tuple[CheckedLayer, ...]
    luts: int
    dense_luts: int
    ii_cycles: int
    latency_cycles: int
    counted: bool
    family: str


def check(path: Path, family: str, levels: int, divisor: int | None = None) -> Checked:
    """Read a file as `lower` does and estimate its hardware.

    Args:
        path: a .onnx file.
        family: of `sbnn.hls.synth.FAMILIES`.
        levels: levels of logic between registers.
        divisor: the graph takes pixel / divisor; None where the file says that it takes UINT8.

    Raises:
        LoweringError: what cannot be expressed, with the node's name.
        EstimateError: no estimate of that family.
    """
    model, names, _ = prepare(Recorder(None), read_file(path), divisor)
    source, forms = choose_forms(read(model, names))
    layers, _ = integer_layers(source)
    network = Network("checked", source.encoding, layers)
    choices = Choices(levels_per_stage=levels, family=family)
    others = {choice.layer: choice for choice in forms}
    counted = network.ones > MOST_WRITTEN
    design = (count_design if counted else make_design)(network, choices)
    luts = _estimate(design, family)
    dense = _estimate(count_design(dense_network(network), choices), family)
    return Checked(
        network,
        tuple(
            _line(
                layer,
                luts[layer.name],
                dense[layer.name],
                fabric_of(family).table_inputs,
                others.get(layer.name),
            )
            for layer in network.layers
        ),
        sum(luts.values()),
        sum(dense.values()),
        design.ii_cycles,
        design.latency_cycles,
        counted,
        family,
    )


def _estimate(design: Design, family: str) -> dict[str, int]:
    return estimate_layers(make_manifest(design, "generic", {}), family)


def _line(
    layer: SparseLayer, luts: int, dense_luts: int, table: int, other: FormChoice | None
) -> CheckedLayer:
    shape = f"{layer.mh} x {layer.inputs}"
    if layer.window is not None:
        rows, columns = layer.window.kernel
        taken = layer.window.output
        shape += f", {rows} x {columns} at {taken[0]} x {taken[1]}"
    return CheckedLayer(
        name=layer.name,
        shape=shape,
        bits=f"{layer.value_bits} -> {'score' if layer.is_last else layer.output.bits}",
        weights="-" if layer.pool else _weights(layer),
        zeros=1 - layer.ones / (layer.mh * layer.inputs),
        ones=layer.ones,
        xi="-" if layer.pool else _xi(layer),
        hardware=_hardware(layer, table) + (_other_form(other) if other is not None else ""),
        luts=luts,
        dense_luts=dense_luts,
    )


def _xi(layer: SparseLayer) -> str:
    values = [Fraction(k, 1 << layer.xi_frac) for k in sorted(set(layer.xi_num.tolist()))]
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _weights(layer: SparseLayer) -> str:
    """Return the range of a layer's connections, xi left out."""
    plain, complements = layer.weight[:, : layer.inputs], layer.weight[:, layer.inputs :]
    lowest = -int(complements.max()) if layer.rails == 2 else 0
    return f"{lowest} to {plain.max(initial=0)}"


def _hardware(layer: SparseLayer, table: int) -> str:
    """Say in words what a layer becomes where a table has `table` inputs."""
    if layer.pool:
        return f"max pool of {layer.value_bits}-bit values" if layer.is_wide_pool else POOL
    shared = bool(layer.xi_num.any()) and layer.rails == 1
    bits = layer.value_bits == layer.weight_bits == 1
    small = int((layer.w01.sum(1) <= table).sum())
    tables = small if bits and layer.levels == 1 and not shared else 0
    parts = [f"{tables} truth tables"] if tables else []
    if tables < layer.mh:
        end = "scores" if layer.is_last else "comparisons"
        each = f" with {layer.levels} thresholds each" if layer.levels > 1 else ""
        wide = f" of {layer.value_bits}-bit values" if layer.value_bits > 1 else ""
        sums = "popcounts" if layer.weight_bits == 1 else "weighted sums"
        parts.append(f"{layer.mh - tables} {sums}{wide} and {end}{each}")
    if layer.rails == 2:
        parts.append("inputs and complements")
    if shared:
        parts.append("one shared S")
    return ", ".join(parts)


def _other_form(choice: FormChoice) -> str:
    """Say what the form that was not taken would cost."""
    other = "one rail and S" if choice.rails == 2 else "inputs and complements"
    share = choice.other_luts / max(choice.luts, 1)
    return f" ({other}: {share:.2f} times as many LUTs)"


def check_text(checked: Checked) -> str:
    """Return the report as text."""
    network = checked.network
    shape = " x ".join(map(str, network.encoding.shape))
    threshold = network.encoding.threshold
    seen = "8-bit pixels" if threshold is None else f"bits, 1 from pixel {threshold} on"
    head = [
        "layer",
        "outputs x inputs",
        "bits",
        "weights",
        "zeros",
        "ones",
        "xi",
        "LUTs",
        "dense +-1",
        "hardware",
    ]
    rows = [head]
    for layer in checked.layers:
        dense = "" if layer.xi == "-" else f"{layer.dense_luts:,}"
        zeros = "" if layer.xi == "-" else f"{100 * layer.zeros:.1f} %"
        ones, luts = f"{layer.ones:,}", f"{layer.luts:,}"
        cells = [layer.name, layer.shape, layer.bits, layer.weights, zeros, ones, layer.xi, luts]
        rows.append([*cells, dense, layer.hardware])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    how = "from counts, no module was written" if checked.counted else "from the generated modules"
    weights = sum(layer.mh * layer.inputs for layer in network.layers if not layer.pool)
    summary = [
        f"image {shape}, {seen}; {network.classes} classes; {network.ones:,} of {weights:,} weights connect",
        *lines,
        (
            f"{checked.family}: {checked.luts:,} LUTs with {STREAMS} ({how}); dense -1/+1 of the same shape "
            f"{checked.dense_luts:,}"
        ),
        f"one image every {checked.ii_cycles:,} cycles, latency {checked.latency_cycles:,} cycles",
    ]
    return "\n".join(summary) + "\n"
