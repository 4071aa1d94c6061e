"""A linear layer of n stacked models as one batched product.

vmap's own rule copies each gradient of a weight transposed and adds the bias in a second pass; written out, a layer is
one product forward and two backward, on tensors as they lie in memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _Product(Function):
    """y_j = x_j·W_jᵀ + b_j: x (n, R, K), W (n, C, K), b (n, C) or None → (n, R, C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        if bias is None:
            return torch.bmm(x, weight.transpose(1, 2))
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            torch.bmm(g, weight) if of_x else None,
            torch.bmm(g.transpose(1, 2), x) if of_weight else None,
            g.sum(1) if of_bias else None,
        )


class _Linear(Function):
    """`torch.nn.functional.linear`, with a rule for vmap."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return nn.functional.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise AssertionError("only under vmap, which calls the rule below")

    @staticmethod
    def vmap(info: Any, dims: Any, *parts: Tensor | None) -> tuple[Tensor, int]:
        x, weight, bias = (first(info.batch_size, part, dim) for part, dim in zip(parts, dims, strict=True))
        assert x is not None
        y = _Product.apply(x.reshape(len(x), -1, x.shape[-1]), weight, bias)
        return y.view(*x.shape[:-1], y.shape[-1]), 0


def first(n: int, x: Tensor | None, dim: int | None) -> Tensor | None:
    """With the members along the first axis; what all have in common is repeated without being copied."""
    if x is None:
        return None
    return x.expand(n, *x.shape) if dim is None else x.movedim(dim, 0)


def _forward(layer: nn.Linear, x: Tensor) -> Tensor:
    y: Tensor = _Linear.apply(x, layer.weight, layer.bias)
    return y


def quicken(model: nn.Module) -> None:
    """Let the model's trained linear layers, from now on called under vmap only, be batched products."""
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.requires_grad:
            layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
