"""Exact integer thresholds: BatchNorm and activation become comparisons, proven over every reachable sum.

A neuron sees z = eta*(z' + xi*q) (Eq. 4, 5 of Schiavone et al. 2023) and then a chain of affine stages,
each (z + pre) * scale / sqrt(variance) + post; its output is the number of the activation's cuts that the
result reaches, for a sign the one cut 0. In the integers of `sbnn.hls.layer` an input value v stands for
x = scale*v + shift (a bit for 2*v - 1), and what the second rail holds for -x, so

    z = eta * (scale*A / 2**F + b)

is an affine function of A, b what `value_at_zero` says. The output is monotone in A and one threshold
decides each cut. Everything here is rational; the square root is compared by squaring, never taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sbnn.hls.layer import WeightArray
from sbnn.hls.network import BoolArray, IntArray, NetworkError, SparseLayer

# Sums of a neuron that `prove` looks at one by one; 3 us each.
MOST_SUMS = 1 << 12
# 512 MB of sums, 20 times what 784 pixels of 8 bits with weights of 4 bits reach.
MOST_REACHED = 1 << 26


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
class Affine:
    """What an incoming value v stands for: x = scale * v + shift, both exact.

    Padding is v = 0, so x = shift.
    """

    scale: Fraction
    shift: Fraction


BITS = Affine(Fraction(2), Fraction(-1))


@dataclass(frozen=True)
class Cut:
    """Where an activation rises by one level: from `at` on, or only above it."""

    at: Fraction
    strict: bool = False


SIGN = (Cut(Fraction(0)),)


@dataclass(frozen=True)
class Decision:
    """One level of a neuron as integers: reached where slope*A + intercept + root*sqrt(variance) >= 0.

    Where `strict`, only above 0.
    """

    slope: int
    intercept: int
    root: int
    variance: Fraction
    strict: bool = False

    def at(self, total: int) -> bool:
        """Return whether the level is reached at A = `total`."""
        left = self.slope * total + self.intercept
        if left >= 0 and self.root >= 0:
            return not self.strict or left > 0 or self.root > 0
        if left < 0 and self.root <= 0:
            return False
        squares = left * left * self.variance.denominator
        limit = self.root * self.root * self.variance.numerator
        if squares == limit:
            return not self.strict
        return (squares > limit) == (left >= 0)


def decisions(
    layer: SparseLayer,
    j: int,
    eta: Fraction,
    stages: Sequence[Stage],
    levels: Affine = BITS,
    cuts: Sequence[Cut] = SIGN,
) -> tuple[Decision, ...]:
    """Compose the stages of neuron j into one exact comparison on A per cut of its activation.

    Args:
        layer: the layer; its thresholds are not looked at.
        j: the neuron.
        eta: its positive weight scale.
        stages: what follows the sum, in order; at most one with a variance that is not a square.
        levels: what the layer's input values stand for.
        cuts: of the activation, ascending.

    Raises:
        NetworkError: eta or a variance is not positive, or two stages have irrational scales.
    """
    if eta <= 0:
        raise NetworkError(f"eta is {float(eta)}, needs a positive weight scale")
    grid = 1 << layer.xi_frac
    xi = Fraction(int(layer.xi_num[j]), grid)
    at_zero = value_at_zero(layer.weight[j], xi, layer.rails, layer.peak, levels)
    # value = (slope*A + intercept) / sqrt(variance) + rest
    slope, intercept = eta * levels.scale / grid, eta * at_zero
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
    return tuple(_integers(slope, intercept, rest - cut.at, variance, cut.strict) for cut in cuts)


def value_at_zero(
    weight: WeightArray, xi: Fraction, rails: int, peak: int, levels: Affine
) -> Fraction:
    """Return what one row of (MW,) weights gives where A is 0, in units of eta.

    With two rails xi cancels between x and -x; A counts it all the same, as it counts complements.
    """
    if rails == 1:
        return levels.shift * (int(weight.sum(dtype=np.int64)) + xi * len(weight))
    inputs = len(weight) // 2
    plain, minus = (int(part.sum(dtype=np.int64)) for part in (weight[:inputs], weight[inputs:]))
    return levels.shift * (plain - minus) - levels.scale * peak * (minus + xi * inputs)


def _integers(
    slope: Fraction, intercept: Fraction, root: Fraction, variance: Fraction, strict: bool
) -> Decision:
    """Return a comparison without denominators."""
    common = math.lcm(slope.denominator, intercept.denominator, root.denominator)
    return Decision(
        int(slope * common), int(intercept * common), int(root * common), variance, strict
    )


def fold(
    layer: SparseLayer,
    eta: Sequence[Fraction],
    stages: Sequence[Sequence[Stage]],
    levels: Affine = BITS,
    cuts: Sequence[Sequence[Cut]] | None = None,
) -> tuple[IntArray, BoolArray]:
    """Return (threshold, invert), (MH, L) int64 ascending and (MH,) bool, of a hidden layer.

    A falling neuron (negative BatchNorm scale) reaches a level up to some A, so that level is the inverse of
    "A reaches the next one". Thresholds beyond reach are cut to the first value that says the same, so a
    constant level has threshold lo (always reached) or hi + 1 (never).

    Args:
        layer: connections and xi; it needs no thresholds yet.
        eta: MH positive scales.
        stages: MH chains, see `decisions`.
        levels: what the layer's input values stand for.
        cuts: MH times the L cuts of the activation; None for signs.
    """
    lows, highs = layer.reach
    count = len(cuts[0]) if cuts is not None else 1
    threshold, invert = np.zeros((layer.mh, count), np.int64), np.zeros(layer.mh, bool)
    for j in range(layer.mh):
        own = SIGN if cuts is None else cuts[j]
        rules = decisions(layer, j, eta[j], stages[j], levels, own)
        low, high = int(lows[j]), int(highs[j])
        invert[j] = rules[0].slope < 0 or (rules[0].slope == 0 and not rules[0].at(low))
        reached = [_first(rule, low, high, bool(invert[j])) for rule in rules]
        threshold[j] = sorted(reached)
    return threshold, invert


def _first(rule: Decision, low: int, high: int, invert: bool) -> int:
    """Return the smallest A in low..high+1 at which the level, inverted or not, is reached."""
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

    Of weights or values beyond bits it is every value that A[j] may take: all multiples of the greatest
    common divisor of its steps, since the exact set is a product of two ranges of thousands.
    """
    low, high = (int(ends[j]) for ends in layer.reach)
    weight, k = layer.weight[j].astype(np.int64), int(layer.xi_num[j])
    if layer.rails == 2:
        steps = (weight[: layer.inputs] - weight[layer.inputs :]) << layer.xi_frac
    else:
        steps = (weight << layer.xi_frac) + k
    if layer.rails == 1 and k and layer.peak == 1 and layer.weight_bits == 1:
        n = int(weight.sum())
        counts = np.arange(n + 1, dtype=np.int64)[:, None] << layer.xi_frac
        totals = (counts >> layer.xi_frac) + np.arange(layer.mw - n + 1, dtype=np.int64)
        return np.unique(counts + k * totals)
    step = int(np.gcd.reduce(steps))
    if step and (high - low) // step > MOST_REACHED:
        raise NetworkError(
            f"layer {layer.name}: neuron {j} has {(high - low) // step:,} sums, at most {MOST_REACHED:,} can "
            "be proven; needs a coarser grid for xi"
        )
    return np.arange(low, high + 1, step, dtype=np.int64) if step else np.array([low], np.int64)


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
    levels: Affine = BITS,
    cuts: Sequence[Sequence[Cut]] | None = None,
) -> Proof:
    """Compare the integer comparisons with the exact ones at every sum that any input can give.

    Of more than `MOST_SUMS` sums it looks at those on both sides of each threshold and at the ends: the exact
    rule is monotone, so a level that is right there is right everywhere.

    Raises:
        NetworkError: some neuron decides otherwise; names it and the sum.
    """
    if layer.threshold is None or layer.invert is None:
        raise NetworkError(f"layer {layer.name}: has no thresholds to prove")
    sums = constant = 0
    for j in range(layer.mh):
        own = SIGN if cuts is None else cuts[j]
        rules = decisions(layer, j, eta[j], stages[j], levels, own)
        values = reachable(layer, j)
        sums += len(values)
        values = decisive(values, layer.threshold[j])
        found = ((values[:, None] >= layer.threshold[j]) ^ layer.invert[j]).sum(1)
        for total, level in zip(values.tolist(), found.tolist(), strict=True):
            wanted = sum(rule.at(total) for rule in rules)
            if wanted != level:
                limit = ", ".join(map(str, layer.threshold[j].tolist()))
                raise NetworkError(
                    f"layer {layer.name}: neuron {j} with threshold {limit} gives {level} at the sum "
                    f"{total}, the trained network gives {wanted}"
                )
        constant += bool((found == found[0]).all())
    return Proof(layer.name, layer.mh, sums, constant)


def decisive(values: IntArray, threshold: IntArray, margin: int = 1) -> IntArray:
    """Return the sums at which monotone rules have to be looked at: all, or those around each threshold."""
    if len(values) <= MOST_SUMS:
        return values
    around = np.arange(-margin, margin)
    above = np.searchsorted(values, threshold)[:, None] + around
    places = np.concatenate([[0, len(values) - 1], above.reshape(-1)])
    chosen: IntArray = values[np.unique(places.clip(0, len(values) - 1))]
    return chosen
