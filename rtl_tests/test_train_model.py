"""Convolutional modules against plain numpy: geometry, padding, pools, exact sums, thresholds."""

import dataclasses

import numpy as np
import pytest
import torch

from sbnn.train.config import Convolution, Input, Sparsity, Weights, load_config
from sbnn.train.finalise import finalise
from sbnn.train.model import build

CONVOLUTIONS = (
    Convolution(7, kernel=3, padding=1, pool=2),
    Convolution(9, kernel=2, stride=2),
    Convolution(6, kernel=3, padding=2, stride=2, pool=2),
)
CASES = {
    "bits": {},
    "colour bits": {"input": Input("digits", (13, 10, 3), 100)},
    "grey": {"input": Input("digits", (13, 10))},
    "grey learned": {
        "input": Input("digits", (13, 10, 3)),
        "weights": Weights("learned", xi_frac=5),
    },
    "per channel": {"weights": Weights("learned", xi_frac=3, per_channel=True)},
    "dense": {"weights": Weights(xi=-0.5, xi_frac=1)},
    "two rails": {"rails": 2},
    "grey, fully connected": {"input": Input("digits", (13, 10)), "convolutions": ()},
}


def random_module(**changes):
    """A module of random weights, levels and BatchNorm, finalised."""
    torch.manual_seed(2)
    base = {
        "input": Input("digits", (13, 10), 100),
        "convolutions": CONVOLUTIONS,
        "hidden": (11,),
        "sparsity": Sparsity(density=0.3),
    }
    config = dataclasses.replace(load_config("digits"), **{**base, **changes})
    module = build(config).eval()
    for quantizer in module.quantizers():
        if quantizer.domain == "learned":
            torch.nn.init.uniform_(quantizer.tau, 0.3, 0.6)
            torch.nn.init.uniform_(quantizer.phi, -0.2, 0.9)
    for norm in module.batchnorms():
        torch.nn.init.uniform_(norm.weight, -2, 2)
        torch.nn.init.normal_(norm.bias, std=0.3)
        torch.nn.init.normal_(norm.running_mean, std=1.5)
        torch.nn.init.uniform_(norm.running_var, 4, 20)
    return config, module


def images_of(config):
    images = np.random.default_rng(5).integers(0, 256, (12, *config.input.shape), np.uint8)
    images[0], images[1] = 0, 255
    return images


def windows(x, conv, minus_one):
    """(B, C, H, W) -> (B, rows, columns, C*k*k), padded with what -1 is."""
    padded = np.pad(
        x, ((0, 0), (0, 0), *[(conv.padding, conv.padding)] * 2), constant_values=minus_one
    )
    found = np.lib.stride_tricks.sliding_window_view(padded, (conv.kernel, conv.kernel), (2, 3))
    found = found[:, :, :: conv.stride, :: conv.stride]
    return found.transpose(0, 2, 3, 1, 4, 5).reshape(*found.shape[0:1], *found.shape[2:4], -1)


def integer_maps(config, module, images):
    """Every hidden map in integers alone: sums of 2^F * w, thresholds rounded outwards."""
    channels = images.reshape(*images.shape[:3], -1).transpose(0, 3, 1, 2).astype(np.int64)
    threshold = config.input.threshold
    bits = threshold is not None
    x = 2 * (channels >= threshold) - 1 if bits else channels - 128
    scale = 1 if bits else 128  # x stands for x / scale
    found = {}
    layers = zip(
        config.layers, module.weighted(), module.quantizers(), module.batchnorms(), strict=False
    )
    for index, (layer, weighted, quantizer, norm) in enumerate(layers, 1):
        eta, xi = (level.double().numpy().reshape(-1, 1) for level in quantizer.levels(None))
        frac = 2**quantizer.xi_frac
        w01 = (weighted.weight > 0).flatten(1).numpy()
        weights = np.rint(w01 * frac + xi * frac).astype(np.int64)
        rows = windows(x, layer.convolution, -scale) if layer.convolution else x.reshape(len(x), -1)
        if config.rails == 2:
            rows = np.concatenate([rows, -rows], -1)
        sums = rows @ weights.T
        unit = eta.reshape(-1) / (frac * scale)
        mean = norm.running_mean.double().numpy() / unit
        assert np.abs(sums - mean).min() >= 0.5  # nothing sits nearer to a threshold
        bits = (sums > mean) ^ (norm.weight.detach().numpy() < 0)
        x, scale = 2 * np.moveaxis(bits, -1, 1).astype(np.int64) - 1, 1
        found[f"act{index}"] = x
        pool = layer.convolution.pool if layer.convolution else 1
        if pool > 1:
            height, width = x.shape[2] // pool, x.shape[3] // pool
            cut = x[:, :, : height * pool, : width * pool]
            x = cut.reshape(*x.shape[:2], height, pool, width, pool).max((3, 5))
            found[f"pool{index}"] = x
    return found


