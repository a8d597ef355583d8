"""Weights of a product as connections of 0 to 15: over one rail with xi, or over a pair of rails.

Two values per output are 0 and 1 and a xi; signed values on a grid are weights of the inputs and, where they
are negative, of the inputs' complements. The form with fewer connections is taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from qonnx.custom_op.general.intquant import max_int, min_int, resolve_rounding_mode

from sbnn.hls.finn_constants import LoweringError, per_output
from sbnn.hls.layer import MAX_WEIGHT, MAX_XI_FRAC, BoolArray, IntArray, WeightArray

FINEST = 1 << MAX_XI_FRAC  # of the grid for xi


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights (weight + xi) * eta over one rail, or over the inputs and their complements.

    Attributes:
        weight: (MH, ...) uint8, outputs first, the other axes as stored; with two rails the second axis
            holds the inputs and then their complements.
        xi: MH rationals, minus the stored zero point.
        eta: MH positive rationals, the stored scale.
        rails: 1 or 2.
    """

    weight: WeightArray
    xi: tuple[Fraction, ...]
    eta: tuple[Fraction, ...]
    rails: int = 1


@dataclass(frozen=True, eq=False)
class _Stored:
    """Weights (values - zero) * scale, outputs first; scale and zero one per output."""

    values: NDArray[np.float32]
    zero: tuple[Fraction, ...]
    scale: tuple[Fraction, ...]


def read_weights(model: Any, node: Any, inputs: int) -> Weights:
    """Return the weights of a MatMul (inputs, outputs), or of a Conv (outputs, channels, rows, columns).

    Args:
        model: the graph.
        node: the MatMul or Conv.
        inputs: rows of the MatMul's weights, or channels of the Conv's.

    Raises:
        LoweringError: neither two levels per output nor few levels on a grid; names the node.
    """
    conv = node.op_type == "Conv"
    axis, axes, place = (0, 4, 1) if conv else (1, 2, 0)
    quant = model.find_producer(node.input[1])
    if quant is not None and quant.op_type not in ("Quant", "BipolarQuant"):
        raise LoweringError(
            f"node {node.name}: has weights from {quant.op_type} {quant.name}, needs a Quant, a BipolarQuant "
            "or a constant"
        )
    where = node.name if quant is None else quant.name
    constants = [
        model.get_initializer(name) for name in ([node.input[1]] if quant is None else quant.input)
    ]
    if any(constant is None for constant in constants):
        raise LoweringError(f"node {where}: its inputs are not all constants")
    latent = np.asarray(constants[0])
    if latent.ndim != axes or latent.shape[place] != inputs or not latent.size:
        needed = f"(outputs, {inputs}, rows, columns)" if conv else f"({inputs}, outputs)"
        raise LoweringError(
            f"node {node.name}: weights have the shape {latent.shape}, needs {needed}"
        )
    if not np.isfinite(latent).all():
        raise LoweringError(f"node {where}: a weight is not finite")
    mh = latent.shape[axis]
    if quant is None:
        one, zero = (Fraction(1),) * mh, (Fraction(0),) * mh
        stored = _Stored(np.moveaxis(latent, axis, 0), zero, one)
        found = _from_levels(stored) or _from_grid(_on_grid(stored))
        return found if found is not None else _refuse(stored, node.name, "float")
    scale = per_output(np.asarray(constants[1]), mh, where, "scale", axis - axes)
    if 0 in scale:
        raise LoweringError(f"node {where}: scale is 0, needs another value")
    if quant.op_type == "BipolarQuant":
        ones = np.moveaxis(latent, axis, 0) >= 0
        return _two_levels(ones, (Fraction(-1),) * mh, (Fraction(1),) * mh, scale)
    zero = per_output(np.asarray(constants[2]), mh, where, "zero point", axis - axes)
    bits, signed, narrow, mode = read_quant(model, quant)
    levels = latent / constants[1] + constants[2]  # qonnx's own arithmetic, in float32
    if bits == 1 and signed:
        ones = np.moveaxis(levels, axis, 0) >= 0
        low = tuple(-1 - z for z in zero)
        return _two_levels(ones, low, tuple(1 - z for z in zero), scale)
    low_level, high_level = min_int(signed, narrow, bits), max_int(signed, narrow, bits)
    rounded = resolve_rounding_mode(mode)(np.clip(levels, low_level, high_level))
    stored = _Stored(np.moveaxis(rounded, axis, 0), zero, scale)
    if bits == 1 and not narrow and min(scale) > 0:  # xi stays the stored zero point
        low = tuple(-z for z in zero)
        return _two_levels(stored.values > 0, low, tuple(1 - z for z in zero), scale)
    found = _from_levels(stored) or _from_grid(stored)
    return found if found is not None else _refuse(stored, where, f"{bits} bit")


