"""What the targets ask for, from the scene and the simulated future: nothing here has seen a rendered value."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import chart, names, road
from .scenario import EGO, KINDS, LEAD, MOVERS, PEDESTRIAN, TURNER, Interaction, Kind, Scenario
from .scene import Scene, inside, into
from .simulation import Motion

Extent = tuple[float, float, float, float]
CLASS_OF = {Kind.PEDESTRIAN: "pedestrian", Kind.VEHICLE: "vehicle", Kind.SIGN: "sign"}
AGENTS = np.flatnonzero(np.isin(KINDS, list(CLASS_OF)))  # slots that are detected; the ego vehicle is never there
MOVING = np.arange(1, MOVERS)  # whose futures are asked for
BODIES = np.flatnonzero(np.isin(KINDS, (Kind.PEDESTRIAN, Kind.VEHICLE)))  # whom a plan must not hit
ROAD = 80  # cells of a side of the plan's raster of the road
BRAKES = -1.0  # m/s²: harder is braking
SOON = names.STRIDE  # steps within which the vehicle ahead brakes: 0.5 s


def steps(frame: int) -> np.ndarray:
    """Indices of the states at the waypoints: 0.5 s, 1 s, … 3 s after frame `frame`."""
    return names.now(frame) + names.STRIDE * np.arange(1, names.FUTURE + 1)


def visible(scene: Scene, extent: Extent) -> np.ndarray:
    """Which slots' centres lie within the extent, (B, SLOTS)."""
    return scene.there & inside(extent, scene.x, scene.y)


def detection(scene: Scene, extent: Extent, classes: list[str]) -> list[np.ndarray]:
    """float32 (n, 8) per scene: index in `classes`, x, y, length, width (m), heading (rad), vx, vy (m/s over ground).

    All that stands within `extent`, hidden or not.
    """
    index = np.array([classes.index(CLASS_OF[Kind(KINDS[slot])]) for slot in AGENTS], float)
    heading = np.mod(scene.heading + np.pi, 2 * np.pi) - np.pi
    columns = [scene.x, scene.y, scene.size[..., 0], scene.size[..., 1], heading, scene.vx, scene.vy]
    rows = np.stack([np.broadcast_to(index, scene.x[:, AGENTS].shape), *(c[:, AGENTS] for c in columns)], -1)
    keep = visible(scene, extent)[:, AGENTS]
    return [r[k].astype(np.float32) for r, k in zip(rows, keep, strict=True)]


def presence(scene: Scene, extent: Extent) -> list[list[str]]:
    """Classes of which something stands within `extent`."""
    seen = visible(scene, extent)
    return [[name for kind, name in CLASS_OF.items() if row[kind == KINDS].any()] for row in seen]


def trajectories(motion: Motion, scene: Scene, frame: int, extent: Extent) -> list[np.ndarray]:
    """float32 (A, 1 + T, 2) per scene: x, y (m) now and at 0.5 … 3 s, in the ego's present axes, of the vehicles in
    traffic and the people within `extent` (parked vehicles have no future to guess)."""
    at = np.concatenate([[names.now(frame)], steps(frame)])
    x, y = into(scene.pose, motion.x[:, at][..., MOVING].reshape(len(scene.x), -1),
                motion.y[:, at][..., MOVING].reshape(len(scene.x), -1))  # fmt: skip
    shape = (len(scene.x), len(at), len(MOVING))
    paths = np.stack([x.reshape(shape), y.reshape(shape)], -1).transpose(0, 2, 1, 3)
    keep = visible(scene, extent)[:, MOVING]
    return [p[k].astype(np.float32) for p, k in zip(paths, keep, strict=True)]


def intention(scenario: Scenario, motion: Motion, scene: Scene, frame: int, extent: Extent) -> list[str]:
    """What the agent that matters to the ego vehicle does within the next 3 s, one of `INTENTIONS`.

    crossing, waiting   the pedestrian at the crossing, until it is over the road
    turning, yielding   the vehicle that wants to turn across or into the ego's lane, until it has
    braking             the vehicle ahead, harder than 1 m/s² now or within 0.5 s
    clear               nobody of these is within `extent` and ahead
    """
    now, ahead = names.now(frame), visible(scene, extent) & (scene.x > 2)
    span = slice(now, now + names.STRIDE * names.FUTURE + 1)
    side = np.sign(scenario.paths.y[:, PEDESTRIAN, None])
    out = side * motion.d[:, span, PEDESTRIAN]  # how far from the centre line, > 0 on the side it comes from
    steps_out, done = (out < road.KERB).any(1), out[:, 0] < -road.KERB
    person = (scenario.interaction == Interaction.PEDESTRIAN) & ahead[:, PEDESTRIAN] & ~done
    turned_by = motion.length[:, span, TURNER] - scenario.paths.straight[:, TURNER, None]
    enters, through = (turned_by > 4).any(1), turned_by[:, 0] > scenario.paths.arc[:, TURNER] + 4
    turner = np.isin(scenario.interaction, (Interaction.TURNER, Interaction.CROSSER)) & ahead[:, TURNER] & ~through
    soon = motion.acceleration[:, now : now + SOON + 1, LEAD].min(1)
    brakes = ahead[:, LEAD] & (soon < BRAKES) & (scenario.interaction == Interaction.LEAD)
    label = np.full(len(scene.x), "clear", object)
    label[brakes] = "braking"
    label[turner] = np.where(enters, "turning", "yielding")[turner]
    label[person] = np.where(steps_out, "crossing", "waiting")[person]
    return label.tolist()


def plans(
    scenario: Scenario, motion: Motion, scene: Scene, drives: np.ndarray, frame: int, extent: Extent
) -> list[dict[str, Any]]:
    """Per scene: where the ego vehicle drives, and what a plan is judged by.

    waypoints (T, 2) m at 0.5 … 3 s; agents (A, T, 5) x, y, heading, length, width of everybody at these times;
    road (ROAD, ROAD) 1 = carriageway, over `extent`, row 0 farthest ahead, column 0 leftmost; pose (4,) world x, y (m),
    heading (rad), time (s); drive, frame. All in the ego's present axes but the pose.
    """
    at = steps(frame)
    count = len(scene.x)
    x, y = into(scene.pose, motion.x[:, at].reshape(count, -1), motion.y[:, at].reshape(count, -1))
    x, y = x.reshape(count, len(at), -1), y.reshape(count, len(at), -1)
    heading = np.mod(motion.heading[:, at] - scene.pose[:, None, 2:] + np.pi, 2 * np.pi) - np.pi
    size = np.broadcast_to(scene.size[:, None], (*x.shape, 3))
    agents = np.stack([x, y, heading, size[..., 0], size[..., 1]], -1)[:, :, BODIES].transpose(0, 2, 1, 3)
    waypoints = np.stack([x[..., EGO], y[..., EGO]], -1).astype(np.float32)
    surface = road.drivable(scene.layout, *scene.to_road(*chart.cells(ROAD, extent))).astype(np.uint8)
    time = frame * names.BETWEEN * names.STEP
    return [
        {
            "waypoints": waypoints[i],
            "agents": agents[i, scene.there[i, BODIES]].astype(np.float32),
            "road": surface[i],
            "pose": np.array([*scene.pose[i], time], np.float32),
            "drive": int(drives[i]),
            "frame": frame,
        }
        for i in range(count)
    ]
