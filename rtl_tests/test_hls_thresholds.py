"""Exact thresholds against direct rational evaluation over every input vector."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from sbnn.hls import reference
from sbnn.hls.network import NetworkError, SparseLayer
from sbnn.hls.thresholds import BITS, SIGN, Affine, Cut, Stage, fold, prove, reachable


def case(seed, inputs=7, value_bits=1, weight_bits=1):
    """Return a layer of 6 neurons, and BatchNorms that often tie exactly."""
    rng = np.random.default_rng(seed)
    mh, rails, frac = 6, int(rng.choice([1, 2])), int(rng.integers(0, 4))
    weight = rng.random((mh, inputs * rails)) < rng.choice([0.1, 0.4, 0.9])
    if weight_bits > 1:
        weight = weight * rng.integers(1, 1 << weight_bits, weight.shape)
    xi_num = rng.integers(-(1 << frac), (1 << frac) + 1, mh) * int(rng.choice([0, 1]))
    eta = [Fraction(int(rng.integers(1, 9)), 4) for _ in range(mh)]
    stages = []
    for j in range(mh):
        scale = Fraction(int(rng.integers(-3, 4)), 2)
        # Variances with rational and with irrational roots; means on the grid of z, so that ties happen.
        variance = Fraction(int(rng.choice([1, 4, 2, 3, 7])), int(rng.choice([1, 4])))
        mean = eta[j] * Fraction(int(rng.integers(-8, 9)), 1 << frac)
        post = Fraction(int(rng.choice([0, 0, 1, -2, 5])), 3)
        stages.append([Stage(scale, -mean, variance, post)])
    layer = SparseLayer(
        "fc1", weight.astype(np.uint8), xi_num.astype(np.int64), frac, rails, value_bits=value_bits
    )
    return layer, eta, stages


def random_cuts(seed, levels):
    """Return 1 to 15 cuts per neuron around what `case` reaches; each is strict or not."""
    rng = np.random.default_rng(seed)
    places = [sorted(rng.integers(-9, 10, levels).tolist()) for _ in range(6)]
    strict = [sorted(row) for row in rng.random((6, levels)) < 0.5]
    return [
        [Cut(Fraction(at, 2), bool(above)) for at, above in zip(row, own, strict=True)]
        for row, own in zip(places, strict, strict=True)
    ]


def reached(cut, stage, z):
    """Return whether (z + pre) * scale / sqrt(variance) + post reaches a cut, by cases on the signs."""
    a, b = (z + stage.pre) * stage.scale, cut.at - stage.post  # a / root against b
    squares, limit = a * a, b * b * stage.variance
    if (a >= 0) == (b >= 0) and squares == limit:
        return not cut.strict
    if (a >= 0) != (b >= 0):
        return a >= 0
    return (squares > limit) == (a >= 0)


def values_of(layer):
    """Return every input vector of a layer of bits, or of two-bit values."""
    return np.array(list(itertools.product(range(layer.peak + 1), repeat=layer.inputs)), np.uint8)


@pytest.mark.parametrize("seed", range(40))
def test_fold_agrees_with_the_real_network_for_every_input(seed):
    bare, eta, stages = case(seed)
    agrees_for_every_input(seed, bare, eta, stages, BITS)


@pytest.mark.parametrize("seed", range(12))
def test_fold_agrees_for_values_of_two_bits(seed):
    bare, eta, stages = case(seed, inputs=4, value_bits=2)
    agrees_for_every_input(seed, bare, eta, stages, Affine(Fraction(3, 4), Fraction(-1)))


@pytest.mark.parametrize("weight_bits", [1, 3])
@pytest.mark.parametrize("levels", [2, 3, 15])
def test_fold_agrees_for_several_levels(weight_bits, levels):
    for seed in range(4):
        bare, eta, stages = case(seed, 4, 2, weight_bits)
        cuts = random_cuts(seed, levels)
        values = Affine(Fraction(1, 2), Fraction(-3, 4))
        agrees_for_every_input(seed, bare, eta, stages, values, cuts)


def agrees_for_every_input(seed, bare, eta, stages, levels, cuts=None):
    threshold, invert = fold(bare, eta, stages, levels, cuts)
    layer = replace(bare, threshold=threshold, invert=invert)
    vectors = values_of(layer)
    bits = reference.activate(layer, vectors)
    for vector, found in zip(vectors.tolist(), bits, strict=True):
        x = [levels.scale * value + levels.shift for value in vector]
        x += [-value for value in x] if layer.rails == 2 else []
        for j in range(layer.mh):
            xi = Fraction(int(layer.xi_num[j]), 1 << layer.xi_frac)
            z = sum(
                (
                    eta[j] * (int(weight) + xi) * value
                    for weight, value in zip(layer.weight[j], x, strict=True)
                ),
                Fraction(0),
            )
            own = SIGN if cuts is None else cuts[j]
            wanted = sum(reached(cut, stages[j][0], z) for cut in own)
            assert found[j] == wanted, (seed, j, vector)
    proof = prove(layer, eta, stages, levels, cuts)
    assert proof.neurons == layer.mh and proof.sums == sum(
        len(reachable(layer, j)) for j in range(6)
    )
    assert (bits.min(0) == bits.max(0)).sum() <= proof.constant or layer.peak > 1


def test_reachable_is_what_inputs_reach():
    for seed in range(20):
        layer, *_ = case(seed)
        sums = reference.accumulate(layer, values_of(layer))
        for j in range(layer.mh):
            assert reachable(layer, j).tolist() == np.unique(sums[:, j]).tolist()


def test_reachable_leaves_no_value_out():
    for seed in range(20):
        layer, *_ = case(seed, 4, 2, 3 if seed % 2 else 1)
        sums = reference.accumulate(layer, values_of(layer))
        for j in range(layer.mh):
            reached = np.unique(sums[:, j])
            assert set(reached.tolist()) <= set(reachable(layer, j).tolist())
            assert (reached[0], reached[-1]) == (reachable(layer, j)[0], reachable(layer, j)[-1])


def test_prove_finds_a_threshold_that_is_off_by_one():
    found = 0
    for seed in range(10):
        bare, eta, stages = case(seed)
        threshold, invert = fold(bare, eta, stages)
        good = replace(bare, threshold=threshold, invert=invert)
        for j in range(6):
            values = reachable(good, j)
            inside = values[(values >= threshold[j])]
            if not len(inside) or threshold[j] <= values[0]:
                continue
            broken = threshold.copy()
            broken[j] = inside[0] + 1  # moves one reachable sum to the other side
            with pytest.raises(NetworkError, match=f"layer fc1: neuron {j} with threshold"):
                prove(replace(good, threshold=broken), eta, stages)
            found += 1
    assert found > 10


def test_affine_stages_compose():
    one = [
        Stage(Fraction(3), Fraction(1)),
        Stage(Fraction(-1, 2), Fraction(0), Fraction(2), Fraction(5)),
    ]
    layer = SparseLayer("fc1", np.ones((1, 5), np.uint8), np.zeros(1, np.int64), 0)
    threshold, invert = fold(layer, [Fraction(1)], [one])
    # (z + 1) * 3 * -1/2 / sqrt(2) + 5 >= 0  <=>  z <= 10 * sqrt(2) / 3 - 1 = 3.71; z = 2 P - 5 <= 3
    assert invert.tolist() == [True] and threshold.tolist() == [[5]]


def test_what_cannot_be_exact_is_refused():
    root = Stage(variance=Fraction(2))
    layer = SparseLayer("fc1", np.ones((1, 2), np.uint8), np.zeros(1, np.int64), 0)
    with pytest.raises(NetworkError, match="two BatchNorms follow one sum"):
        fold(layer, [Fraction(1)], [[root, root]])
    with pytest.raises(NetworkError, match="needs a positive weight scale"):
        fold(layer, [Fraction(0)], [[]])