def read_quant(model: Any, quant: Any) -> tuple[int, bool, bool, str]:
    """Return (bits, signed, narrow, rounding mode) of a Quant.

    Raises:
        LoweringError: no whole number of bits, or a rounding mode that qonnx does not know.
    """
    width = model.get_initializer(quant.input[3])
    if width is None or np.size(width) != 1 or not np.isfinite(width).all():
        raise LoweringError(f"node {quant.name}: the number of bits is not one constant")
    bits = float(np.reshape(width, -1)[0])
    if bits != int(bits) or not 1 <= bits <= 32:
        raise LoweringError(
            f"node {quant.name}: has {bits:g} bits, needs a whole number from 1 to 32"
        )
    attributes = {attribute.name: attribute for attribute in quant.attribute}
    signed = bool(attributes["signed"].i) if "signed" in attributes else True
    narrow = bool(attributes["narrow"].i) if "narrow" in attributes else True
    mode = "ROUND"
    if "rounding_mode" in attributes:
        mode = attributes["rounding_mode"].s.decode(errors="replace").upper()
    try:
        resolve_rounding_mode(mode)
    except ValueError as error:
        raise LoweringError(
            f"node {quant.name}: rounding mode {mode!r} is not supported"
        ) from error
    return int(bits), signed, narrow, mode


def _two_levels(
    ones: BoolArray,
    low: tuple[Fraction, ...],
    high: tuple[Fraction, ...],
    scale: tuple[Fraction, ...],
) -> Weights:
    """Return weights that are high * scale where `ones`, else low * scale; a negative scale swaps them."""
    negative = np.array([value < 0 for value in scale])
    w01 = ones ^ negative.reshape(-1, *[1] * (ones.ndim - 1))
    xi, eta = [], []
    for lowest, highest, value in zip(low, high, scale, strict=True):
        bottom = lowest if value > 0 else -highest
        xi.append(bottom / (highest - lowest))
        eta.append((highest - lowest) * abs(value))
    return Weights(w01.astype(np.uint8), tuple(xi), tuple(eta))


def _from_levels(stored: _Stored) -> Weights | None:
    """Return weights of two values per output, or of -c, 0, c, in the form with fewer connections."""
    mh = len(stored.values)
    flat = stored.values.reshape(mh, -1)
    low, high = flat.min(1), flat.max(1)
    if ((flat == flat.min()) | (flat == flat.max())).all() and flat.min() < flat.max():
        low, high = np.full_like(low, flat.min()), np.full_like(high, flat.max())
    two = ((flat == low[:, None]) | (flat == high[:, None])).all()
    zero = np.array([float(z) for z in stored.zero], np.float32)
    centred = flat - zero[:, None]
    size = np.abs(centred).max(1)
    whole = all(z.denominator == 1 for z in stored.zero)
    ternary = whole and bool(((centred == 0) | (np.abs(centred) == size[:, None])).all())
    pairs = int(np.count_nonzero(centred)) if ternary else 0
    single = _one_rail(flat, low, high, stored) if two else None
    if single is not None and not (ternary and pairs < np.count_nonzero(single.weight)):
        return Weights(single.weight.reshape(stored.values.shape), single.xi, single.eta)
    if not ternary:
        return None
    eta = [
        Fraction(float(c)) * abs(s) if c else Fraction(1)
        for c, s in zip(size, stored.scale, strict=True)
    ]
    falling = np.array([value < 0 for value in stored.scale])[:, None]
    return _signed(np.where(falling, -1, 1) * np.sign(centred), eta, stored, rails=2)


def _signed(weights: NDArray[Any], eta: Sequence[Fraction], stored: _Stored, rails: int) -> Weights:
    """Return signed (MH, inputs) weights as connections to the inputs and to their complements."""
    parts = [np.maximum(part, 0).reshape(stored.values.shape) for part in (weights, -weights)]
    weight = np.concatenate(parts[:rails], axis=1).astype(np.uint8)
    return Weights(weight, (Fraction(0),) * len(weights), tuple(eta), rails)


