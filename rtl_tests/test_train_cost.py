"""The formula that training searches against: by hand, and against the rows that hardware is made of."""

import dataclasses

import pytest
import torch
from networks import tracked_network

from sbnn.hls.rows import resolve
from sbnn.train.config import Input, Sparsity, load_config
from sbnn.train.cost import cost
from sbnn.train.finalise import finalise
from sbnn.train.model import build
from sbnn.train.trained import load_trained


@pytest.mark.parametrize("model", ["digits", "digits-xi", "digits-conv"])
def test_counts_what_hardware_counts(model):
    found = cost(load_trained(model)[1])
    layers = [rows for rows in resolve(tracked_network(model)) if not rows.layer.pool]
    assert [layer.literals for layer in found.layers] == [rows.literals for rows in layers]
    counts = [sum(1 for row in rows.rows if row and row.literals) for rows in layers]
    assert [layer.neurons for layer in found.layers] == counts


def small(rails=1, fan_in=(7, 3), edge=0.0):
    """A module 12 - 8 - 10 with given thresholds of the hidden sums."""
    torch.manual_seed(0)
    config = dataclasses.replace(
        load_config("digits"),
        input=Input("digits", (3, 4), 8),
        hidden=(8,),
        rails=rails,
        sparsity=Sparsity(fan_in=fan_in),
    )
    module = build(config).eval()
    for layer, ones in zip(module.weighted(), fan_in, strict=True):
        layer.weight.data.fill_(-1)
        for row in layer.weight.data:
            row[torch.randperm(layer.in_features // rails)[:ones]] = 1
    module.batchnorms()[0].running_mean.fill_(edge)
    return module


def test_a_neuron_is_its_full_adders_and_one_table():
    module = small()
    module.weighted()[1].weight.data[:] = -1
    module.weighted()[1].weight.data[:, [2, 5, 6]] = 1  # three of eight neurons are read
    finalise(module)
    found = cost(module)
    assert [layer.neurons for layer in found.layers] == [3, 10]
    assert [layer.literals for layer in found.layers] == [21, 30]
    assert found.layers[0].luts == 3 * (7 - 5)
    assert found.layers[1].luts == 10 * (3 + 2)  # three full adders and two bits
    assert found.luts == found.around + 6 + 50
    module.weighted()[0].weight.data[2, :7] = -1
    module.weighted()[0].weight.data[2, 8] = 1
    assert cost(module).layers[0].luts < 6


def test_constants_cost_nothing_and_leave_the_next_layer():
    module = small(edge=9.5)  # seven inputs of -1 and +1 never sum to 9
    finalise(module)
    found = cost(module)
    assert [layer.luts for layer in found.layers] == [0, 10]  # ten scores of one bit
    assert [layer.literals for layer in found.layers] == [0, 0]


def test_both_rails_of_one_input_cancel():
    module = small(rails=2)
    module.weighted()[1].weight.data[:, 0] = 1  # read the first neuron
    before = cost(module).layers[0]
    weight = module.weighted()[0].weight.data
    weight[0, 12:] = weight[0, :12]  # x and -x of every input it has
    after = cost(module).layers[0]
    assert after.literals == before.literals - 7
    assert after.neurons == before.neurons - 1


def test_a_learned_xi_pays_the_shared_count_and_an_addition():
    plain, learned = small(), small()
    for quantizer in learned.quantizers()[:1]:
        quantizer.xi_frac = 2
        quantizer.freeze(torch.tensor(1.0), torch.tensor(0.25))
    finalise(plain)
    finalise(learned)
    neurons = cost(plain).layers[0].neurons
    extra = cost(learned).layers[0].luts - cost(plain).layers[0].luts
    assert extra == 12 - 4 + round(6.5 * neurons)
