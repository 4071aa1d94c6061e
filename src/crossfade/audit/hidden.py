"""Tensors that a module keeps where PyTorch does not see them: never trained, never saved, never moved to a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn


def hidden_tensors(model: nn.Module) -> Iterator[str]:
    """The attributes that hold a tensor or a module outside of the registered ones, such as a list of Parameters."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") and name in vars(nn.Module()):
                continue  # PyTorch's own books
            if kind := _holds(value):
                yield f"{path + '.' if path else ''}{name} ({kind})"


def _holds(value: Any) -> str:
    """What of PyTorch's is inside, "" for nothing."""
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, nn.Module):
        return "a module"  # a registered one is not among the attributes
    count = _count(value)
    return f"a {type(value).__name__} of {count} tensors or modules" if count else ""


def _count(value: Any) -> int:
    """Tensors and modules in lists, tuples, sets and mappings, however deep."""
    if isinstance(value, Tensor | nn.Module):
        return 1
    if isinstance(value, Mapping):
        value = list(value.values())
    return sum(map(_count, value)) if isinstance(value, list | tuple | set) else 0
