"""The map: a bird's-eye raster of the road around the ego vehicle, and the route that it is to take."""

from __future__ import annotations

import numpy as np

from crossfade.data.synthetic.draws import normals

from . import road
from .road import LANE
from .scenario import EGO, Scenario
from .scene import Scene, turned

LAYERS = ("drivable", "lane", "crossing", "route")
OFFSET_SD, TURN_SD = 0.25, np.deg2rad(1.0)  # m and rad: the error of the position in the map
ROUTE = 1.4  # m: half the width of the route's band


def cells(size: int, extent: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """x and y (m) of the centres of a size × size raster: row 0 is farthest ahead, column 0 leftmost. (S, S) each."""
    step = (np.arange(size) + 0.5) / size
    x = extent[1] - (extent[1] - extent[0]) * step
    y = extent[3] - (extent[3] - extent[2]) * step
    return np.broadcast_to(x[:, None], (size, size)), np.broadcast_to(y[None], (size, size))


def off_route(scenario: Scenario, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Distance (m) of points in road coordinates (B, …) from the ego's path."""
    wide = (-1,) + (1,) * (s.ndim - 1)
    route, first, radius = (
        v.reshape(wide) for v in (scenario.route, scenario.paths.straight[:, EGO], scenario.paths.radius[:, EGO])
    )
    along, out = s - first, (d + LANE / 2) * route  # from where the arc begins; towards the side it turns to
    before = np.where(along < 0, np.hypot(np.minimum(along + 1e3, 0), out), np.inf)
    arc = np.abs(np.hypot(along, out - radius) - radius)
    arc = np.where((along >= 0) & (out <= radius), arc, np.inf)
    after = np.where(out > radius, np.abs(along - radius), np.inf)
    return np.where(route == 0, np.abs(d + LANE / 2), np.minimum(np.minimum(before, arc), after))


def render(
    scenario: Scenario, scene: Scene, size: int, extent: tuple[float, float, float, float], noise: float,
    rngs: list[np.random.Generator],
) -> np.ndarray:  # fmt: skip
    """Rasters of a batch, float32 (B, 4, S, S) in [0, 1], the layers of `LAYERS`.

    Drawn where the ego vehicle believes to be: the whole raster is shifted and turned by the position's error.
    """
    error = normals(rngs, (3,)) * noise * np.array([OFFSET_SD, OFFSET_SD, TURN_SD], np.float32)
    x, y = cells(size, extent)
    x, y = turned(error[:, 2, None, None], x[None], y[None])
    s, d = scene.to_road(x + error[:, 0, None, None], y + error[:, 1, None, None])
    metre = (extent[1] - extent[0]) / size
    band = np.clip((ROUTE - off_route(scenario, s, d)) / metre + 0.5, 0, 1)
    line = np.clip((0.15 - np.abs(d)) / metre + 0.5, 0, 1)
    layers = (road.drivable(scene.layout, s, d), line, road.on_zebra(scene.layout, s, d), band)
    return np.stack(layers, 1).astype(np.float32)
