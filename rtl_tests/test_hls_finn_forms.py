"""The two forms of a layer: the same for every input, and the cheaper one taken."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from sbnn.hls import reference
from sbnn.hls.finn_fold import hidden_layer, last_layer
from sbnn.hls.finn_forms import GAIN, choose_forms, luts, other_form
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.network import InputEncoding
from sbnn.hls.thresholds import SIGN, Affine, Cut, Stage

MH, INPUTS = 5, 5


def source_layer(seed, rails, value_bits, weight_bits=1, last=False, inputs=INPUTS):
    """Return a layer that may be written in both forms, with per-output scales and shifts."""
    rng = np.random.default_rng(seed)
    top = 1 << weight_bits
    if rails == 1:
        weight = rng.integers(0, top, (MH, inputs))
        xi = Fraction(int(rng.integers(-2 * top, 0)), 2)
    else:
        signed = rng.integers(1 - top, top, (MH, inputs))
        weight = np.concatenate([np.maximum(signed, 0), np.maximum(-signed, 0)], axis=1)
        xi = Fraction(0)
    shifts = rng.integers(-6, 7, MH)
    cuts = SIGN if value_bits == 1 else tuple(Cut(Fraction(n), n % 2 == 1) for n in (-3, 0, 1))
    etas = (Fraction(1, 2),) * MH if last else tuple(Fraction(int(n), 4) for n in range(1, MH + 1))
    return SourceLayer(
        name="fc",
        node="fc",
        weight=weight.astype(np.uint8),
        xi=(xi,) * MH,
        eta=etas,
        rails=rails,
        stages=tuple((Stage(post=Fraction(int(n), 2)),) for n in shifts),
        stage_nodes=("add",),
        columns=np.arange(inputs),
        cuts=() if last else (cuts,) * MH,
        levels=Affine(Fraction(2), Fraction(-1))
        if value_bits == 1
        else Affine(Fraction(1, 2), Fraction(-1)),
        value_bits=value_bits,
    )


@pytest.mark.parametrize("rails", [1, 2])
@pytest.mark.parametrize(("value_bits", "weight_bits"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_both_forms_say_the_same_of_every_input(rails, value_bits, weight_bits):
    vectors = itertools.product(range(1 << value_bits), repeat=INPUTS)
    values = np.array(list(vectors), np.uint8)
    compared = 0
    for seed in range(6):
        layer = source_layer(seed, rails, value_bits, weight_bits)
        other = other_form(layer)
        if other is None:
            continue
        assert other.rails == 3 - rails
        one, two = (reference.activate(hidden_layer(form), values) for form in (layer, other))
        assert np.array_equal(one, two)
        compared += len(np.unique(one)) > 1
        layer = source_layer(seed, rails, value_bits, weight_bits, last=True)
        one, two = (last_layer(form) for form in (layer, other_form(layer)))
        scores = [reference.score(form.layer, values) for form in (one, two)]
        assert np.array_equal(scores[0] * float(one.unit), scores[1] * float(two.unit))
    assert compared >= 3, "the test needs layers with two forms"


def test_the_cheaper_form_is_taken():
    encoding = InputEncoding((INPUTS,), 128)
    for seed, rails in itertools.product(range(3), (1, 2)):
        layer = source_layer(seed, rails, 1, 1, inputs=40)
        source, (choice,) = choose_forms(Source(encoding, (layer,)))
        (taken,) = source.layers
        assert choice.rails == taken.rails
        assert choice.luts == luts(taken)
        read, other = luts(layer), luts(other_form(layer))
        assert (taken is layer) == (other >= GAIN * read)


def test_sparse_weights_have_one_form():
    weight = np.zeros((MH, 40), np.uint8)
    weight[:, 0] = 1
    layer = source_layer(0, 1, 1, inputs=40)
    sparse = SourceLayer(**{**vars(layer), "weight": weight, "xi": (Fraction(-1, 2),) * MH})
    assert other_form(sparse) is None
    assert other_form(SourceLayer(**{**vars(sparse), "xi": (Fraction(0),) * MH})) is None
