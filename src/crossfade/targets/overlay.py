"""The figure of a segmentation: outlines on the images that lie in its plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import distance_transform_edt

from crossfade.drawing import STYLE, save
from crossfade.targets.base import Scene

COLOURS = ("#ff5a4f", "#35b6ff", "#ffc53d", "#7ddc6c", "#c58cff", "#ff9ed2")  # of the classes; seen on grey
SHOWN = 4  # samples


class Outlined(Protocol):
    """What the figure asks of a target: pixels per side, mm per pixel, classes, the lesion, its margin (mm)."""

    size: int
    spacing: float
    classes: list[str]
    lesion: int
    margin: float


@rc_context(STYLE)
def draw_overlay(target: Outlined, scene: Scene, path: Path) -> None:
    """A row a sample, a column an image of the plane: the prediction full, the truth dotted, the margin dashed.

    Where a run has no image of the plane the outlines stand on black.
    """
    columns = planes(scene) or [("", [None] * SHOWN)]
    rows = min(SHOWN, len(scene.ids))
    predicted, truth = scene.prediction.argmax(1).numpy(), scene.truth.numpy()
    figure = Figure(figsize=(2.5 * max(2, len(columns)), 2.55 * rows + 0.5))
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for i, line in enumerate(axes):
        for axis, (title, images) in zip(line, columns, strict=True):
            image = np.zeros((target.size, target.size)) if images[i] is None else images[i]
            axis.imshow(image, cmap="gray", extent=(0, target.size, target.size, 0))
            _outlines(target, axis, predicted[i], truth[i])
            axis.set(xticks=[], yticks=[], title=title if i == 0 else "")
        line[0].set_ylabel(scene.ids[i])
    figure.legend(handles=_handles(target), loc="outside lower center", ncols=3, fontsize=8)
    save(figure, path)


def planes(scene: Scene) -> list[tuple[str, Sequence[np.ndarray | None]]]:
    """Title and images (None: absent) of every channel of the images that lie in the target's plane."""
    found: list[tuple[str, Sequence[np.ndarray | None]]] = []
    for column, name in enumerate(sorted(scene.specs)):
        spec = scene.specs[name]
        if spec.kind != "image" or not spec.aligned:
            continue
        for channel in range(spec.channels):
            shown = [
                image[channel].numpy() if here[column] else None
                for image, here in zip(scene.inputs[name], scene.presence, strict=True)
            ]
            found.append((f"{name} {channel + 1}" if spec.channels > 1 else name, shown))
    return found


def _outlines(target: Outlined, axis: Axes, predicted: np.ndarray, truth: np.ndarray) -> None:
    for k in range(1, len(target.classes) + 1):
        colour = COLOURS[(k - 1) % len(COLOURS)]
        for mask, style, width in ((truth == k, "dotted", 1.6), (predicted == k, "solid", 1.1)):
            _line(axis, mask, colour, style, width)
    resected = predicted == target.lesion
    if target.margin and resected.any():
        within = distance_transform_edt(~resected, sampling=target.spacing) <= target.margin
        _line(axis, within, COLOURS[(target.lesion - 1) % len(COLOURS)], "dashed", 0.8)


def _line(axis: Axes, mask: np.ndarray, colour: str, style: str, width: float) -> None:
    if mask.any():
        centres = np.arange(len(mask)) + 0.5
        axis.contour(centres, centres, mask, levels=[0.5], colors=[colour], linestyles=[style], linewidths=[width])


def _handles(target: Outlined) -> list[Line2D]:
    handles = [Line2D([], [], color=COLOURS[k % len(COLOURS)], label=name) for k, name in enumerate(target.classes)]
    handles.append(Line2D([], [], color="black", linestyle="solid", label="predicted"))
    handles.append(Line2D([], [], color="black", linestyle="dotted", label="true"))
    if target.margin:
        handles.append(Line2D([], [], color="black", linestyle="dashed", label=f"{target.margin:g} mm margin"))
    return handles
