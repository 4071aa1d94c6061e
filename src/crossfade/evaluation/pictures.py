"""The figures that each target has of its own: outlines, boxes, futures, forecasts."""

from __future__ import annotations

from crossfade.data.module import DataModule
from crossfade.evaluation.scored import Scored
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.targets.base import Scene, Target

DRAWN = 8  # samples whose inputs a target may draw


def draw_targets(folder: RunFolder, model: FusionModel, data: DataModule, scored: Scored) -> None:
    """The figures that each target has of its own: an overlay, boxes, a forecast; of the first test samples."""
    rows = data.split["test"][:DRAWN].tolist()
    batch = data.samples[rows]
    specs = {name: transform.spec for name, transform in data.transforms.items()}
    folder.figures.mkdir(exist_ok=True)
    for name, target in model.targets.items():
        assert isinstance(target, Target)
        scene = Scene(scored.prediction[name], scored.truth[name], scored.ids, batch.inputs, batch.presence, specs)
        target.draw(folder.figures, scene)
