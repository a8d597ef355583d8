"""Exact integer thresholds: BatchNorm and sign become one comparison, proven over every reachable sum.

A neuron sees z = eta*(z' + xi*q) (Eq. 4, 5 of Schiavone et al. 2023) and then a chain of affine stages,
each (z + pre) * scale / sqrt(variance) + post; its output is +1 where the result is >= 0. In the integers
of `sbnn.hls.layer` an input value v stands for x = scale*v + shift (a bit for 2*v - 1), so

    z = eta * (scale*A + shift*((n << F) + xi_num*MW)) / 2**F

is an affine function of A, the output is monotone in A and one threshold decides it. Everything here is
rational; the square root is compared by squaring, never taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sbnn.hls.network import BoolArray, IntArray, NetworkError, SparseLayer


@dataclass(frozen=True)
class Stage:
    """One affine step of one neuron, z -> (z + pre) * scale / sqrt(variance) + post, all exact.

    BatchNorm is pre = -mean, scale = gamma, variance = var + eps, post = beta.
    """

    scale: Fraction = Fraction(1)
    pre: Fraction = Fraction(0)
    variance: Fraction = Fraction(1)
    post: Fraction = Fraction(0)


@dataclass(frozen=True)
class Levels:
    """What an incoming value v stands for: x = scale * v + shift, both exact.

    Padding is v = 0, so x = shift.
    """

    scale: Fraction
    shift: Fraction


BITS = Levels(Fraction(2), Fraction(-1))


@dataclass(frozen=True)
class Decision:
    """The sign of a neuron as integers: on where slope*A + intercept + root*sqrt(variance) >= 0."""

    slope: int
    intercept: int
    root: int
    variance: Fraction

    def at(self, total: int) -> bool:
        """Return whether the neuron is on at A = `total`."""
        left = self.slope * total + self.intercept
        if left >= 0 and self.root >= 0:
            return True
        if left < 0 and self.root <= 0:
            return False
        squares = left * left * self.variance.denominator
        limit = self.root * self.root * self.variance.numerator
        return squares >= limit if left >= 0 else squares <= limit


def decision(
    layer: SparseLayer, j: int, eta: Fraction, stages: Sequence[Stage], levels: Levels = BITS
) -> Decision:
    """Compose the stages of neuron j into one exact comparison on A.

    Args:
        layer: the layer; its thresholds are not looked at.
        j: the neuron.
        eta: its positive weight scale.
        stages: what follows the sum, in order; at most one with a variance that is not a square.
        levels: what the layer's input values stand for.

    Raises:
        NetworkError: eta or a variance is not positive, or two stages have irrational scales.
    """
    if eta <= 0:
        raise NetworkError(f"eta is {float(eta)}, needs a positive weight scale")
    unit = eta / (1 << layer.xi_frac)
    all_weights = (int(layer.w01[j].sum()) << layer.xi_frac) + int(layer.xi_num[j]) * layer.mw
    # value = (slope*A + intercept) / sqrt(variance) + rest
    slope, intercept = unit * levels.scale, unit * levels.shift * all_weights
    variance, rest = Fraction(1), Fraction(0)
    for stage in stages:
        if stage.variance <= 0:
            raise NetworkError(f"variance is {float(stage.variance)}, needs a positive one")
        if stage.variance != 1 and variance != 1:
            raise NetworkError("two BatchNorms follow one sum, at most one can be folded exactly")
        if variance == 1:
            intercept = (intercept + rest + stage.pre) * stage.scale
            slope, rest, variance = slope * stage.scale, stage.post, stage.variance
        else:
            slope, intercept = slope * stage.scale, intercept * stage.scale
            rest = (rest + stage.pre) * stage.scale + stage.post
    common = np.lcm.reduce(
        np.array([slope.denominator, intercept.denominator, rest.denominator], object)
    )
    return Decision(int(slope * common), int(intercept * common), int(rest * common), variance)


def fold(
    layer: SparseLayer,
    eta: Sequence[Fraction],
    stages: Sequence[Sequence[Stage]],
    levels: Levels = BITS,
) -> tuple[IntArray, BoolArray]:
    """Return (threshold, invert), (MH, 1) int64 and (MH,) bool, of a hidden layer.

    A falling neuron (negative BatchNorm scale) is on up to some A, so it is the inverse of "A reaches the
    next one". Thresholds beyond reach are cut to the first value that says the same, so a constant neuron
    has threshold lo (always reached) or hi + 1 (never).

    Args:
        layer: connections and xi; it needs no thresholds yet.
        eta: MH positive scales.
        stages: MH chains, see `decision`.
        levels: what the layer's input values stand for.
    """
    lows, highs = layer.reach()
    threshold, invert = np.zeros((layer.mh, 1), np.int64), np.zeros(layer.mh, bool)
    for j in range(layer.mh):
        rule = decision(layer, j, eta[j], stages[j], levels)
        low, high = int(lows[j]), int(highs[j])
        invert[j] = rule.slope < 0 or (rule.slope == 0 and not rule.at(low))
        threshold[j] = _first(rule, low, high, bool(invert[j]))
    return threshold, invert


def _first(rule: Decision, low: int, high: int, invert: bool) -> int:
    """Return the smallest A in low..high+1 at which the neuron, inverted or not, is on."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if rule.at(middle) != invert:
            high = middle
        else:
            low = middle + 1
    return low


