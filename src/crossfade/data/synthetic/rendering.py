"""Rendering in blocks of samples, on a few threads (NumPy lets go of the interpreter while it computes)."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

BLOCK = 64  # samples rendered at once; blocks are always whole, so that sample i always has the same company

T = TypeVar("T")


def in_blocks(count: int, render: Callable[[np.ndarray], T]) -> list[T]:
    """`render(indices)` of every block that it takes to cover `count` samples, in order.

    The last block is whole, too: the caller cuts what is past `count`.
    """
    blocks = [np.arange(first, first + BLOCK) for first in range(0, count, BLOCK)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(render, blocks))
