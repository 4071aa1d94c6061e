"""Self-attention over few tokens of n stacked models, element by element, on tensors as the linear layer leaves them.

A batch of tiny matrix products costs more in calls than in arithmetic, and autograd's own way back from queries, keys
and values to the layer that made them copies them thrice. Written out, each is one pass over memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from crossfade.layers.blocks import FEW, SelfAttention
from crossfade.layers.draws import dropout
from crossfade.stacked.layers import first


class _Attention(Function):
    """y_l = Σ_s a_ls·m_ls·v_s, a_l = softmax_s(q_l·k_s/√d + mask_s): qkv (R, L, 3, H, d) → (R, L, H, d).

    seen (R, S) bool, L = S; m (R, H, L, S) is dropout's factor, or None. R are all samples of all models.
    """

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, seen: Tensor, factor: Tensor | None) -> Tensor:
        q, k, v = qkv.unbind(2)
        score = (q.unsqueeze(2) * k.unsqueeze(1)).sum(-1) * qkv.shape[-1] ** -0.5  # (R, L, S, H)
        share = score.masked_fill_(~seen[:, None, :, None], -torch.inf).softmax(2)
        if factor is not None:
            factor = factor.permute(0, 2, 3, 1)
        ctx.save_for_backward(qkv, share, factor)
        kept = share if factor is None else share * factor
        y = kept[:, :, 0, :, None] * v[:, None, 0]
        for s in range(1, v.shape[1]):
            y.addcmul_(kept[:, :, s, :, None], v[:, None, s])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        qkv, share, factor = ctx.saved_tensors
        q, k, v = qkv.unbind(2)
        found = torch.empty_like(qkv)
        of_q, of_k, of_v = found.unbind(2)
        kept = share if factor is None else share * factor
        of_share = (g.unsqueeze(2) * v.unsqueeze(1)).sum(-1)
        if factor is not None:
            of_share = of_share * factor
        of_score = share * (of_share - (of_share * share).sum(2, keepdim=True)) * qkv.shape[-1] ** -0.5
        for i in range(q.shape[1]):
            # place i as a query, as a key, as a value
            torch.mul(of_score[:, i, 0, :, None], k[:, 0], out=of_q[:, i])
            torch.mul(of_score[:, 0, i, :, None], q[:, 0], out=of_k[:, i])
            torch.mul(kept[:, 0, i, :, None], g[:, 0], out=of_v[:, i])
            for j in range(1, q.shape[1]):
                of_q[:, i].addcmul_(of_score[:, i, j, :, None], k[:, j])
                of_k[:, i].addcmul_(of_score[:, j, i, :, None], q[:, j])
                of_v[:, i].addcmul_(kept[:, j, i, :, None], g[:, j])
        return found, None, None


class _Mapped(Function):
    """`_Attention`, with a rule for vmap."""

    @staticmethod
    def forward(qkv: Tensor, seen: Tensor, factor: Tensor | None) -> Tensor:
        raise AssertionError("only under vmap, which calls the rule below")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise AssertionError("only under vmap, which calls the rule below")

    @staticmethod
    def vmap(info: Any, dims: Any, *parts: Tensor | None) -> tuple[Tensor, int]:
        every = [first(info.batch_size, part, dim) for part, dim in zip(parts, dims, strict=True)]
        y = _Attention.apply(*(None if part is None else part.flatten(0, 1) for part in every))
        return y.unflatten(0, (info.batch_size, -1)), 0


def _forward(layer: SelfAttention, x: Tensor, mask: Tensor) -> Tensor:
    if layer.rotary or x.shape[1] > FEW:
        return SelfAttention.forward(layer, x, mask)
    qkv = layer.qkv(x).unflatten(-1, (3, layer.heads, -1))
    factor = None
    if layer.training and layer.dropout != 0.0:
        factor = dropout(x.new_ones(len(x), layer.heads, x.shape[1], x.shape[1]), layer.dropout, True)
    y: Tensor = _Mapped.apply(qkv, mask, factor)
    return layer.out(y.flatten(-2))


def quicken(model: nn.Module) -> None:
    """Let the model's trained self-attentions, from now on called under vmap only, be computed so."""
    for layer in model.modules():
        if type(layer) is SelfAttention and layer.qkv.weight.requires_grad:
            layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
