"""Exact top-k, densities per layer, and the paper's penalty."""

import dataclasses

import pytest
import torch

from sbnn.train.config import Sparsity, TrainError, load_config
from sbnn.train.sparsity import allocate, centre_rows, centre_top_k, penalty, penalty_factor


def with_sparsity(name="sbnn95", **changes):
    config = load_config(name)
    return dataclasses.replace(config, sparsity=Sparsity(**changes))


def test_allocation_keeps_total_ratio_and_cap():
    config = with_sparsity(density=0.05, ratio=(0.5, 1.0, 1.0, 9.0))
    ones = allocate(config)
    sizes = [784 * 256, 256 * 256, 256 * 256, 256 * 10]
    assert sum(ones) <= 0.05 * sum(sizes) < sum(ones) + 4
    assert ones[3] == 1280  # capped at one half
    assert ones[0] / sizes[0] == pytest.approx(0.5 * ones[1] / sizes[1], rel=1e-3)


def test_allocation_of_two_rails_counts_one():
    assert sum(allocate(load_config("sbnn95-dual"))) <= 0.05 * 334_336


def test_density_above_the_cap_is_refused():
    with pytest.raises(TrainError, match=r"density 0\.6 is above the cap 0\.5"):
        allocate(with_sparsity(density=0.6))


@pytest.mark.parametrize("ones", [1, 7, 299, 300])
def test_top_k_is_exact(ones):
    latent = torch.randn(15, 20, generator=torch.Generator().manual_seed(ones))
    order = latent.reshape(-1).argsort(descending=True)[:ones]
    centre_top_k(latent, ones)
    assert int((latent > 0).sum()) == ones
    assert (latent.reshape(-1)[order] > 0).all()  # and they are the largest


def test_top_k_is_exact_where_clamping_made_ties():
    latent = torch.full((10, 10), 1.5)
    latent[0, :3] = -1.5
    centre_top_k(latent, 20)
    assert int((latent > 0).sum()) == 20
    assert not (latent[0, :3] > 0).any()


def test_penalty_is_eq_16_to_18():
    latent = torch.ones(10, 10, requires_grad=True)
    excess = penalty([latent], 0.05, 100)
    assert float(excess) == pytest.approx(0.95)
    excess.backward()
    assert latent.grad.unique().tolist() == pytest.approx([0.01])
    loss = torch.tensor(2.0, requires_grad=True)
    factor = penalty_factor(loss, excess, 0.25)
    assert not factor.requires_grad
    share = float(factor * excess / (loss + factor * excess))
    assert share == pytest.approx(0.25)  # gamma of the total
    assert float(penalty([torch.zeros(10, 10)], 0.05, 100)) == 0
    assert float(penalty_factor(loss, torch.tensor(1e-4), 0.25)) == 0


@pytest.mark.parametrize("fan_in", [1, 6, 19, 20])
def test_rows_have_their_largest_entries_exactly(fan_in):
    latent = torch.randn(15, 4, 5, generator=torch.Generator().manual_seed(fan_in))
    wanted = torch.zeros(15, 20).scatter_(1, latent.view(15, 20).topk(fan_in, 1).indices, 1.0)
    centre_rows(latent, fan_in)
    assert torch.equal((latent.view(15, 20) > 0).float(), wanted)
    before = latent.clone()
    centre_rows(latent, fan_in)  # of what it made it makes the same again
    assert torch.equal(latent > 0, before > 0)


def test_rows_are_exact_where_clamping_made_ties():
    latent = torch.full((3, 10), 1.5)
    latent[0, :3] = -1.5
    latent[2, 4:] = -1.5
    centre_rows(latent, 5)
    assert (latent > 0).sum(1).tolist() == [5, 5, 5]
    assert not (latent[0, :3] > 0).any()
    assert (latent[2, :4] > 0).all()


def test_a_row_with_its_ones_keeps_them_through_the_smallest_steps():
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(50, 200, generator=generator)
    centre_rows(latent, 6)
    settled = latent > 0
    latent += 1e-6 * torch.randn(50, 200, generator=generator)
    assert torch.equal(latent > 0, settled)


def test_fan_in_decides_the_ones_and_takes_density_out():
    config = with_sparsity(fan_in=(6, 9, 12, 100), density=0.9)
    assert allocate(config) == (256 * 6, 256 * 9, 256 * 12, 1000)