def reachable(layer: SparseLayer, j: int) -> IntArray:
    """Return every value that A[j] can take, sorted int64, over all input vectors.

    Of values beyond bits with xi != 0 it is every value that A[j] may take: all multiples of the greatest
    common divisor of its steps, since the exact set is a product of two ranges of thousands.
    """
    if layer.rails == 2:
        half = layer.mw // 2
        row = layer.w01[j]
        both, either = int((row[:half] & row[half:]).sum()), int((row[:half] | row[half:]).sum())
        counts = np.arange(both, either + 1, dtype=np.int64)
        return (counts << layer.xi_frac) + int(layer.xi_num[j]) * half
    n, k = int(layer.w01[j].sum()) * layer.peak, int(layer.xi_num[j])
    popcounts = np.arange(n + 1, dtype=np.int64)[:, None] << layer.xi_frac
    if k == 0:
        return popcounts[:, 0]
    if layer.peak > 1:
        low, high = (int(ends[j]) for ends in layer.reach())
        step = math.gcd((1 << layer.xi_frac) + k, k)
        return np.arange(low, high + 1, step, dtype=np.int64)
    others = np.arange(layer.mw - n + 1, dtype=np.int64)[None, :]
    totals = (popcounts >> layer.xi_frac) + others
    return np.unique(popcounts + int(layer.xi_num[j]) * totals)


@dataclass(frozen=True)
class Proof:
    """What `prove` compared: neurons, reachable sums in all, and neurons that never change."""

    layer: str
    neurons: int
    sums: int
    constant: int


def prove(
    layer: SparseLayer,
    eta: Sequence[Fraction],
    stages: Sequence[Sequence[Stage]],
    levels: Levels = BITS,
) -> Proof:
    """Compare the integer comparison with the exact one at every sum that any input can give.

    Raises:
        NetworkError: some neuron decides otherwise; names it and the sum.
    """
    if layer.threshold is None or layer.invert is None:
        raise NetworkError(f"layer {layer.name}: has no thresholds to prove")
    sums = constant = 0
    for j in range(layer.mh):
        rule = decision(layer, j, eta[j], stages[j], levels)
        values = reachable(layer, j)
        bits = (values >= layer.threshold[j]) ^ layer.invert[j]
        for total, bit in zip(values.tolist(), bits.tolist(), strict=True):
            if rule.at(total) != bit:
                raise NetworkError(
                    f"layer {layer.name}: neuron {j} with threshold {layer.threshold[j, 0]} says {bit} "
                    f"at the sum {total}, the trained network says {not bit}"
                )
        sums += len(values)
        constant += bool(bits.all() or not bits.any())
    return Proof(layer.name, layer.mh, sums, constant)
