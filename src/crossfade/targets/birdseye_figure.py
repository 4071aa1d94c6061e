"""Bird's-eye figures: what the sensors saw from above, and what was there and was predicted; ahead is up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from crossfade.drawing import BLUE, GREY, INK, ORANGE, PALE, STYLE, save
from crossfade.plane import Plane
from crossfade.targets.base import Scene

Extent = tuple[float, float, float, float]
TRUE, PREDICTED = INK, ORANGE
COLOURS = (BLUE, "#2f855a", "#9f3a9f", "#b7791f", "#c53030", "#319795")  # of classes
CLOUDS = (GREY, "#c53030")  # of point clouds


@rc_context(STYLE)
def panels(
    path: Path, scene: Scene, extent: Extent, legend: Sequence[Line2D], draw: Callable[[Axes, int], None]
) -> None:
    """A bird's-eye panel for every other of the first 8 samples, `draw(axes, i)` adding what is the target's.

    Neighbours are often two moments of one drive, and look alike.
    """
    shown = range(0, min(len(scene.ids), 8), 2)
    height = (extent[1] - extent[0]) / (extent[3] - extent[2]) * 3
    figure = Figure(figsize=(3 * len(shown) + 0.4, height + 0.8))
    for i, axes in zip(shown, figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0], strict=True):
        _backdrop(axes, scene, i, extent)
        draw(axes, i)
        axes.set(xlim=(extent[3], extent[2]), ylim=(extent[0], extent[1]), aspect="equal", title=str(scene.ids[i]))
        axes.set(xlabel="y in m (left is positive)", ylabel="x in m" if i == 0 else "")
    seen = [key(name, CLOUDS[i % 2], "", ".") for i, name in enumerate(_clouds(scene))]
    figure.legend(handles=[*legend, *seen], loc="outside lower center", ncols=len(legend) + len(seen))
    save(figure, path)


def _backdrop(axes: Axes, scene: Scene, i: int, extent: Extent) -> None:
    """The map and the points of a sample, where it has them, and the ego vehicle's place."""
    for m, name in enumerate(sorted(scene.specs)):
        spec = scene.specs[name]
        if name not in scene.inputs or spec.extent is None or not scene.presence[i, m]:
            continue
        x_min, x_max, y_min, y_max = spec.extent
        if spec.kind == "image" and spec.aligned:
            every = scene.inputs[name].mean(1)
            low, high, place = float(every.min()), float(every.max()), (y_max, y_min, x_min, x_max)
            axes.imshow(every[i].numpy(), extent=place, vmin=low, vmax=high, alpha=0.3, cmap="Greys")
        elif spec.kind == "points":
            points, clouds = scene.inputs[name][i].numpy(), _clouds(scene)
            size = 1 if points.shape[0] > 100 else 9
            axes.scatter(points[:, 1], points[:, 0], s=size, c=CLOUDS[clouds.index(name) % 2], lw=0, zorder=1)
    axes.plot(0, 0, marker="^", ms=7, color=INK, zorder=4)


def _clouds(scene: Scene) -> list[str]:
    """The modalities whose points are drawn."""
    return [name for name in sorted(scene.inputs) if scene.specs[name].kind == "points" and scene.specs[name].extent]


def key(label: str, colour: str, style: str = "-", marker: str = "") -> Line2D:
    """An entry of the legend."""
    return Line2D([], [], color=colour, ls=style, marker=marker, label=label)


def corners(box: np.ndarray) -> np.ndarray:
    """Closed outline (5, 2) of a box x, y, length, width, heading."""
    x, y, length, width, heading = np.nan_to_num(box)
    shape = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1], [1, 1]]) * [length / 2, width / 2]
    turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
    return shape @ turn + [x, y]