def _from_grid(stored: _Stored | None) -> Weights | None:
    """Return weights of several values: signed multiples of a step, or multiples above the lowest value."""
    if stored is None:
        return None
    scale = [abs(value) for value in stored.scale]
    signs = np.array([-1 if value < 0 else 1 for value in stored.scale], np.int64)
    zero = [z * int(sign) for z, sign in zip(stored.zero, signs, strict=True)]
    values = stored.values.reshape(len(signs), -1).astype(np.int64) * signs[:, None]
    unit = math.lcm(*(z.denominator for z in zero))
    forms = []
    if unit <= FINEST:
        found = multiples(values * unit - np.array([[int(z * unit)] for z in zero]))
        if found is not None:
            weights, step = found
            eta = [s * int(n) / unit for s, n in zip(scale, step, strict=True)]
            forms.append(_signed(weights, eta, stored, 2 if weights.min() < 0 else 1))
    lowest = values.min(1) if len(set(zero)) > 1 else np.full(len(values), values.min())
    found = multiples(values - lowest[:, None])
    if found is not None:
        weights, step = found
        xi = tuple((int(low) - z) / int(n) for low, z, n in zip(lowest, zero, step, strict=True))
        eta = [s * int(n) for s, n in zip(scale, step, strict=True)]
        if all(FINEST % value.denominator == 0 for value in xi):
            forms.append(replace(_signed(weights, eta, stored, 1), xi=xi))
    return min(forms, key=lambda form: np.count_nonzero(form.weight), default=None)


def multiples(values: IntArray) -> tuple[IntArray, IntArray] | None:
    """Return (MH, inputs) integers as multiples of a step, the same for all outputs if it can be.

    Returns:
        multiples and the (MH,) steps; None where a multiple is beyond what a connection can be.
    """
    own = np.gcd.reduce(values, axis=1)
    for steps in (np.full(len(own), np.gcd.reduce(own)), own):
        step = np.maximum(steps, 1)
        multiples: IntArray = values // step[:, None]
        if np.abs(multiples).max() <= MAX_WEIGHT:
            return multiples, step
    return None


def _on_grid(stored: _Stored) -> _Stored | None:
    """Return float weights as integers times a step, one for all outputs if it can be.

    A stored weight is the float32 nearest to such a multiple, as a quantizer that was folded left it.
    """
    flat = stored.values.reshape(len(stored.values), -1)
    for rows in (flat.reshape(1, -1), flat):
        steps = [_step(row) for row in rows]
        if None not in steps:
            step = np.resize(np.array(steps, np.float32), len(flat))
            values = np.rint(flat / step[:, None]).reshape(stored.values.shape)
            return _Stored(values, stored.zero, tuple(Fraction(float(s)) for s in step))
    return None


def _step(row: NDArray[np.float32]) -> np.float32 | None:
    """Return the largest float32 of which every value is a multiple, the largest by at most 15."""
    peak = np.abs(row).max()
    if peak == 0:
        return np.float32(1)
    for count in range(1, MAX_WEIGHT + 1):
        guess = np.float32(peak / np.float32(count))
        for step in (guess, np.nextafter(guess, np.float32(0)), np.nextafter(guess, peak)):
            if step and (np.rint(row / step).astype(np.float32) * step == row).all():
                return np.float32(step)
    return None


def _refuse(stored: _Stored, where: str, kind: str) -> NoReturn:
    """Name an output whose weights have no form of ours."""
    flat = stored.values.reshape(len(stored.values), -1)
    counts = [len(np.unique(row)) for row in flat]
    row = int(np.argmax(counts))
    raise LoweringError(
        f"node {where}: {kind} weights take {counts[row]} values in output {row}, supported are two values "
        f"per output, or multiples of one step up to {MAX_WEIGHT}"
    )


def _one_rail(
    flat: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    stored: _Stored,
) -> Weights:
    """Return rows of one or two values as connections over one rail."""
    lows, highs, ones = [], [], flat == high[:, None]
    for row, (bottom, top, zero) in enumerate(zip(low, high, stored.zero, strict=True)):
        value = Fraction(float(top)) - zero
        if bottom < top:
            lows.append(Fraction(float(bottom)) - zero)
            highs.append(value)
        elif value > 0:  # every weight alike: all connected, all left out, or all below
            lows.append(Fraction(0))
            highs.append(value)
        else:
            ones[row] = False
            lows.append(value)
            highs.append(Fraction(0) if value else Fraction(1))
    return _two_levels(ones, tuple(lows), tuple(highs), stored.scale)
