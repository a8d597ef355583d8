"""The weight quantizer against the paper's equations and against a numerical search."""

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.inject.enum import ScalingPerOutputType
from scipy.optimize import minimize

from sbnn.train.config import TrainError
from sbnn.train.quantizers import (
    SignActivation,
    SparseBinaryTensorQuant,
    SparseBinaryWeight,
    closed_form,
    domain_levels,
    error_decay,
    snap,
)


def layer(**options):
    torch.manual_seed(3)
    return qnn.QuantLinear(12, 5, bias=False, weight_quant=SparseBinaryWeight, **options)


def test_levels_are_eq_4_and_5():
    tau, phi = torch.tensor(0.7), torch.tensor(0.2)
    eta, xi = domain_levels(tau, phi)
    alpha, beta = xi * eta, (1 + xi) * eta
    assert torch.allclose(alpha, phi - tau)
    assert torch.allclose(beta, phi + tau)


@pytest.mark.parametrize(("xi", "frac", "eta", "wanted"), [
    (0.0, 0, 1.0, {0.0, 1.0}),
    (-0.5, 1, 2.0, {-1.0, 1.0}),
    (0.25, 2, 0.5, {0.125, 0.625}),
])  # fmt: skip
def test_fixed_domain_has_exactly_its_two_values(xi, frac, eta, wanted):
    net = layer(weight_fixed_xi=xi, weight_xi_frac=frac, weight_fixed_eta=eta)
    quantised = net.quant_weight()
    assert set(quantised.value.unique().tolist()) == wanted
    assert float(quantised.scale) == eta
    assert float(quantised.zero_point) == -xi
    assert float(quantised.bit_width) == 1
    assert torch.equal(quantised.value, ((net.weight > 0).float() + xi) * eta)


def test_closed_form_minimises_the_distance_as_a_search_does():
    rng = np.random.default_rng(0)
    for shift in (-1.0, -0.3, 0.4):  # different shares of ones
        latent = torch.tensor(rng.normal(shift, 1, (9, 14)))
        tau, phi = (float(value) for value in closed_form(latent))
        sign = np.sign(latent.numpy())

        def distance(pair, latent=latent, sign=sign):
            return ((latent.numpy() - (pair[0] * sign + pair[1])) ** 2).sum()

        found = minimize(distance, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9})
        assert found.x == pytest.approx([tau, phi], abs=1e-4)
        assert distance([tau, phi]) <= found.fun + 1e-9


def test_closed_form_per_channel_is_closed_form_of_each_row():
    latent = torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    tau, phi = closed_form(latent, per_channel=True)
    assert tau.shape == phi.shape == (6, 1)
    for row in range(6):
        alone = closed_form(latent[row : row + 1])
        assert torch.allclose(torch.stack([tau[row, 0], phi[row, 0]]), torch.stack(alone))


def test_xi_snaps_to_its_grid_and_passes_its_gradient():
    xi = torch.tensor([-0.3, 0.0, 0.74], requires_grad=True)
    snapped = snap(xi, 3)
    assert snapped.tolist() == [-0.25, 0.0, 0.75]
    snapped.sum().backward()
    assert xi.grad.tolist() == [1, 1, 1]


def test_learned_domain_moves_and_stays_on_its_grid():
    net = layer(weight_domain="learned", weight_xi_frac=4)
    optimiser = torch.optim.Adam(net.parameters(), 0.05)
    before = float(net.quant_weight().zero_point)
    for _ in range(30):
        optimiser.zero_grad()
        (net(torch.ones(4, 12)) - 3).square().mean().backward()
        optimiser.step()
    xi = -float(net.quant_weight().zero_point)
    assert before == 0.5  # xi starts at -1/2: tau = 1, phi = 0
    assert xi != -0.5
    assert xi * 16 == int(xi * 16)


@pytest.mark.parametrize("domain", ["learned", "closed-form"])
def test_per_channel_levels_have_one_pair_per_row(domain):
    net = layer(
        weight_domain=domain,
        weight_xi_frac=8,
        weight_scaling_per_output_type=ScalingPerOutputType.CHANNEL,
    )
    quantised = net.quant_weight()
    assert quantised.scale.shape == quantised.zero_point.shape == (5, 1)
    for row in quantised.value:
        assert len(row.unique()) <= 2


def test_frozen_levels_do_not_move():
    quantizer = SparseBinaryTensorQuant(domain="closed-form", xi_frac=8)
    latent = torch.randn(4, 4, generator=torch.Generator().manual_seed(2))
    eta, xi = quantizer.levels(latent)
    quantizer.freeze(eta, xi)
    assert quantizer.levels(latent * 3) == (eta, xi)


def test_gradients_of_weights_and_activations():
    quantizer = SparseBinaryTensorQuant()
    latent = torch.tensor([[-2.0, -0.1, 0.1, 2.0]], requires_grad=True)
    quantizer(latent)[0].sum().backward()
    assert latent.grad.tolist() == [[1, 1, 1, 1]]  # identity
    latent.grad = None
    quantizer.decay = error_decay(1.0)
    quantizer(latent)[0].sum().backward()
    assert latent.grad[0, 0] < 1e-6 < latent.grad[0, 1]  # only weights near the threshold move
    x = torch.tensor([-2.0, -0.5, 0.0, 0.75], requires_grad=True)
    y = qnn.QuantIdentity(act_quant=SignActivation)(x)
    y.sum().backward()
    assert y.tolist() == [-1, -1, 1, 1]
    assert x.grad.tolist() == [0, 1, 2, 0.5]


def test_xi_off_its_grid_and_unknown_domain_are_named():
    with pytest.raises(TrainError, match=r"xi = 0\.3 is not a multiple of 1/4"):
        SparseBinaryTensorQuant(fixed_xi=0.3, xi_frac=2)
    with pytest.raises(TrainError, match="'ternary': needs one of fixed, learned, closed-form"):
        SparseBinaryTensorQuant(domain="ternary")


@pytest.mark.parametrize("per_channel", [False, True])
def test_convolutions_have_the_same_levels_as_their_matrix(per_channel):
    torch.manual_seed(1)
    latent = torch.randn(6, 4, 3, 3) - 0.5
    wide, flat = closed_form(latent, per_channel), closed_form(latent.flatten(1), per_channel)
    for level, wanted in zip(wide, flat, strict=True):
        assert level.shape == ((6, 1, 1, 1) if per_channel else ())
        assert torch.allclose(level.reshape(-1), wanted.reshape(-1))
    kind = ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR
    conv = qnn.QuantConv2d(
        4,
        6,
        3,
        bias=False,
        weight_quant=SparseBinaryWeight,
        weight_domain="closed-form",
        weight_xi_frac=4,
        weight_scaling_per_output_type=kind,
    )
    conv.weight.data.copy_(latent)
    value, eta, zero_point, _ = conv.weight_quant.tensor_quant(conv.weight)
    assert torch.equal(value, ((latent > 0).float() - zero_point) * eta)
    assert len(eta.unique()) == (6 if per_channel else 1)
