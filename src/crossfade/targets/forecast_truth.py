"""How a forecast's truth is packed: (N, 3T + 4) = load, occupied, outdoor of T hours, then the house's constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crossfade.errors import UserError
from crossfade.targets.thermal import House

HOURLY = ("load", "occupied", "outdoor")
CONSTANTS = ("indoor", "resistance", "capacity", "heater")


class Day(NamedTuple):
    """Truth of N samples; NaN where not known."""

    load: Tensor  # (N, T), kW hourly means
    occupied: Tensor  # (N, T), share of the hour in which somebody is at home
    house: House

    @property
    def heated(self) -> Tensor:
        """(N,): all that a heating schedule is judged by is known."""
        hourly = (self.occupied + self.house.outdoor).isfinite().all(-1)
        constants = torch.stack(self.house[1:], -1)
        return hourly & constants.isfinite().all(-1) & (constants[:, 1:] > 0).all(-1)


def pack(name: str, hours: int, truths: Sequence[Any]) -> Tensor:
    """Raw truths, each a mapping (see `forecast.Forecast`), T loads alone, or None → (N, 3T + 4).

    Raises UserError naming the target, the entry and the shape that it should have.
    """
    packed = np.full((len(truths), len(HOURLY) * hours + len(CONSTANTS)), np.nan, dtype=np.float32)
    for row, truth in zip(packed, truths, strict=True):
        if truth is None:
            continue
        given = truth if isinstance(truth, Mapping) else {"load": truth}
        for i, key in enumerate(HOURLY):
            if given.get(key) is not None:
                row[i * hours : (i + 1) * hours] = _numbers(name, key, given[key], (hours,))
        for i, key in enumerate(CONSTANTS, start=len(HOURLY) * hours):
            if given.get(key) is not None:
                row[i] = _numbers(name, key, given[key], ())
    return torch.from_numpy(packed)


def _numbers(name: str, key: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.array(value, dtype=np.float32)  # None in a list: NaN
    except (TypeError, ValueError) as error:
        raise UserError(f"target.{name}: {key} of a truth is not made of numbers: {value!r}") from error
    if array.shape != shape:
        wanted = f"{shape[0]} hourly numbers (target.{name}.hours)" if shape else "one number"
        raise UserError(f"target.{name}: {key} of a truth has the shape {array.shape}, not {wanted}.")
    return array


def unpack(truth: Tensor, hours: int) -> Day:
    """(N, 3T + 4) → what it holds."""
    load, occupied, outdoor = truth[:, : 3 * hours].unflatten(1, (3, hours)).unbind(1)
    return Day(load, occupied, House(outdoor, *truth[:, 3 * hours :].unbind(1)))
