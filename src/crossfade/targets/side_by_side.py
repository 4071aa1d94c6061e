"""The figure of a fused image: beside its sources, their average and their maximum."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from crossfade.drawing import STYLE, save
from crossfade.targets.base import Scene

SHOWN = 4  # samples


class Fusing(Protocol):
    """What the figure asks of a target: the names of its sources, where all are known, and what it is held against."""

    sources: list[str]

    def known(self, truth: Tensor) -> Tensor: ...

    def references(self, truth: Tensor) -> dict[str, Tensor]: ...


@rc_context(STYLE)
def draw_side_by_side(target: Fusing, scene: Scene, path: Path) -> None:
    """A row for each of the first samples with known sources; all images from 0 (black) to 1 (white)."""
    rows = target.known(scene.truth).nonzero()[:SHOWN, 0].tolist()
    if not rows:
        return
    columns = {name: scene.truth[:, i] for i, name in enumerate(target.sources)}
    columns |= {**target.references(scene.truth), "fused": scene.prediction}
    figure = Figure(figsize=(1.75 * len(columns), 1.75 * len(rows) + 0.3))
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for i, line in zip(rows, axes, strict=True):
        for axis, (title, images) in zip(line, columns.items(), strict=True):
            axis.imshow(images[i].numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[], title=title if i == rows[0] else "")
        line[0].set_ylabel(scene.ids[i])
    save(figure, path)