@pytest.mark.parametrize("case", CASES)
def test_finalised_modules_are_integer_networks(case):
    config, module = random_module(**CASES[case])
    images = images_of(config)
    pixels = torch.from_numpy(images.astype(np.float32))
    before = module.hidden_bits(pixels)
    finalise(module)
    after = module.hidden_bits(pixels)
    wanted = integer_maps(config, module, images)
    assert list(after) == list(before) == list(wanted)
    for name, bits in after.items():
        assert np.array_equal(bits.detach().numpy(), wanted[name]), name
        assert torch.equal(bits, before[name]), name  # and finalising changed no decision
        assert -0.95 < float(bits.mean()) < 0.95, name


def test_one_pixel_of_padding_counts_as_minus_one():
    _, module = random_module(
        input=Input("digits", (1, 1)), convolutions=(Convolution(4, padding=1),)
    )
    conv = module.weighted()[0]
    image = torch.full((1, 1, 1), 128.0)  # grey 128 stands for 0
    sums = module.product(1, module.encode(image))
    border = conv.quant_weight().value.sum((1, 2, 3)) - conv.quant_weight().value[:, 0, 1, 1]
    assert torch.equal(sums.view(-1), -border)
    darkest = module.encode(torch.zeros(1, 1, 1))
    assert float(darkest) == -1.0  # so padding is the darkest pixel


def test_pool_is_an_or_of_bits():
    _, module = random_module()
    images = torch.from_numpy(images_of(load_config("digits"))[:, :8, :8].astype(np.float32))
    maps = module.hidden_bits(torch.nn.functional.pad(images, (0, 2, 0, 5)))
    on = maps["act1"] > 0
    ored = (
        on[..., 0:12:2, 0::2]
        | on[..., 1:12:2, 0::2]
        | on[..., 0:12:2, 1::2]
        | on[..., 1:12:2, 1::2]
    )
    assert torch.equal(maps["pool1"] > 0, ored)
    assert maps["pool1"].shape == (12, 7, 6, 5)  # the thirteenth row has no partner


@pytest.mark.parametrize("index", [1, 3, 4])  # padded, with a pool behind; strided; fully connected
@pytest.mark.parametrize("name", ["bits", "per channel", "error decay"])
def test_training_sees_both_rails_as_one_difference(name, index):
    """In training the rails x and -x see the difference of their weights; sums and gradients are equal."""
    config, module = random_module(**CASES.get(name, {}), rails=2)
    if name == "error decay":
        for quantizer in module.quantizers():
            quantizer.decay = (2.0, 0.5)
    channels, height, width = config.layers[index - 1].seen
    shape = (
        (9, channels, height, width) if config.layers[index - 1].convolution else (9, channels // 2)
    )
    x = torch.randint(0, 2, shape).float() * 2 - 1
    found = []
    for training in (False, True):
        module.train(training)
        weight = module.weighted()[index - 1].weight
        weight.grad = None
        sums = module.product(index, x)
        (
            sums * torch.randn(sums.shape, generator=torch.Generator().manual_seed(3))
        ).sum().backward()
        found.append((sums.detach(), weight.grad.clone()))
    (sums, gradient), (halved, other) = found
    exact = config.weights.domain == "fixed"
    torch.testing.assert_close(halved, sums, rtol=0, atol=0 if exact else 1e-3)
    torch.testing.assert_close(other, gradient, rtol=1e-4, atol=1e-4 if exact else 1e-2)
