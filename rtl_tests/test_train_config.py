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
    for name in model_names():
        zeros = name.rpartition("sbnn")[2].removesuffix("-dual")
        if zeros.isdigit():
            found = 1 - load_config(name).sparsity.density
            assert round(found * 100 - 1e-6) == int(zeros), name  # half a per cent rounds down
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


CONVOLUTIONAL = """
summary = "x"
convolutions = [{ channels = 16, padding = 1, pool = 2 }, { channels = 24, stride = 2 }]
hidden = []
[input]
dataset = "digits"
shape = [8, 8, 3]
"""


def test_shapes_of_a_convolutional_model():
    config = parse("m", CONVOLUTIONAL, "m/config.toml")
    assert config.shapes == ((16, 27), (24, 144), (10, 24))
    first, second, last = config.layers
    assert (first.name, first.seen, first.made, first.positions) == (
        "conv1",
        (3, 8, 8),
        (16, 8, 8),
        64,
    )
    assert (second.name, second.seen, second.made) == ("conv2", (16, 4, 4), (24, 1, 1))
    assert (last.name, last.inputs, last.convolution) == ("fc3", 24, None)
    layers = load_config("cnv-sbnn95").layers
    assert [layer.made for layer in layers[:6]] == [
        (64, 30, 30),
        (64, 28, 28),
        (128, 12, 12),
        (128, 10, 10),
        (256, 3, 3),
        (256, 1, 1),
    ]
    assert [layer.outputs for layer in layers[6:]] == [512, 512, 10]


@pytest.mark.parametrize(("old", "new", "message"), [
    ("stride = 2", "kernel = 5", "conv2: nothing is left of a map of 4 x 4"),
    ("pool = 2", "pool = 9", "conv1: nothing is left of a map of 8 x 8"),
    ("pool = 2", "pool = 0", "convolutions 1: pool is 0, needs at least 1"),
    ("padding = 1", "padding = 3", "convolutions 1: padding is 3, needs 0 to 2"),
    ("stride = 2", "strides = 2",
     "unknown entry 'strides' in [convolutions 2]; there are: channels kernel stride padding pool"),
    ("stride = 2", "stride = 'x'", "convolutions 2.stride is 'x', needs int"),
    ("hidden = []", "hidden = []\nrails = 2",
     "rails is 2, needs an input.threshold (8-bit pixels have no second rail)"),
    ("[input]", "[sparsity]\nratio = [1, 2]\n[input]", "sparsity.ratio has 2 entries, needs 3"),
])  # fmt: skip
def test_mistakes_in_convolutions_are_named(old, new, message):
    with pytest.raises(TrainError) as caught:
        parse("m", CONVOLUTIONAL.replace(old, new, 1), "m/config.toml")
    assert str(caught.value) == f"m/config.toml: {message}"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("hidden = [8, 8]", "hidden = [8, 0]", "hidden is [8, 0], needs positive layer widths"),
    ("hidden = [8, 8]", "", "needs 'hidden'"),
    ("threshold = 8", "threshold = 0", "input.threshold is 0, needs 1 to 255"),
    ("threshold = 8", "threshold = 'x'", "input.threshold is 'x', needs int"),
    ("shape = [8, 8]", "", "[input]: Input.__init__() missing 1 required positional argument: 'shape'"),
    ("[8, 8]\nthr", "[8]\nthr",
     "input.shape is [8], needs [height, width] or [height, width, channels]"),
    ('"digits"', '"imagenet"',
     "input.dataset is 'imagenet', needs one of mnist, fashion-mnist, cifar10, digits"),
    ("threshold = 8", "threshold = 8\n[training]\nprecision = 'float16'",
     "training.precision is 'float16', needs one of float32, bfloat16"),
    ("threshold = 8", "[weights]\nxi_frac = 12",
     "fc1: xi_frac 12 is too large for 64 inputs in float32"),
    ("threshold = 8", "threshold = 8\n[weights]\nxi = 0.3", "weights.xi is 0.3, needs a multiple of 1/2**0"),
    ("threshold = 8", "threshold = 8\n[weights]\nxy = 1",
     "unknown entry 'xy' in [weights]; there are: domain xi xi_frac per_channel"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nmethod = 'l1'",
     "sparsity.method is 'l1', needs one of top-k, penalty, none"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nfan_in = [6, 6]",
     "sparsity.fan_in has 2 entries, needs 3"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nfan_in = [6, 9, 8]",
     "sparsity.fan_in is 9 for fc2, needs 1 to its 8 inputs"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nfan_in = [0, 6, 8]",
     "sparsity.fan_in is 0 for fc1, needs 1 to its 64 inputs"),
    ("threshold = 8", "threshold = 8\n[sparsity]\nmethod = 'none'\nfan_in = [6, 6, 6]",
     "sparsity.fan_in needs sparsity.method 'top-k', not 'none'"),
    ("threshold = 8", "threshold = 8\n[quick]\ntraining.epoch = 1",
     "[quick] sets training.epoch, which does not exist"),
    ("summary", "= summary", "not TOML (Invalid statement (at line 2, column 1))"),
])  # fmt: skip
def test_mistakes_are_named(old, new, message):
    with pytest.raises(TrainError) as caught:
        parse("m", GOOD.replace(old, new, 1), "m/config.toml")
    assert str(caught.value) == f"m/config.toml: {message}"
