"""Fields of the modalities that the built-in households cannot change, checked."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.errors import UserError
from crossfade.specs import ModalitySpec

from .voice import RATE


def check_fields(modalities: Mapping[str, ModalitySpec], stretches: int, most: int) -> None:
    """The audio's rate is what it is made at, and a household has at most so many stretches; else UserError."""
    problems = []
    if "audio" in modalities and modalities["audio"].rate != RATE:
        problems.append(f"modality.audio.rate={modalities['audio'].rate}: it must be {RATE}.")
    if stretches > most:
        problems.append(f"data.source.stretches={stretches} must be at most {most}.")
    if problems:
        raise UserError(*problems)
