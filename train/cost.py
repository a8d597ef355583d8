"""LUTs of a trained module on the 7-series, by the formula that training searches against.

A neuron with n literals and xi = 0 takes n - 6 full adders (one LUT6 site each, for a site makes the sum and
the carry of three shared inputs) until 6 bits are left, and one LUT6 for the threshold over them; with at
most 6 literals it is that one LUT6. A score takes its additions. What `sbnn.hls` adds (argmax, windows,
queues) is its `estimate.py` in short. Full adders and neurons that are the same twice are not seen
here, so the formula lies above what is built; a test holds the literals to the rows of `sbnn.hls`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sbnn.train.finalise import statistics
from sbnn.train.model import SparseBinaryNet
from sbnn.train.recipe import LayerShape

TABLE = 6  # inputs of a LUT6
XI_NEURON = (
    6.5  # LUTs of a neuron's addition of the shared xi term: 5 to 8 in the models with a learned xi
)
ARGMAX_BIT = 5.1  # LUTs per bit of a score, from `sbnn.hls.estimate`
PIXELS = 120  # pixels out of a 32-bit stream: shifter, counters, which images were cut short
QUEUE = 35  # counters of a queue


@dataclass(frozen=True)
class LayerCost:
    """What one layer is in hardware.

    Attributes:
        layer: its name.
        neurons: outputs that are built: read by somebody and not constant.
        literals: inputs of all their sums.
        luts: LUT6 sites.
    """

    layer: str
    neurons: int
    literals: int
    luts: int


@dataclass(frozen=True)
class Cost:
    """LUT6 sites of a core: its layers, and the streams, windows and argmax around them."""

    layers: tuple[LayerCost, ...]
    around: int

    @property
    def luts(self) -> int:
        """LUT6 sites of the whole core."""
        return self.around + sum(layer.luts for layer in self.layers)


@torch.no_grad()
def cost(module: SparseBinaryNet) -> Cost:
    """Return what a finalised module costs."""
    config = module.config
    literals = _literals(module)
    shapes, found = config.layers, []
    read = torch.ones(shapes[-1].outputs, dtype=torch.bool)
    for index in reversed(range(len(shapes))):
        built = literals[index][read]
        counts = built.sum(1)
        xi = module.quantizers()[index].levels(module.weighted()[index].weight)[1]
        luts = _neurons(counts) if index + 1 < len(shapes) else _scores(counts)
        if index == 0 and config.input.threshold is None:
            luts = 8 * int(counts.sum())  # 8-bit pixels: a full adder per bit
        counts_all = config.rails == 1 and bool((xi != 0).any())
        if counts_all:
            inputs = shapes[index].inputs
            luts += inputs - inputs.bit_length() + round(XI_NEURON * len(counts))
        found.append(
            LayerCost(shapes[index].name, int((counts > 0).sum()), int(counts.sum()), luts)
        )
        if index:
            # Whatever position reads it, a channel is built; flattened maps are channel-major.
            seen = built.any(0) | counts_all
            read = seen.view(shapes[index - 1].outputs, -1).any(1)
    width = _width(int(literals[-1].sum(1).max()))
    around = ARGMAX_BIT * width * config.input.classes + _windows(shapes)
    return Cost(tuple(found[::-1]), round(around))


def _literals(module: SparseBinaryNet) -> list[Tensor]:
    """Return what each neuron of each layer counts, (MH, inputs of one rail) bool.

    Constants are folded into the next layer.
    """
    found = []
    constant = torch.zeros(0, dtype=torch.bool)
    for layer, quantizer, batchnorm in zip(
        module.weighted(), module.quantizers(), [*module.batchnorms(), None], strict=True
    ):
        ones = (layer.weight > 0).flatten(1).cpu()
        if module.config.rails == 2:  # of x and -x together one is always on
            rail, inverted = ones.chunk(2, 1)
            ones = rail ^ inverted
        if len(constant):
            ones = ones & ~constant.repeat_interleave(ones.shape[1] // len(constant))
        if batchnorm is not None:
            eta, xi = quantizer.levels(layer.weight)
            mean = statistics(batchnorm)[0].cpu()
            constant = (mean.abs() > ones.sum(1) * eta.cpu().view(-1)) & ~(xi.cpu() != 0).any()
            ones[constant] = False
        found.append(ones)
    return found


def _neurons(counts: Tensor) -> int:
    """Return the LUT6 sites of hidden neurons with these numbers of literals."""
    return int(torch.where(counts > TABLE, counts - TABLE + 1, (counts > 0).long()).sum())


def _scores(counts: Tensor) -> int:
    """Return the LUT6 sites of scores with these numbers of literals: n full adders, one addition."""
    return sum(n + _width(n) for n in counts.tolist())


def _width(count: int) -> int:
    """Return the bits of a count, at least 1."""
    return max(1, count.bit_length())


def _windows(shapes: tuple[LayerShape, ...]) -> int:
    """Return the LUT6 sites of windows, pools and queues: row memories are LUTs too."""
    luts = PIXELS if shapes[0].convolution else 0
    for shape in shapes:
        conv = shape.convolution
        if conv is None:
            continue
        channels, _, columns = shape.seen
        luts += 20 + channels // 2 + _memory((conv.kernel - 1) * channels, columns)
        luts += QUEUE + _memory(shape.outputs, 32)
        if conv.pool > 1:
            luts += 20 + shape.outputs // 2
            luts += _memory((conv.pool - 1) * shape.outputs, shape.made[2])
            luts += QUEUE + _memory(shape.outputs, 32)
    return luts


def _memory(bits: int, words: int) -> int:
    """Return the LUTs of a memory: 4 make 6 bits of 32 words, and its banks are chosen between."""
    banks = -(-words // 32)
    return 4 * -(-bits // 6) * banks + bits * (banks - 1)
