"""What the zeros of convolutions save: kernels with no and with one 1, BOPs PR, BParams PR.

Definitions of Schiavone, Galati, Zuluaga (ECML PKDD 2023), section 4. A kernel is the k x k weights
between one input and one output channel.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

TELL_APART_BITS = 2  # per kernel: no 1, one 1, or the rest


@dataclass(frozen=True)
class KernelCounts:
    """The kernels of one convolution, or of several together.

    Attributes:
        kernels: input channels x output channels.
        none: kernels with no 1.
        single: kernels with exactly one 1.
        weight_bits: k*k bits for every kernel, what a dense binary layer stores.
        kept_bits: 2 bits a kernel, and where its 1 is or all of its weights.
        operations: binary operations of the dense layer on one image: weights x positions.
        cpu_operations: what is left where kernels without a 1 cost nothing and those with one 1 cost
            one operation a position, as on a CPU.
        fpga_operations: what is left where every 0 costs nothing, as in wired hardware.
    """

    kernels: int = 0
    none: int = 0
    single: int = 0
    weight_bits: int = 0
    kept_bits: int = 0
    operations: int = 0
    cpu_operations: int = 0
    fpga_operations: int = 0

    def __add__(self, other: "KernelCounts") -> "KernelCounts":
        """Return the counts of both together."""
        mine, theirs = vars(self), vars(other)
        return KernelCounts(**{key: mine[key] + theirs[key] for key in mine})

    def shares(self) -> dict[str, float]:
        """Return K_0 and K_1 (shares of kernels), and the PRs: the share that is saved."""
        figures = {
            "k0": self.none / self.kernels,
            "k1": self.single / self.kernels,
            "bops_pr": 1 - self.cpu_operations / self.operations,
            "bops_pr_fpga": 1 - self.fpga_operations / self.operations,
            "bparams_pr": 1 - self.kept_bits / self.weight_bits,
        }
        return {key: round(value, 6) for key, value in figures.items()}


def count_kernels(w01: ArrayLike, positions: int) -> KernelCounts:
    """Count the kernels of one convolution.

    Args:
        w01: (MH, C, k, k) bool, the connections.
        positions: output positions of one image, rows x columns.
    """
    connections = np.asarray(w01, bool)
    size = connections.shape[2] * connections.shape[3]
    ones = connections.sum((2, 3))
    kernels, none, single = ones.size, int((ones == 0).sum()), int((ones == 1).sum())
    rest = kernels - none - single
    where = math.ceil(math.log2(size))  # bits that say which weight is the 1: 4 for 3 x 3
    return KernelCounts(
        kernels=kernels,
        none=none,
        single=single,
        weight_bits=size * kernels,
        kept_bits=TELL_APART_BITS * kernels + where * single + size * rest,
        operations=size * kernels * positions,
        cpu_operations=(single + size * rest) * positions,
        fpga_operations=int(ones.sum()) * positions,
    )
