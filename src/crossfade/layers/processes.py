"""Numbers that all processes of a distributed training must agree on."""

from __future__ import annotations

import torch
from torch import Tensor


def shared(value: Tensor) -> Tensor:
    """The mean of a number over all processes; itself where there is one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        value = value.clone()
        torch.distributed.all_reduce(value)
        value = value / torch.distributed.get_world_size()
    return value
