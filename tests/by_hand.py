"""Strategies written a second time, in NumPy float64, sample by sample: what their tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import erf

import tiny

MODALITIES = ("camera", "note", "table")
B, M, K, D = 7, 3, 2, 8
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
Tokens = tuple[np.ndarray, np.ndarray]


def tokens_and_mask() -> Tokens:
    """Tokens (7, 3, 2, 8), one sample per presence pattern; zeros where masked, as FusionModel gives them."""
    mask = tiny.patterns(M).unsqueeze(-1).expand(B, M, K).numpy()
    values = np.random.default_rng(0).normal(size=(B, M, K, D)).round(2)
    return np.where(mask[..., None], values, 0.0), mask


def ragged_tokens_and_mask() -> Tokens:
    """The same, but the second token of the first modality present exists nowhere, as of a short series."""
    values, mask = tokens_and_mask()
    mask = mask.copy()
    for b in range(B):
        mask[b, np.argmax(mask[b, :, 0]), 1] = False
    return np.where(mask[..., None], values, 0.0), mask


def strategy(name: str, width: int = D, tokens: int = K, **fields: Any) -> Any:
    """A strategy of the three modalities, in evaluation mode."""
    torch.manual_seed(0)
    made = tiny.made(tiny.part("fusion", name, **fields), modalities=MODALITIES, width=width, tokens=tokens)
    return made.eval()


def shaken(name: str, **fields: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """The strategy with no parameter at its neutral first value, and its parameters in float64."""
    made = strategy(name, **fields)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return made, {n: p.detach().double().numpy() for n, p in made.named_parameters()}


def fused(made: Any, x: Tokens) -> Any:
    with torch.no_grad():
        return made(torch.tensor(x[0], dtype=torch.float32), torch.tensor(x[1]))


def check(out: Any, expected: np.ndarray) -> None:
    """One branch with these tokens (7, K, 8), masked and zero where no modality has the position."""
    assert torch.equal(out.weight, torch.ones(B, 1))
    some = np.isfinite(expected).all(-1)
    assert np.array_equal(out.mask.squeeze(1).numpy(), some)
    np.testing.assert_allclose(out.tokens.squeeze(1).numpy(), np.where(some[..., None], expected, 0.0), **CLOSE)


def each_position(x: Tokens, of: Callable[[int, int, list[int]], np.ndarray]) -> np.ndarray:
    """`of(sample, position, modalities that have it)` for all; NaN where none has it."""
    out = np.full((B, K, D), np.nan)
    for b in range(B):
        for k in range(K):
            here = [m for m in range(M) if x[1][b, m, k]]
            if here:
                out[b, k] = of(b, k, here)
    return out


def pooled(x: Tokens, b: int, m: int) -> np.ndarray:
    """The mean of a modality's tokens; zeros where it is absent."""
    return x[0][b, m, x[1][b, m]].mean(0) if x[1][b, m].any() else np.zeros(D)


def others(x: Tokens, b: int, m: int) -> np.ndarray:
    """The mean of the others' means; zeros where there are none."""
    found = [pooled(x, b, j) for j in range(M) if j != m and x[1][b, j].any()]
    return np.mean(found, 0) if found else np.zeros(D)


def joined(x: Tokens, b: int, k: int, absent: np.ndarray) -> np.ndarray:
    """[x_1; …; x_M] with a_m (M, 1, D) for an absent token."""
    return np.concatenate([x[0][b, m, k] if x[1][b, m, k] else absent[m, 0] for m in range(M)])


def softmax(score: Any) -> np.ndarray:
    """Over the first axis."""
    share = np.exp(np.asarray(score))
    return share / share.sum(0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def normal(x: np.ndarray, gain: Any = 1.0, shift: Any = 0.0) -> np.ndarray:
    """Layer norm of (L, D)."""
    scaled = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return scaled * gain + shift


def heads_by_hand(q: np.ndarray, k: np.ndarray, v: np.ndarray, seen: np.ndarray, heads: int) -> np.ndarray:
    """Multi-head attention, head by head: q (L, D), k and v (S, D), seen (S) or (L, S) → (L, D)."""
    size = q.shape[1] // heads
    parts = []
    for h in range(heads):
        of = slice(h * size, (h + 1) * size)
        share = np.where(seen, np.exp(q[:, of] @ k[:, of].T / np.sqrt(size)), 0.0)
        parts.append(share / share.sum(1, keepdims=True) @ v[:, of])
    return np.concatenate(parts, 1)


def attention_by_hand(y: np.ndarray, seen: np.ndarray, p: dict[str, np.ndarray], name: str, heads: int) -> np.ndarray:
    """SelfAttention of one sample's (L, D) with the parameters called `name`."""
    q, k, v = np.split(y @ p[f"{name}.qkv.weight"].T + p[f"{name}.qkv.bias"], 3, axis=1)
    return heads_by_hand(q, k, v, seen, heads) @ p[f"{name}.out.weight"].T + p[f"{name}.out.bias"]


def block_by_hand(y: np.ndarray, seen: np.ndarray, p: dict[str, np.ndarray], name: str, heads: int) -> np.ndarray:
    """A pre-norm Transformer block of one sample's (L, D)."""
    first, second = (normal_of(p, f"{name}.norm{i}") for i in (1, 2))
    y = y + attention_by_hand(first(y), seen, p, f"{name}.attention", heads)
    inner = gelu(second(y) @ p[f"{name}.mlp.inner.weight"].T + p[f"{name}.mlp.inner.bias"])
    return y + inner @ p[f"{name}.mlp.outer.weight"].T + p[f"{name}.mlp.outer.bias"]


def normal_of(p: dict[str, np.ndarray], name: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda y: normal(y, p[f"{name}.weight"], p[f"{name}.bias"])