def draw_boxes(path: Path, scene: Scene, extent: Extent, classes: Sequence[str], least: float) -> None:
    """True boxes in full lines, predicted ones dashed with their score, a line ahead as long as one second's way."""
    prediction, truth = scene.prediction.numpy(), scene.truth[:, 1:].numpy()

    def draw(axes: Axes, i: int) -> None:
        for box in truth[i][~np.isnan(truth[i][:, 0])]:
            _box(axes, box[1:], COLOURS[int(box[0]) % len(COLOURS)], "-")
        for score, label, *box in prediction[i][prediction[i][:, 0] >= least]:
            colour = COLOURS[int(label) % len(COLOURS)]
            _box(axes, np.array(box), colour, ":")
            axes.annotate(
                f"{score:.1f}", (box[1], box[0]), (3, 3), textcoords="offset points", fontsize=6, color=colour
            )

    legend = [key(name, COLOURS[c % len(COLOURS)]) for c, name in enumerate(classes)]
    legend += [key("true", INK), key(f"predicted, score ≥ {least:g}", INK, ":")]
    panels(path, scene, extent, legend, draw)


def _box(axes: Axes, box: np.ndarray, colour: str, style: str) -> None:
    outline = corners(box[[0, 1, 2, 3, 4]])
    axes.plot(outline[:, 1], outline[:, 0], style, color=colour, lw=1.3, zorder=3)
    axes.plot([box[1], box[1] + box[6]], [box[0], box[0] + box[5]], style, color=colour, lw=0.8, zorder=3)


def draw_futures(path: Path, scene: Scene, extent: Extent, futures: np.ndarray, probability: np.ndarray) -> None:
    """Each agent's place now (dot), its true way (full) and the predicted ones (dashed, the likelier the stronger).

    futures (n, A, M, T, 2) in m, probability (n, A, M).
    """
    truth = scene.truth[:, 1:].numpy()

    def draw(axes: Axes, i: int) -> None:
        for agent in np.flatnonzero(~np.isnan(truth[i, :, 0, 0])):
            now, way = truth[i, agent, 0], truth[i, agent]
            axes.plot(way[:, 1], way[:, 0], "-", color=TRUE, lw=1.5, zorder=3)
            axes.plot(now[1], now[0], "o", color=TRUE, ms=3, zorder=3)
            for future, p in zip(futures[i, agent], probability[i, agent], strict=True):
                path = np.concatenate([now[None], future])
                axes.plot(path[:, 1], path[:, 0], "--", color=PREDICTED, lw=1.2, alpha=0.2 + 0.8 * float(p), zorder=4)

    legend = [
        key("agent now, and its way", TRUE, marker="o"),
        key("predicted, the likelier the stronger", PREDICTED, "--"),
    ]
    panels(path, scene, extent, legend, draw)


def draw_plans(
    path: Path,
    scene: Scene,
    extent: Extent,
    driven: np.ndarray,
    planned: np.ndarray,
    agents: np.ndarray,
    road: np.ndarray,
) -> None:
    """Driven and planned way as the vehicle's boxes (n, T, 5), the agents' (n, A, T, 5), the road's edge."""

    def draw(axes: Axes, i: int) -> None:
        if np.isfinite(road[i]).any():
            plane = Plane(extent, road.shape[-1])
            x, y = (plane.centres()[:, c].numpy().reshape(road[i].shape) for c in (0, 1))
            axes.contour(y, x, road[i] > 0, levels=[0.5], colors=PALE, linewidths=2, zorder=1)
        for agent in agents[i][~np.isnan(agents[i][:, 0, 0])]:
            for t, box in enumerate(agent):
                outline = corners(box[[0, 1, 3, 4, 2]])
                axes.plot(outline[:, 1], outline[:, 0], color=GREY, lw=0.8, alpha=1 - 0.6 * t / len(agent), zorder=2)
        for boxes, colour, style in ((driven[i], TRUE, "-"), (planned[i], PREDICTED, "--")):
            for box in boxes:
                outline = corners(box[[0, 1, 3, 4, 2]])
                axes.plot(outline[:, 1], outline[:, 0], style, color=colour, lw=0.9, zorder=3)
            axes.plot(boxes[:, 1], boxes[:, 0], ".", color=colour, ms=3, zorder=4)

    legend = [key("driven", TRUE), key("planned", PREDICTED, "--"), key("other agents, paler with time", GREY)]
    panels(path, scene, extent, [*legend, key("edge of the road", PALE)], draw)
