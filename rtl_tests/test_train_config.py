"""Models as TOML: all of them load, mistakes are named."""

import pytest

from sbnn.train.config import TrainError, load_config, model_names, parse

GOOD = """
summary = "x"
hidden = [8, 8]
[input]
dataset = "digits"
shape = [8, 8]
threshold = 8
"""


def test_every_model_loads_and_is_what_its_name_says():
    assert {"sbnn95", "sbnn98", "bnn", "sbnn95-dual", "tfc-sbnn95", "digits"} <= set(model_names())
    shapes = ((256, 784), (256, 256), (256, 256), (10, 256))
    assert load_config("sbnn95").shapes == shapes
    assert load_config("bnn").shapes == shapes
    assert load_config("sbnn95-dual").shapes == ((256, 1568), (256, 512), (256, 512), (10, 512))
    assert load_config("tfc-sbnn95").shapes == ((64, 784), (64, 64), (64, 64), (10, 64))
    assert load_config("sbnn98").sparsity.density == 0.02
    assert load_config("bnn").weights.xi == -0.5
    for name in model_names():
        load_config(name)


def test_unknown_model_lists_those_that_exist():
    with pytest.raises(TrainError) as caught:
        load_config("foo")
    assert str(caught.value) == (
        f"MODEL=foo: no train/models/foo/config.toml; there are: {' '.join(model_names())}"
    )


def test_quick_changes_only_what_it_says():
    full, quick = load_config("sbnn95"), load_config("sbnn95", quick=True)
    assert quick.training.epochs < full.training.epochs
    assert quick.sparsity == full.sparsity
    with pytest.raises(TrainError, match=r"digits/config\.toml: has no \[quick\] section"):
        load_config("digits", quick=True)


@pytest.mark.parametrize(("old", "new", "message"), [
    ("hidden = [8, 8]", "hidden = [8, 0]", "hidden is [8, 0], needs positive layer widths"),
    ("hidden = [8, 8]", "", "needs 'hidden'"),
    ("threshold = 8", "threshold = 0", "input.threshold is 0, needs 1 to 255"),
    ("threshold = 8", "threshold = 'x'", "input.threshold is 'x', needs int"),
    ("threshold = 8", "", "[input]: Input.__init__() missing 1 required positional argument: 'threshold'"),
    ('"digits"', '"imagenet"', "input.dataset is 'imagenet', needs one of mnist, fashion-mnist, digits"),
    ("threshold = 8", "threshold = 8\n[weights]\nxi = 0.3", "weights.xi is 0.3, needs a multiple of 1/2**0"),
    ("threshold = 8", "threshold = 8\n[weights]\nxy = 1",
     "unknown entry 'xy' in [weights]; there are: domain xi xi_frac per_channel"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nmethod = 'l1'",
     "sparsity.method is 'l1', needs one of top-k, penalty, none"),
    ("threshold = 8", "threshold = 8\n[quick]\ntraining.epoch = 1",
     "[quick] sets training.epoch, which does not exist"),
    ("summary", "= summary", "not TOML (Invalid statement (at line 2, column 1))"),
])  # fmt: skip
def test_mistakes_are_named(old, new, message):
    with pytest.raises(TrainError) as caught:
        parse("m", GOOD.replace(old, new, 1), "m/config.toml")
    assert str(caught.value) == f"m/config.toml: {message}"
