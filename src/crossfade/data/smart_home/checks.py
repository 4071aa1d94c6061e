"""Fields of the modalities that the built-in households cannot change, checked."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

from . import series
from .voice import RATE

RATES = {
    "audio": float(RATE), "motion": 1 / series.MINUTE, "climate": 1 / series.FIVE, "power": 1 / series.MINUTE,
    "weather": 1 / series.HOUR_S,
}  # fmt: skip


def check_rates(modalities: Mapping[str, ModalitySpec]) -> None:
    """Every rate in Hz that a spec gives is the one that the values have (0.1 % apart at most); else UserError."""
    problems = [
        f"modality.{name}.rate={modalities[name].rate}: the values have {rate:.6g} Hz."
        for name, rate in RATES.items()
        if name in modalities and not _near(modalities[name].rate, rate)
    ]
    if problems:
        raise UserError(*problems)


def _near(given: float | None, rate: float) -> bool:
    return given is None or abs(given - rate) <= 1e-3 * rate
