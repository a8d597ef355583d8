"""K_0, K_1, BOPs PR and BParams PR: by hand on small kernels, and against the paper's Table 3."""

import pytest
import torch

from sbnn.train.kernels import KernelCounts, count_kernels
from sbnn.train.metrics import kernel_figures, layer_figures
from sbnn.train.trained import load_trained


def kernels(*ones):
    """One output channel whose 3 x 3 kernels have these numbers of ones."""
    w01 = torch.zeros(1, len(ones), 9, dtype=torch.bool)
    for index, count in enumerate(ones):
        w01[0, index, :count] = True
    return w01.view(1, len(ones), 3, 3)


def test_by_hand():
    counts = count_kernels(kernels(0, 0, 1, 4), positions=10)
    assert counts == KernelCounts(
        kernels=4,
        none=2,
        single=1,
        weight_bits=36,
        kept_bits=4 * 2 + 4 + 9,
        operations=360,
        cpu_operations=(1 + 9) * 10,
        fpga_operations=(1 + 4) * 10,
    )
    assert counts.shares() == {
        "k0": 0.5,
        "k1": 0.25,
        "bops_pr": round(1 - 100 / 360, 6),
        "bops_pr_fpga": round(1 - 50 / 360, 6),
        "bparams_pr": round(1 - 21 / 36, 6),
    }


@pytest.mark.parametrize(("none", "single", "saved"), [(0.729, 0.166, 0.599)])
def test_bparams_pr_of_table_3(none, single, saved):
    rest = 1000 - round(1000 * none) - round(1000 * single)
    ones = [0] * round(1000 * none) + [1] * round(1000 * single) + [5] * rest
    assert count_kernels(kernels(*ones), 1).shares()["bparams_pr"] == pytest.approx(saved, abs=6e-4)


def test_one_by_one_kernels_need_no_place():
    counts = count_kernels(torch.ones(2, 3, 1, 1, dtype=torch.bool), 4)
    assert (counts.single, counts.kept_bits, counts.weight_bits) == (6, 12, 6)


def test_positions_weigh_the_layers():
    many, few = count_kernels(kernels(9), 100), count_kernels(kernels(0), 1)
    assert (many + few).shares()["bops_pr"] == round(1 - 900 / 909, 6)
    assert (many + few).shares()["k0"] == 0.5


def test_figures_of_a_trained_model():
    _, module = load_trained("digits-conv")
    first, second, *connected = layer_figures(module)
    w01 = module.weighted()[1].weight > 0
    assert second["kernels"]["k1"] == pytest.approx(
        float((w01.sum((2, 3)) == 1).float().mean()), abs=1e-6
    )
    assert (first["output_map"], second["output_map"]) == ([16, 8, 8], [32, 2, 2])
    assert not any("kernels" in entry for entry in connected)
    ones = 64 * first["ones"] + 4 * second["ones"]
    total = 64 * first["weights"] + 4 * second["weights"]
    assert kernel_figures(module)["bops_pr_fpga"] == round(1 - ones / total, 6)
    assert kernel_figures(load_trained("digits")[1]) == {}
