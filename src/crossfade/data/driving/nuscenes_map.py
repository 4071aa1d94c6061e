"""nuScenes' map expansion: polygons of a city's ground, drawn as a bird's-eye raster around the car.

maps/expansion/<location>.json holds `node` (x, y in m of the world frame), `polygon` (exterior and holes, as tokens of
nodes) and a list per layer whose records name one polygon or several.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossfade.data.readers import Fault

LAYERS = ("drivable_area", "ped_crossing", "walkway", "lane")


class Polygon(NamedTuple):
    """World coordinates in m: `exterior` (n, 2), `holes` of the same form; `low` and `high` (2,) bound the exterior."""

    exterior: np.ndarray
    holes: list[np.ndarray]
    low: np.ndarray
    high: np.ndarray


def read_map(path: Path) -> dict[str, list[Polygon]]:
    """The polygons of each of LAYERS. Raises Fault where the file is damaged or lacks a layer."""
    try:
        content = json.loads(path.read_bytes())
        node = {row["token"]: (row["x"], row["y"]) for row in content["node"]}
        polygon = {
            row["token"]: _polygon(
                [node[t] for t in row["exterior_node_tokens"]],
                [[node[t] for t in hole["node_tokens"]] for hole in row["holes"]],
            )
            for row in content["polygon"]
        }
        return {
            layer: [
                polygon[token]
                for row in content[layer]
                for token in (row["polygon_tokens"] if "polygon_tokens" in row else [row["polygon_token"]])
            ]
            for layer in LAYERS
        }
    except (ValueError, KeyError, TypeError) as error:
        raise Fault(f"{path}: not readable as a map expansion: {type(error).__name__} {error}") from error


def draw_map(layers: dict[str, list[Polygon]], to_ego: np.ndarray, extent: Sequence[float], size: int) -> np.ndarray:
    """float32 (layers, size, size), 1 where the layer is. `to_ego` (4, 4): world → ego; `extent` in m.

    A pixel is set where its middle lies in the polygon: row 0 is farthest ahead (x_max), column 0 leftmost (y_max).
    """
    x_min, x_max, y_min, y_max = extent
    corners = np.array([[x, y, 0.0] for x in (x_min, x_max) for y in (y_min, y_max)])
    turn = to_ego[:3, :3]
    world = (corners - to_ego[:3, 3]) @ turn  # the inverse motion
    low, high = world[:, :2].min(0), world[:, :2].max(0)
    scale = np.array([size / (x_max - x_min), size / (y_max - y_min)])

    def placed(ring: np.ndarray) -> np.ndarray:
        ego = ring @ turn[:2, :2].T + to_ego[:2, 3]  # the ground is flat here: no height
        return (np.array([x_max, y_max]) - ego) * scale

    out = np.zeros((len(LAYERS), size, size), dtype=bool)
    for raster, layer in zip(out, LAYERS, strict=True):
        for polygon in layers[layer]:
            if not ((polygon.low > high).any() or (polygon.high < low).any()):
                raster |= inside([placed(ring) for ring in (polygon.exterior, *polygon.holes)], size)
    return out.astype(np.float32)


def inside(rings: Sequence[np.ndarray], size: int) -> np.ndarray:
    """bool (size, size): pixels whose middle lies in an odd number of rings (n, 2), given as row and column.

    A ray from the left meets the edges of all rings before it reaches the middle of a pixel: inside where it has met an
    odd number of them.
    """
    middles = np.arange(size) + 0.5
    met = np.zeros((size, size + 1), dtype=np.int64)
    for ring in rings:
        row, column = ring.T
        next_row, next_column = np.roll(ring, -1, axis=0).T
        edge, at = np.nonzero((row[:, None] > middles) != (next_row[:, None] > middles))
        share = (middles[at] - row[edge]) / (next_row[edge] - row[edge])
        where = column[edge] + share * (next_column[edge] - column[edge])
        np.add.at(met, (at, np.clip(np.ceil(where - 0.5), 0, size).astype(np.int64)), 1)
    return met.cumsum(1)[:, :size] % 2 == 1


def _polygon(exterior: Sequence[Sequence[float]], holes: Sequence[Sequence[Sequence[float]]]) -> Polygon:
    points = np.asarray(exterior, dtype=np.float64).reshape(-1, 2)
    return Polygon(points, [np.asarray(hole, dtype=np.float64) for hole in holes], points.min(0), points.max(0))
