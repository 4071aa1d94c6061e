"""What is asked of a driven path besides its accuracy: no collision, on the road, comfortable, steady.

A path is its waypoints (N, T, 2) in m at `rate` Hz: where the rear axle will be, seen from where it is now, x ahead.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from crossfade.plane import Plane

STANDING = 0.2  # m between two waypoints below which the direction of a path says nothing of the heading


def headings(path: Tensor) -> Tensor:
    """Heading in rad (N, T): that of the chord from the waypoint before to the one after; held where it stands."""
    points = torch.cat([torch.zeros_like(path[:, :1]), path], 1)
    ahead = torch.cat([points[:, 2:], points[:, -1:]], 1)
    chord = ahead - points[:, :-1]
    now = torch.zeros_like(path[:, 0, 0])
    found = []
    for t in range(path.shape[1]):
        turned = torch.atan2(chord[:, t, 1], chord[:, t, 0])
        now = torch.where(chord[:, t].norm(dim=-1) >= STANDING, turned, now)
        found.append(now)
    return torch.stack(found, 1)


def footprints(path: Tensor, length: float, width: float, overhang: float) -> Tensor:
    """Boxes x, y, heading, length, width (N, T, 5) of the vehicle on a path, its rear `overhang` m behind the axle."""
    heading = headings(path)
    ahead = torch.stack([heading.cos(), heading.sin()], -1) * (length / 2 - overhang)
    size = torch.tensor([length, width]).expand(*path.shape[:2], 2)
    return torch.cat([path + ahead, heading.unsqueeze(-1), size], -1)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Whether boxes x, y, heading, length, width (…, 5) overlap, bool (…); NaN does not.

    Two convex shapes are apart if and only if a line along a side of one of them separates them (separating axes:
    Gottschalk et al. 1996, doi:10.1145/237170.237244, section 5).
    """
    between = b[..., :2] - a[..., :2]
    sides_a, sides_b = _sides(a), _sides(b)
    meets = torch.ones_like(between[..., 0], dtype=torch.bool)
    for axis in (*sides_a, *sides_b):
        unit = axis / axis.norm(dim=-1, keepdim=True)
        reach = sum((side * unit).sum(-1).abs() for side in (*sides_a, *sides_b))
        meets = meets & ((between * unit).sum(-1).abs() < reach)
    return meets


def _sides(box: Tensor) -> tuple[Tensor, Tensor]:
    """Half of the length along the heading and half of the width across it, as vectors (…, 2)."""
    cos, sin = box[..., 2].cos(), box[..., 2].sin()
    along, across = torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)
    return along * box[..., 3:4] / 2, across * box[..., 4:5] / 2


def outline(box: Tensor) -> Tensor:
    """Corners and middles of the sides of a box (…, 5) → (…, 8, 2) in m."""
    along, across = (side.unsqueeze(-2) for side in _sides(box))
    around = torch.tensor([[1, 1], [1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1], [0, 1]], dtype=box.dtype)
    return box[..., None, :2] + around[:, :1] * along + around[:, 1:] * across


def collides(boxes: Tensor, agents: Tensor) -> Tensor:
    """Whether the boxes (N, T, 5) ever overlap one of the agents' (N, A, T, 5) at the same moment, bool (N,)."""
    return overlap(boxes.unsqueeze(1), agents).flatten(1).any(1)


def leaves(boxes: Tensor, road: Tensor, extent: tuple[float, float, float, float]) -> Tensor:
    """Whether a corner or a side's middle of the boxes (N, T, 5) ever lies where road (N, R, R) is 0, bool (N,).

    Beyond the raster its outermost cells go on.
    """
    plane = Plane(extent, road.shape[-1])
    cells = plane.index(plane.place(outline(boxes))).flatten(1)
    return (road.flatten(1).gather(1, cells) <= 0).any(1)


def comfort(path: Tensor, rate: float) -> Tensor:
    """Peaks along each path (N, 2): jerk in m/s³, lateral acceleration |v × a|/|v| in m/s², by finite differences."""
    points = torch.cat([torch.zeros_like(path[:, :1]), path], 1)
    velocity = points.diff(dim=1) * rate
    acceleration = velocity.diff(dim=1) * rate
    jerk = acceleration.diff(dim=1) * rate
    v = (velocity[:, 1:] + velocity[:, :-1]) / 2
    across = (v[..., 0] * acceleration[..., 1] - v[..., 1] * acceleration[..., 0]).abs()
    lateral = across / v.norm(dim=-1).clamp(min=STANDING * rate)
    return torch.stack([jerk.norm(dim=-1).amax(1), lateral.amax(1)], -1)


def between_frames(path: Tensor, pose: Tensor, drive: Tensor, frame: Tensor, rate: float) -> Tensor:
    """Mean distance in m (N,) of each path from that of the next frame of the same drive, where both say something.

    pose (N, 4): x, y in m and heading in rad of the vehicle in the world, time in s. NaN where no next frame is there.
    """
    order = torch.from_numpy(np.lexsort([frame.numpy(), drive.numpy()]))
    one, next_one = order[:-1], order[1:]
    follows = (drive[one] == drive[next_one]) & (frame[one] + 1 == frame[next_one])
    has, after = torch.zeros(len(path), dtype=torch.bool), torch.arange(len(path))
    has[one], after[one] = follows, next_one
    gap = pose[after, 3] - pose[:, 3]
    now, later = _in_world(path, pose), _in_world(path[after], pose[after])
    later = torch.cat([pose[after, None, :2], later], 1)
    steps = path.shape[1]
    # this path's moments, in steps of the next frame's path
    at = (torch.arange(1, steps + 1) - gap[:, None] * rate).nan_to_num(-1.0)
    low = at.clamp(0, steps - 1e-3).floor()
    share = (at - low).clamp(0, 1).unsqueeze(-1)
    index = low.long().unsqueeze(-1).expand(-1, -1, 2)
    there = later.gather(1, index) * (1 - share) + later.gather(1, index + 1) * share
    both = (at > 1e-3) & (at < steps + 1e-3) & has[:, None]  # at 0 the next frame does not plan, it is there
    away = (now - there).norm(dim=-1)
    return torch.where(both, away, 0.0).sum(1) / both.sum(1)


def _in_world(path: Tensor, pose: Tensor) -> Tensor:
    cos, sin = pose[:, 2].cos(), pose[:, 2].sin()
    turn = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], 1)
    return path @ turn + pose[:, None, :2]
