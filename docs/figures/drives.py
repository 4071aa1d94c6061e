"""Draws docs/figures/drives.png: moments of the built-in drives as every sensor sees them, with their truths.

    python docs/figures/drives.py

One drive of seed 0 per row: a clear day, night, rain, fog. Camera at 256 × 256 pixels (64 by default in the task).
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from PIL import Image

from crossfade.data.driving import bodies, camera, chart, lidar, names, odometry, radar, truths
from crossfade.data.driving.scenario import EGO, KINDS, Kind
from crossfade.data.driving.scene import Scene
from crossfade.data.driving.world import World, Worlds
from crossfade.data.synthetic.draws import generators

SEED, SIZE, DRIVES, EXTENT = 0, 256, 512, (0.0, 40.0, -20.0, 20.0)
SHARES = {"rain": 0.25, "fog": 0.15, "night": 0.3}
COLOURS = {"pedestrian": "#e4572e", "vehicle": "#1f6fb2", "sign": "#8a2be2"}
INK, PLAN = "#1b2733", "#18a558"


def corners(x: float, y: float, heading: float, length: float, width: float) -> np.ndarray:
    """(4, 2) of a turned rectangle."""
    turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
    return np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2 * [length, width] @ turn + [x, y]


def chosen(worlds: Worlds) -> list[tuple[World, int]]:
    """The first drive in which something happens, for each kind of weather: its world and place in the block."""
    wanted = {"day": ("crossing",), "night": ("turning", "yielding"), "rain": ("braking",), "fog": ("waiting", "yielding")}
    found: dict[str, tuple[World, int]] = {}
    for first in range(0, DRIVES, 64):
        world = worlds.block(np.arange(first, first + 64))
        scene = world.look(0)
        labels = truths.intention(world.scenario, world.motion, scene, 0, EXTENT)
        air = world.weather
        dark, wet, thick = air.light < camera.DARK, air.rain > 0, air.visibility < 200
        is_ = {"day": ~dark & ~wet & ~thick, "night": dark & ~wet & ~thick, "rain": wet & ~dark & ~thick,
               "fog": thick & ~dark & ~wet}  # fmt: skip
        seen = truths.visible(scene, (4.0, 26.0, -9.0, 9.0)).sum(1)
        for name, here in is_.items():
            for i in np.flatnonzero(here & (seen >= 3)):
                if labels[i] in wanted[name]:
                    found.setdefault(name, (world, int(i)))
    return [found[name] for name in wanted]


def picture(axis: Axes, scene: Scene, image: np.ndarray, i: int) -> None:
    axis.imshow(np.moveaxis(image, 0, -1))
    box = bodies.boxes(scene)
    for slot in truths.AGENTS:
        if not scene.there[i, slot]:
            continue
        mine = np.flatnonzero(box.slot == slot)
        length, width, height = scene.size[i, slot]
        around = corners(scene.x[i, slot], scene.y[i, slot], scene.heading[i, slot], length, width)
        if around[:, 0].min() < camera.MOUNT_X + 1 or not len(mine):
            continue
        u, v = camera.project(np.tile(around[:, 0], 2), np.tile(around[:, 1], 2), np.repeat([0.0, height], 4), SIZE)
        if u.max() > 0 and u.min() < SIZE:
            colour = COLOURS[truths.CLASS_OF[Kind(KINDS[slot])]]
            axis.add_patch(plt.Rectangle((u.min(), v.min()), np.ptp(u), np.ptp(v), fill=False, ec=colour, lw=1.1))
    axis.set_xlim(0, SIZE)
    axis.set_ylim(SIZE * 0.82, 0)


def birdseye(axis: Axes, raster: np.ndarray) -> None:
    """The map as a background: carriageway, crossing, lane; x up, y to the left."""
    shade = np.full((*raster.shape[1:], 3), 0.94)
    for layer, colour in ((0, (0.78, 0.8, 0.83)), (2, (0.97, 0.9, 0.6)), (1, (1.0, 1.0, 1.0))):
        share = raster[layer][..., None]
        shade = shade * (1 - share) + np.array(colour) * share
    axis.imshow(shade, extent=(20, -20, 0, 40), interpolation="nearest")
    axis.set_xlim(20, -20)
    axis.set_ylim(0, 40)


def boxes(axis: Axes, found: np.ndarray) -> None:
    for kind, x, y, length, width, heading, vx, vy in found:
        colour = COLOURS[names.CLASSES[int(kind)]]
        shape = corners(x, y, heading, max(length, 0.9), max(width, 0.9))
        axis.add_patch(Polygon(shape[:, ::-1], fill=False, ec=colour, lw=1.2))
        if np.hypot(vx, vy) > 0.3:
            axis.annotate("", (y + vy, x + vx), (y, x), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.1})


def main() -> None:
    worlds = Worlds(SEED, DRIVES, SHARES, cache=False).prepare()
    rows = chosen(worlds)
    plt.rcParams.update({"font.family": "DejaVu Sans", "figure.dpi": 100})
    figure, axes = plt.subplots(len(rows), 4, figsize=(12.4, 2.62 * len(rows) + 0.3))
    figure.subplots_adjust(left=0.028, right=0.995, top=0.955, bottom=0.01, wspace=0.04, hspace=0.05)
    heads = ("Camera, boxes of the truth", "Lidar (intensity), boxes, velocities", "Radar (radial velocity, m/s)",
             "Map, route, futures and plan (0.5 … 3 s)")  # fmt: skip
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, fontsize=9.5, color=INK, pad=5)
    for row, (world, i), weather in zip(axes, rows, ("clear day", "night", "rain", "fog"), strict=True):
        scene = world.look(0)
        drives = np.arange(64)
        rngs = [generators(SEED, drives, names.STREAMS[m]) for m in ("camera", "lidar", "radar", "map")]
        image = camera.render(scene, SIZE, 1.0, rngs[0])[i]
        points = lidar.scan(scene, EXTENT, 1.0, rngs[1])[i]
        echoes = radar.scan(scene, EXTENT, 1.0, rngs[2])[i]
        raster = chart.render(world.scenario, scene, 160, EXTENT, 1.0, rngs[3])[i]
        found = truths.detection(scene, EXTENT, list(names.CLASSES))[i]
        label = truths.intention(world.scenario, world.motion, scene, 0, EXTENT)[i]
        plan = truths.plans(world.scenario, world.motion, scene, drives, 0, EXTENT)[i]
        paths = truths.trajectories(world.motion, scene, 0, EXTENT)[i]
        speed = odometry.truth(world.motion, 0)[i, -1, 0]
        picture(row[0], scene, image, i)
        for axis in row[1:]:
            birdseye(axis, raster)
        row[1].scatter(points[:, 1], points[:, 0], c=points[:, 3], s=2.2, cmap="viridis", vmin=0, vmax=0.8)
        boxes(row[1], found)
        shown = row[2].scatter(echoes[:, 1], echoes[:, 0], c=echoes[:, 3], s=16, cmap="coolwarm", vmin=-8, vmax=8,
                               edgecolors=INK, linewidths=0.4)  # fmt: skip
        figure.colorbar(shown, ax=row[2], fraction=0.035, pad=0.01).ax.tick_params(labelsize=6)
        band = np.ma.masked_less(raster[3], 0.3)
        row[3].imshow(band, extent=(20, -20, 0, 40), cmap="Greens", vmin=0, vmax=2.5, interpolation="nearest")
        for path in paths:
            row[3].plot(path[:, 1], path[:, 0], "-o", color="#1f6fb2", ms=2.2, lw=1)
        way = np.concatenate([[[0, 0]], plan["waypoints"]])
        row[3].plot(way[:, 1], way[:, 0], "-o", color=PLAN, ms=2.8, lw=1.6)
        row[3].set_xlim(20, -20)
        row[3].set_ylim(0, 40)
        row[3].text(19, 37.2, f"intention: {label}\nown speed {speed:.1f} m/s", fontsize=7.5, color=INK, va="top")
        row[0].set_ylabel(weather, fontsize=9.5, color=INK, labelpad=3)
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
        assert scene.there[i, EGO] == 0
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    pixels.quantize(128, dither=Image.Dither.NONE).save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
