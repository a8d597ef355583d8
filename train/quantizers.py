"""Brevitas weight quantizer for the general binary domain: w = (w01 + xi) * eta, w01 in {0, 1}.

Equation numbers are those of Schiavone, Galati, Zuluaga, "Binary domain generalization for
sparsifying binary neural networks", ECML PKDD 2023. With tau > 0 and phi
per layer or per output channel,

    w = tau * sign(latent) + phi,    eta = 2 * tau,    xi = (phi - tau) / (2 * tau)       (Eq. 4, 5)

xi is rounded to the grid k / 2**xi_frac in the forward pass (its gradient passes straight through),
so the integer network that hardware runs is the network that was trained.
"""

from typing import Any

import torch
from brevitas.core.function_wrapper import Identity
from brevitas.inject import value
from brevitas.inject.enum import ScalingPerOutputType
from brevitas.proxy import WeightQuantProxyFromInjector
from brevitas.quant.binary import SignedBinaryActPerTensorConst
from brevitas.quant.solver.weight import WeightQuantSolver
from torch import Tensor, nn
from torch.nn import Parameter

from sbnn.train.config import DOMAINS, TrainError

MIN_TAU = 0.05  # tau -> 0 would let xi run away; the published start is tau = 1


class _Step(torch.autograd.Function):
    """w01 = [latent > 0] with identity gradient, or IR-Net's error decay k*t*(1 - tanh(t*w)**2)."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, decay: tuple[float, float] | None) -> Tensor:
        ctx.decay = decay
        if decay is not None:
            ctx.save_for_backward(latent)
        return (latent > 0).to(latent.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        if ctx.decay is None:
            return grads[0], None
        (latent,) = ctx.saved_tensors
        return _decayed(grads[0], latent, ctx.decay), None


class _RailDifference(torch.autograd.Function):
    """w01 of the rail x less w01 of the rail -x, -1, 0 or 1 in half the columns; gradients as _Step."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, decay: tuple[float, float] | None) -> Tensor:
        ctx.decay = decay
        if decay is not None:
            ctx.save_for_backward(latent)
        rail, inverted = (latent > 0).chunk(2, dim=1)
        return rail.to(latent.dtype).sub_(inverted.to(latent.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        both = torch.cat([grads[0], -grads[0]], dim=1)
        if ctx.decay is None:
            return both, None
        (latent,) = ctx.saved_tensors
        return _decayed(both, latent, ctx.decay), None


def _decayed(gradient: Tensor, latent: Tensor, decay: tuple[float, float]) -> Tensor:
    k, t = decay
    return gradient * k * t * (1 - torch.tanh(latent * t) ** 2)


def error_decay(progress: float) -> tuple[float, float]:
    """Return IR-Net's (k, t) at `progress` in 0..1: t grows from 0.1 to 10, k = max(1 / t, 1)."""
    t = 10 ** (-1 + 2 * progress)
    return max(1 / t, 1.0), t


def domain_levels(tau: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
    """Return (eta, xi) of the levels phi - tau and phi + tau (Eq. 4 and 5)."""
    return 2 * tau, (phi - tau) / (2 * tau)


def closed_form(latent: Tensor, per_channel: bool = False) -> tuple[Tensor, Tensor]:
    """Return (tau, phi) that minimise the norm of latent - (tau * sign(latent) + phi) (Eq. 15).

    Args:
        latent: (MH, MW) or (MH, C, k, k) float, the real weights.
        per_channel: one pair per row, shapes (MH, 1) or (MH, 1, 1, 1), instead of one pair, shapes ().
    """
    dims = tuple(range(1 if per_channel else 0, latent.dim()))
    count = latent.numel() // (latent.shape[0] if per_channel else 1)
    share = (latent > 0).to(latent.dtype).mean(dims, keepdim=per_channel)  # p
    size = latent.abs().sum(dims, keepdim=per_channel)
    total = latent.sum(dims, keepdim=per_channel)
    slant = 2 * share - 1
    # Rows that are all zeros or all ones leave the pair undetermined; the clamp then gives tau = 0.
    scale = (count * (1 - slant**2)).clamp_min(1e-12)
    return (size - slant * total) / scale, (total - slant * size) / scale


def snap(xi: Tensor, xi_frac: int) -> Tensor:
    """Round xi to the grid k / 2**xi_frac; the gradient passes straight through."""
    grid = float(1 << xi_frac)
    return xi + (torch.round(xi * grid) / grid - xi).detach()


class _ViewOnly(nn.Module):
    """The one attribute of an integer quantizer that Brevitas' weight proxy asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.input_view_impl = Identity()


class SparseBinaryTensorQuant(nn.Module):
    """Map latent weights to ((w01 + xi) * eta, eta, -xi, 1): Brevitas' tensor_quant contract.

    Args:
        level_shape: () for one (xi, eta) per layer, (MH, 1) or (MH, 1, 1, 1) for one per output channel.
        domain: "fixed" (xi and eta below), "learned" (tau, phi are parameters, start 1 and 0) or
            "closed-form" (tau, phi from the latent weights at every step, Eq. 15).
        fixed_xi: xi of the fixed domain; 0 gives {0, eta}, -1/2 gives {-eta/2, +eta/2}.
        fixed_eta: eta of the fixed domain.
        xi_frac: F, xi lies on the grid k / 2**F.
        unit_eta: report and use eta = 1 whatever tau is (the last layer, whose scale is elsewhere).
    """

    fixed_xi: Tensor
    fixed_eta: Tensor
    bit_width: Tensor

    def __init__(
        self,
        level_shape: tuple[int, ...] = (),
        domain: str = "fixed",
        fixed_xi: float = 0.0,
        fixed_eta: float = 1.0,
        xi_frac: int = 0,
        unit_eta: bool = False,
    ) -> None:
        super().__init__()
        if domain not in DOMAINS:
            raise TrainError(f"weight domain {domain!r}: needs one of {', '.join(DOMAINS)}")
        if domain == "fixed" and fixed_xi * (1 << xi_frac) % 1:
            raise TrainError(f"xi = {fixed_xi} is not a multiple of 1/{1 << xi_frac}")
        self.int_quant = _ViewOnly()
        self.domain, self.xi_frac, self.unit_eta = domain, xi_frac, unit_eta
        self.per_channel = bool(level_shape)
        self.decay: tuple[float, float] | None = None
        self.observer_only = False
        if domain == "learned":
            self.tau = Parameter(torch.ones(level_shape))
            self.phi = Parameter(torch.zeros(level_shape))
        self.register_buffer("fixed_xi", torch.full(level_shape, float(fixed_xi)))
        self.register_buffer("fixed_eta", torch.full(level_shape, float(fixed_eta)))
        self.register_buffer("bit_width", torch.tensor(1.0), persistent=False)

    def levels(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return (eta, xi), each of `level_shape`, xi on its grid."""
        if self.domain == "fixed":
            return self.fixed_eta, self.fixed_xi
        if self.domain == "learned":
            tau: Tensor = self.tau.abs().clamp_min(MIN_TAU)
            phi: Tensor = self.phi
        else:
            tau, phi = closed_form(latent.detach(), self.per_channel)
            tau = tau.clamp_min(1e-6)
        eta, xi = domain_levels(tau, phi)
        return (torch.ones_like(eta) if self.unit_eta else eta), snap(xi, self.xi_frac)

    def freeze(self, eta: Tensor, xi: Tensor) -> None:
        """Make the domain fixed at these values (shapes as `levels` returns them)."""
        self.domain = "fixed"
        self.fixed_eta = eta.detach().clone()
        self.fixed_xi = xi.detach().clone()

    def w01(self, latent: Tensor) -> Tensor:
        """Return the connections, 0.0 and 1.0 in the shape of `latent`."""
        ones: Tensor = _Step.apply(latent, self.decay)  # type: ignore[no-untyped-call]
        return ones

    def rail_difference(self, latent: Tensor) -> Tensor:
        """Return the weights of x less those of -x, for latent weights of both rails side by side.

        (MH, 2C) gives (MH, C), (MH, 2C, k, k) gives (MH, C, k, k); x times this is what both rails sum
        to, in half the products, for xi cancels.
        """
        difference: Tensor = _RailDifference.apply(latent, self.decay)  # type: ignore[no-untyped-call]
        return difference if self.unit_eta else difference * self.levels(latent)[0]

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantize (MH, MW) or (MH, C, k, k) latent weights; see the class."""
        eta, xi = self.levels(latent)
        return (self.w01(latent) + xi) * eta, eta, -xi, self.bit_width


class SparseBinaryWeightProxy(WeightQuantProxyFromInjector):  # type: ignore[misc]
    """Weight proxy of its own type: Brevitas finds export handlers by exact type."""


class SparseBinaryWeight(WeightQuantSolver):  # type: ignore[misc]
    """Brevitas quantizer; a layer takes its constants as `weight_domain=...`, `weight_xi_frac=...`.

    See `SparseBinaryTensorQuant` for the constants. `weight_scaling_per_output_type` CHANNEL gives
    one (xi, eta) per output channel.
    """

    proxy_class = SparseBinaryWeightProxy
    tensor_quant = SparseBinaryTensorQuant
    signed = False
    narrow_range = False
    bit_width = 1
    quant_type = None
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    domain = "fixed"
    fixed_xi = 0.0
    fixed_eta = 1.0
    xi_frac = 0
    unit_eta = False

    @value  # type: ignore[untyped-decorator]
    def level_shape(
        scaling_per_output_type: Any,  # noqa: N805  (Brevitas calls it with injected values)
        scaling_per_output_channel_shape: Any,
    ) -> Any:
        """Return (), (MH, 1) or (MH, 1, 1, 1)."""
        if scaling_per_output_type == ScalingPerOutputType.TENSOR:
            return ()
        return scaling_per_output_channel_shape


class _Sign(torch.autograd.Function):
    """-1 or +1 (+1 at 0) with the gradient 2 - 2|x| inside -1..1 (Bi-Real Net's polynomial)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        sign: Tensor = (x >= 0).to(x.dtype)
        return sign.mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = (2 - 2 * x.abs()).clamp_min(0)
        return grads[0] * slope


class SignTensorQuant(nn.Module):
    """Brevitas' tensor_quant contract for a -1/+1 activation of scale 1."""

    one: Tensor
    zero: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("one", torch.tensor(1.0), persistent=False)
        self.register_buffer("zero", torch.tensor(0.0), persistent=False)
        self.observer_only = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return (sign of x, scale 1, zero point 0, bit width 1)."""
        sign: Tensor = _Sign.apply(x)  # type: ignore[no-untyped-call]
        return sign, self.one, self.zero, self.one


class SignActivation(SignedBinaryActPerTensorConst):  # type: ignore[misc]
    """-1/+1 activation, exported as BipolarQuant; its gradient is why Brevitas' own is not used.

    The polynomial took 25 epochs of sbnn95 from 97.76 to 98.08 % on held-out images.
    """

    scaling_init = 1.0
    tensor_quant = SignTensorQuant
