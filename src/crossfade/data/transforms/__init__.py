"""Transforms: a modality's raw values → the tensor that its encoder takes, one kind a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade.data.transforms.audio import AudioTransform
from crossfade.data.transforms.base import Transform
from crossfade.data.transforms.image import ImageTransform
from crossfade.data.transforms.points import PointsTransform
from crossfade.data.transforms.series import SeriesTransform
from crossfade.data.transforms.table import TableTransform
from crossfade.data.transforms.text import TextTransform
from crossfade.specs import ModalitySpec

KINDS: dict[str, type[Transform]] = {
    "image": ImageTransform,
    "text": TextTransform,
    "audio": AudioTransform,
    "table": TableTransform,
    "series": SeriesTransform,
    "points": PointsTransform,
}


def make_transform(spec: ModalitySpec, encoder: Mapping[str, Any]) -> Transform:
    """The transform of a modality; `encoder` is its encoder's part of the config (text reads its vocabulary there)."""
    return KINDS[spec.kind](spec, encoder)
