"""Tensors that a module keeps where PyTorch does not look: neither trained nor saved nor moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

DEEPEST = 4  # of objects in objects


def hidden_tensors(model: nn.Module) -> Iterator[str]:
    """The attributes that hold a tensor or a module that is registered nowhere, such as a list of Parameters.

    Lists and mappings are looked through, however deep, and so are objects of other classes and what a function
    has taken along (closures, defaults, partial arguments). A second name of what is registered hides nothing.
    """
    registered = {id(x) for x in (*model.modules(), *model.parameters(), *model.buffers())}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") and name in vars(nn.Module()):
                continue  # PyTorch's own books
            if kind := _holds(value, registered):
                yield f"{path + '.' if path else ''}{name} ({kind})"


def _holds(value: Any, registered: set[int]) -> str:
    """What of PyTorch's is inside, "" for nothing."""
    if id(value) in registered:
        return ""
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, nn.Module):
        return "a module"
    count = _count(value, set(registered), DEEPEST)
    return f"a {type(value).__name__} of {count} tensors or modules" if count else ""


def _count(value: Any, seen: set[int], deep: int) -> int:
    """Tensors and modules inside, those that were seen already left out."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, Tensor | nn.Module):
        return 1
    if isinstance(value, Mapping):
        return sum(_count(one, seen, deep) for one in list(value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return sum(_count(one, seen, deep) for one in value)
    return sum(_count(one, seen, deep - 1) for one in _taken_along(value)) if deep else 0


def _taken_along(value: Any) -> list[Any]:
    """What a function or an object of another class keeps."""
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, type | ModuleType) or not hasattr(value, "__dict__"):
        return []
    return list(vars(value).values())


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that was never given a value
        return False
