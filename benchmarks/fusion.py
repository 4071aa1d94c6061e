"""What a fusion costs: forward and backward of every strategy in conf/fusion against the mean, the cheapest.

The fusion alone, no encoder, core or head. At each size all strategies take turns in one process, the mean right
before each; a figure is the median over the turns of the ratio of the two times. They are processor seconds of one
thread, which a busy machine spoils less than the clock's. The presence patterns of a batch differ.

    python benchmarks/fusion.py [--modalities 2 3 5] [--tokens 1 8 64] [--width 128] [--batch 16] [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from crossfade.allowed import find_class
from crossfade.fusion.base import Fusion
from crossfade.registry import groups, read_option

CHEAPEST = "mean"


def build(name: str, modalities: int, width: int, tokens: int) -> Fusion:
    """The strategy with its YAML's fields; α learned where it has one."""
    option = read_option("fusion", name)
    fields = {key: "learned" if value == "${alpha}" else value for key, value in option.items() if key != "_target_"}
    names = tuple(f"m{i}" for i in range(modalities))
    return find_class(option["_target_"])(names, width, tokens, **fields).train()


def batch(samples: int, modalities: int, width: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Tokens (B, M, K, D), zeros where masked, and their mask; every presence pattern in turn."""
    pattern = torch.arange(samples) % (2**modalities - 1) + 1
    present = (pattern[:, None] >> torch.arange(modalities)) & 1 == 1
    mask = present.unsqueeze(-1).expand(-1, -1, tokens)
    x = torch.nn.functional.layer_norm(torch.randn(samples, modalities, tokens, width), (width,))
    return x.masked_fill(~mask.unsqueeze(-1), 0.0).requires_grad_(), mask


def step(fusion: Fusion, x: Tensor, mask: Tensor) -> Callable[[], float]:
    """One forward and backward; returns its processor seconds."""

    def run() -> float:
        x.grad = None
        fusion.zero_grad()
        started = time.process_time()
        fused = fusion(x, mask)
        # as a loss would, through all that the strategy gives: tokens, and weights of decisions where they are learned
        total = fused.tokens.square().mean() + fused.weight.square().sum()
        total.backward()
        return time.process_time() - started

    return run


def measure(names: list[str], repeats: int, shape: tuple[int, int, int, int]) -> dict[str, tuple[float, float]]:
    """Of each strategy the median seconds and the median ratio to the mean's, which is timed right before it."""
    samples, modalities, width, tokens = shape
    torch.manual_seed(0)
    x, mask = batch(samples, modalities, width, tokens)
    cheapest = step(build(CHEAPEST, modalities, width, tokens), x, mask)
    steps = {name: step(build(name, modalities, width, tokens), x, mask) for name in names}
    for run in steps.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, run in steps.items():
            least = min(cheapest() for _ in range(3))  # the first finds the caches as the last strategy left them
            seconds[name].append(run())
            ratios[name].append(seconds[name][-1] / least)
    return {name: (float(np.median(seconds[name])), float(np.median(ratios[name]))) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modalities", nargs="+", type=int, default=[2, 3, 5])
    parser.add_argument("--tokens", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7, help="turns of every strategy")
    parser.add_argument("--strategies", nargs="+", choices=groups()["fusion"], default=groups()["fusion"])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    names = [CHEAPEST, *(name for name in asked.strategies if name != CHEAPEST)]
    sizes = [(modalities, tokens) for modalities in asked.modalities for tokens in asked.tokens]
    results = {(m, k): measure(names, asked.repeats, (asked.batch, m, asked.width, k)) for m, k in sizes}
    table = Table("fusion", *(f"M={m} K={k}" for m, k in sizes))
    table.add_row(f"{CHEAPEST}, ms", *(f"{results[size][CHEAPEST][0] * 1e3:.2f}" for size in sizes))
    for name in names[1:]:
        table.add_row(name, *(f"{results[size][name][1]:.1f}" for size in sizes))
    console = Console(width=max(120, 16 + 11 * len(sizes)))
    console.print(table)
    console.print(
        f"forward and backward over the mean's, width {asked.width}, batch {asked.batch}, one thread, "
        f"torch {torch.__version__}, load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
