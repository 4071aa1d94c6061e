"""Perturbations of float inputs that make the loss larger, within a box around each sample.

x are the inputs by modality, (B, …) each; `radius` like x is the box's half width at each entry, 0 where nothing may
move. `loss` must be a sum or mean over samples whose terms depend on that sample alone: the sign of its gradient at a
sample is then that of the sample's own loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from crossfade.data.scale import Scale, values_there

Inputs = Mapping[str, Tensor]
Loss = Callable[[Inputs], Tensor]
STRIDE = 2.5  # of a PGD step, in radii divided by the number of steps


def radius_of(x: Tensor, here: Tensor, scale: Scale, epsilon: float) -> Tensor:
    """ε·sd of the entry's feature, like x: 0 where it is missing or padding, or `here` (B,) says absent."""
    there = values_there(scale.spec.kind, x) & here.view(-1, *[1] * (x.ndim - 1))
    return torch.where(there, (epsilon * scale.sd).to(x), 0.0)


def fgsm(loss: Loss, x: Inputs, radius: Inputs, scales: Mapping[str, Scale]) -> dict[str, Tensor]:
    """x + r·sign(∇_x L): Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572, section 4 (their η)."""
    slope = gradient(loss, x)
    return {
        name: within(x[name] + radius[name] * slope[name].sign(), x[name], radius[name], scales[name]) for name in x
    }


def pgd(
    loss: Loss, x: Inputs, radius: Inputs, scales: Mapping[str, Scale], steps: int, start: Inputs
) -> dict[str, Tensor]:
    """x_{t+1} = Π(x_t + 2.5/steps·r·sign(∇_x L(x_t))) from x_0 = Π(x + r·start), `start` like x in [−1, 1].

    Madry et al. 2018, arXiv:1706.06083, section 2.1, the unnumbered equation of PGD; the stride of 2.5·r/steps is
    a common choice. Π is onto the box, and onto what the modality's transform lets through.
    """
    moved = {name: within(x[name] + radius[name] * start[name], x[name], radius[name], scales[name]) for name in x}
    for _ in range(steps):
        slope = gradient(loss, moved)
        for name in x:
            step = STRIDE / steps * radius[name] * slope[name].sign()
            moved[name] = within(moved[name] + step, x[name], radius[name], scales[name])
    return moved


def gradient(loss: Loss, x: Inputs) -> dict[str, Tensor]:
    """∇_x L by modality; 0 where the loss does not look at a modality. No parameter gets a gradient."""
    leaves = {name: value.detach().requires_grad_() for name, value in x.items()}
    with torch.enable_grad():
        value = loss(leaves)
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


def within(moved: Tensor, x: Tensor, radius: Tensor, scale: Scale) -> Tensor:
    """The nearest to `moved` in the box of `radius` around x and within the scale's limits; x itself where r = 0."""
    low, high = scale.limits or (-torch.inf, torch.inf)
    inside = torch.minimum(torch.maximum(moved, (x - radius).clamp(min=low)), (x + radius).clamp(max=high))
    return torch.where(radius > 0, inside, x)
