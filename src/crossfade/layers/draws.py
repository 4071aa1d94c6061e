"""What a model draws while it trains, dropout masks and uniform numbers: of one model, or of several that are stacked.

A model alone draws from torch's generator. Where several are stacked (`crossfade.stacked`), each member draws from a
stream of its own, the very numbers in the very order that it would draw alone: what a run learns does not depend on
which other runs stand beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Rate = float | tuple[float, ...]  # of all members, or one a stream


class Streams:
    """One generator for each distinct stream; members of one seed and the same rates of dropout share one."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.generators = [torch.Generator(device) for _ in range(count)]

    def seed(self, seeds: Sequence[int]) -> None:
        """Start every stream anew."""
        for generator, seed in zip(self.generators, seeds, strict=True):
            generator.manual_seed(seed)


class _Members:
    """The members that are being computed: their streams, and each one's stream as a tensor that vmap maps over."""

    def __init__(self, streams: Streams, stream: Tensor) -> None:
        self.streams, self.stream = streams, stream

    def pick(self, drawn: list[Tensor]) -> Tensor:
        """Each member's own draw; where there is one stream, all have the same and nothing is copied."""
        return drawn[0] if len(drawn) == 1 else torch.stack(drawn).index_select(0, self.stream.view(1)).squeeze(0)


_members: _Members | None = None


@contextlib.contextmanager
def members(streams: Streams, stream: Tensor) -> Iterator[None]:
    """Inside vmap: draw for each member from its stream; `stream` is the mapped number of it."""
    global _members
    _members = _Members(streams, stream)
    try:
        yield
    finally:
        _members = None


def stacked() -> bool:
    """Whether the model that is running is one of several under vmap."""
    return _members is not None


def dropout(x: Tensor, rate: Rate, training: bool) -> Tensor:
    """x ⊙ m / (1 − p), m ~ Bernoulli(1 − p) in training; else x. Srivastava et al. 2014, JMLR 15, section 4."""
    if not training or rate == 0.0:
        return x
    if _members is None:
        assert isinstance(rate, float | int)
        return functional.dropout(x, rate, True)
    generators = _members.streams.generators
    rates = rate if isinstance(rate, tuple) else (rate,) * len(generators)
    drawn = [_kept(x, p, generator) for p, generator in zip(rates, generators, strict=True)]
    return x * _members.pick(drawn)


def _kept(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    kept = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    return kept.bernoulli_(1 - rate, generator=generator).div_(1 - rate) if rate else kept.fill_(1.0)


def uniform(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers in [0, 1) of this tensor's shape, and its type unless another is given."""
    dtype = dtype or like.dtype
    if _members is None:
        return torch.rand(like.shape, dtype=dtype, device=like.device)
    drawn = [
        torch.rand(like.shape, dtype=dtype, device=like.device, generator=generator)
        for generator in _members.streams.generators
    ]
    return _members.pick(drawn)


class Dropout(nn.Module):
    """`dropout` as a layer."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)
