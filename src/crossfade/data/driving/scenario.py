"""What a drive begins with: its road, who is on it, where they want to go, and how they are going to behave.

Every drive holds at most one interaction that matters to the ego vehicle (`Interaction`): a pedestrian at the
crossing, an oncoming vehicle that wants to turn across the ego's lane, a vehicle that wants to turn into it from the
right, or a vehicle ahead that brakes. Whether the pedestrian steps out and whether the vehicle goes first is decided
by gap acceptance: it goes where the ego vehicle would need `GAP` s longer to get there, give or take.
All others (oncoming traffic, people on the pavement, parked vehicles, signs, bushes, posts, walls) are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from crossfade.data.synthetic.draws import Uniforms, choose

from . import names
from .paths import Paths
from .road import CORNER, KERB, LANE, MIN_CURVATURE, SIDE, Layout

UNIFORMS = 160
FAR = 1000.0  # m: where a junction or crossing lies that a drive does not have

EGO, LEAD, TURNER, ONCOMING, PEDESTRIAN, WALKERS = 0, 1, 2, (3, 4), 5, (6, 7)
VEHICLES, MOVERS = 5, 8  # slots 0–4 are driven, 0–7 move
PARKED, SIGNS, BUSHES, POSTS, WALLS = (8, 9, 10), (11, 12), (13, 14, 15), (16, 17, 18), (19, 20, 21, 22)
SLOTS = 23

GAP = {"turner": 2.1, "crosser": 2.3, "pedestrian": 1.3}  # s
APPROACH = 60.0  # m of straight path before an arc; what counts is where on it a vehicle starts
TURN_SPEED = 4.2  # m/s


class Interaction(IntEnum):
    NONE, PEDESTRIAN, TURNER, CROSSER, LEAD = range(5)


SHARES = np.array([0.15, 0.36, 0.18, 0.17, 0.14])  # of the interactions, in their order


class Kind(IntEnum):
    VEHICLE, PEDESTRIAN, SIGN, BUSH, POST, WALL = range(6)


KINDS = np.array(
    [Kind.VEHICLE] * 5 + [Kind.PEDESTRIAN] * 3 + [Kind.VEHICLE] * 3 + [Kind.SIGN] * 2
    + [Kind.BUSH] * 3 + [Kind.POST] * 3 + [Kind.WALL] * 4
)  # fmt: skip


@dataclass
class Scenario:
    """A batch of drives before anything moves; lengths in m, times in s (0 = the first frame), angles in rad.

    `paths` (B, 8) of the movers in road coordinates, `start` (B, 8) the arc length and `speed` (B, 8) at the first
    simulated state; `desired` (B, 5) of the vehicles. `there` (B, SLOTS), `size` (B, SLOTS, 3) length, width,
    height; `place` (B, SLOTS, 3) s, d, heading of what stands still. `paint` (B, SLOTS) uniform: colours.
    """

    layout: Layout
    interaction: np.ndarray
    route: np.ndarray  # −1 right, 0 straight, 1 left
    paths: Paths
    start: np.ndarray
    speed: np.ndarray
    desired: np.ndarray
    goes: np.ndarray  # bool (B,): the other goes first; the pedestrian crosses
    stop: np.ndarray  # (B,) arc length at which the turner's front waits
    brake_time: np.ndarray  # of the lead; inf: never
    brake: np.ndarray  # m/s²
    brake_to: np.ndarray  # m/s
    step_time: np.ndarray  # when the pedestrian is (or would be) at the kerb
    back: np.ndarray  # m: how far from the kerb it starts
    there: np.ndarray
    size: np.ndarray
    place: np.ndarray
    paint: np.ndarray


def draw_layout(u: Uniforms, interaction: np.ndarray) -> Layout:
    """Roads of a batch: what the interaction needs is there, the rest by chance."""
    straight, bent = u.take() < 0.4, u.between(1 / 400, 1 / 110)
    sign = np.where(u.take() < 0.5, -1.0, 1.0)
    meets = np.isin(interaction, (Interaction.TURNER, Interaction.CROSSER))
    exists = meets | (u.take() < 0.75)
    left, right = exists & (u.take() < 0.6), exists & (meets | (u.take() < 0.7))
    right |= exists & ~left & ~right
    near = u.take()
    junction = np.where(exists, np.where(meets, 16 + 20 * near, 9 + 21 * near), FAR)
    zebra = (interaction == Interaction.PEDESTRIAN) | (u.take() < 0.5)
    beside = np.where(u.take() < 0.6, -1.0, 1.0) * (SIDE + CORNER + 1)
    crossing = np.where(exists, junction + beside, u.between(10, 30))
    curvature = np.where(straight, MIN_CURVATURE, sign * bent)
    return Layout(curvature, junction, left, right, np.where(zebra, crossing, FAR), zebra)


def draw(u: Uniforms) -> Scenario:
    """Draw a batch of drives from `UNIFORMS` numbers each."""
    interaction = choose(SHARES[None], u.take())
    layout = draw_layout(u, interaction)
    count = len(interaction)
    paint = np.stack([u.take() for _ in range(SLOTS)], 1)
    free = ~np.isin(interaction, (Interaction.TURNER, Interaction.CROSSER))
    turns = np.stack([layout.right & free, np.ones(count, bool), layout.left & free], 1) * np.array([0.4, 0.2, 0.4])
    route = choose(turns / turns.sum(1, keepdims=True), u.take()) - 1
    cruise = u.between(5.0, 12.5)
    v = cruise * u.between(0.8, 1.0)

    none = np.zeros(count)
    x, y, heading, first = (np.zeros((count, MOVERS)) for _ in range(4))
    radius, angle = np.ones((count, MOVERS)), np.zeros((count, MOVERS))
    start, speed, desired = np.zeros((count, MOVERS)), np.zeros((count, MOVERS)), np.ones((count, VEHICLES))
    first[:] = FAR
    there = np.zeros((count, SLOTS), bool)
    size = np.ones((count, SLOTS, 3)) * np.array([4.5, 1.85, 1.55])
    place = np.zeros((count, SLOTS, 3))
    junction, crossing = layout.junction, layout.crossing

    # the ego vehicle; arc length 0 is reached at about time 0
    there[:, EGO] = True
    size[:, EGO] = names.EGO_SIZE
    y[:, EGO] = -LANE / 2
    bend_radius = np.where(route < 0, 6.0, 8.0)
    turning = route != 0
    first[:, EGO] = np.where(turning, junction + route * LANE / 2 - bend_radius, FAR)
    radius[:, EGO], angle[:, EGO] = bend_radius, route * np.pi / 2
    start[:, EGO], speed[:, EGO], desired[:, EGO] = -2 * v, v, cruise

    # the vehicle ahead, on the ego's path
    for values in (x, y, first, radius, angle):
        values[:, LEAD] = values[:, EGO]
    there[:, LEAD] = (interaction == Interaction.LEAD) | ((interaction == Interaction.NONE) & (u.take() < 0.5))
    start[:, LEAD] = start[:, EGO] + 6 + u.between(8, 22)
    speed[:, LEAD] = v * u.between(0.8, 1.1)
    desired[:, LEAD] = cruise * u.between(0.7, 1.1)
    brakes = interaction == Interaction.LEAD
    brake_time = np.where(brakes, u.between(-1.0, 0.4), np.inf)
    brake, brake_to = u.between(2.0, 3.5), np.maximum(speed[:, LEAD] * u.between(0.0, 0.4), 0.3)

    # who turns across or into the ego's lane
    crosser = interaction == Interaction.CROSSER
    there[:, TURNER] = crosser | (interaction == Interaction.TURNER)
    x[:, TURNER] = np.where(crosser, junction + LANE / 2, junction - LANE / 2 + 8 + APPROACH)
    y[:, TURNER] = np.where(crosser, -LANE / 2 - 6 - APPROACH, LANE / 2)
    heading[:, TURNER] = np.where(crosser, np.pi / 2, np.pi)
    first[:, TURNER], radius[:, TURNER] = APPROACH, np.where(crosser, 6.0, 8.0)
    angle[:, TURNER] = np.where(crosser, -np.pi / 2, np.pi / 2)
    approach, arrival = u.between(5, 10.5), u.between(-0.6, 2.6)
    start[:, TURNER] = APPROACH - (arrival + 2) * (approach + TURN_SPEED) / 2
    speed[:, TURNER] = desired[:, TURNER] = approach
    stop = APPROACH + np.where(crosser, 1.2, 2.0)
    logistic = u.take()
    doubt = 0.25 * np.log(np.maximum(logistic, 1e-9) / (1 - logistic))
    goes = junction / v > arrival + np.where(crosser, GAP["crosser"], GAP["turner"]) + doubt

    # oncoming traffic
    more = np.where(route > 0, 0.5, 0.25)
    ahead = u.between(15, 90)
    pace, follows = u.between(3.5, 13), u.between(14, 35)
    for k, slot in enumerate(ONCOMING):
        there[:, slot] = (u.take() < (more if k == 0 else 0.5)) & (interaction != Interaction.TURNER)
        x[:, slot], y[:, slot], heading[:, slot] = ahead + k * follows, LANE / 2, np.pi
        speed[:, slot] = desired[:, slot] = pace * (1 - 0.1 * k)
    there[:, ONCOMING[1]] &= there[:, ONCOMING[0]]

    # the pedestrian at the crossing
    there[:, PEDESTRIAN] = interaction == Interaction.PEDESTRIAN
    side = np.where(u.take() < 0.6, -1.0, 1.0)  # −1: from the ego's side
    x[:, PEDESTRIAN], y[:, PEDESTRIAN] = crossing + u.between(-0.8, 0.8), side * (KERB + 0.5)
    heading[:, PEDESTRIAN] = -side * np.pi / 2
    speed[:, PEDESTRIAN] = u.between(1.1, 1.7)
    back, willing = u.between(0.0, 2.2), u.take() < 0.8
    step_time = u.between(-1.2, 2.2)
    crosses = willing & (crossing / v > np.maximum(step_time, 0) + GAP["pedestrian"])
    goes = np.where(there[:, PEDESTRIAN], crosses, goes)
    step_time = np.where(there[:, PEDESTRIAN] & ~goes, step_time - 1.0, step_time)

    # people on the pavement
    for slot in WALKERS:
        there[:, slot] = u.take() < 0.18
        toward = np.where(u.take() < 0.5, 0.0, np.pi)
        x[:, slot] = u.between(4, 42)
        y[:, slot] = np.where(u.take() < 0.5, -1.0, 1.0) * u.between(6.8, 8.2)
        heading[:, slot] = toward
        speed[:, slot] = np.where(u.take() < 0.4, 0.0, u.between(0.8, 2.2))
    for slot in (PEDESTRIAN, *WALKERS):
        size[:, slot] = np.stack([none + 0.55, none + 0.6, u.between(1.55, 1.9)], 1)

    for slot in (LEAD, TURNER, *ONCOMING, *PARKED):
        grow = u.take()
        size[:, slot] = np.stack([4.0 + 1.0 * grow, 1.7 + 0.25 * grow, 1.42 + 0.5 * grow**3], 1)
    _draw_standing(u, layout, there, size, place)
    return Scenario(
        layout, interaction, route, Paths(x, y, heading, first, radius, angle), start, speed, desired, goes, stop,
        brake_time, brake, brake_to, step_time, back, there, size, place, paint,
    )  # fmt: skip


def _draw_standing(u: Uniforms, layout: Layout, there: np.ndarray, size: np.ndarray, place: np.ndarray) -> None:
    """Parked vehicles, signs, bushes, posts and walls; none on a side road, parked ones off the crossing, too."""
    arms, junction, crossing = layout.left | layout.right, layout.junction, layout.crossing

    def put(slot: int, share: float, s: np.ndarray, d: np.ndarray, clear: float, free: float) -> None:
        there[:, slot] = (u.take() < share) & ~(arms & (np.abs(s - junction) < clear)) & (np.abs(s - crossing) > free)
        place[:, slot] = np.stack([s, d, np.where(d > 0, np.pi, 0.0)], 1)

    def either() -> np.ndarray:
        return np.where(u.take() < 0.5, -1.0, 1.0)

    for k, slot in enumerate(PARKED):
        put(slot, 0.24, u.between(5, 42), either() * 4.75, SIDE + CORNER + 4, 4.8)
        for other in PARKED[:k]:
            near = np.abs(place[:, slot, 0] - place[:, other, 0]) < 6.5
            there[:, slot] &= ~(there[:, other] & near & (place[:, slot, 1] * place[:, other, 1] > 0))
    put(SIGNS[0], 0.55, np.where(layout.zebra, crossing - 2.0, FAR), np.full(len(arms), -6.3), 0, 0)
    there[:, SIGNS[0]] &= layout.zebra
    put(SIGNS[1], 0.15, u.between(6, 42), either() * 6.3, SIDE + CORNER, 3)
    for slot in SIGNS:
        size[:, slot] = (0.12, 0.75, 2.3)
    for slot in BUSHES:
        put(slot, 0.5, u.between(3, 42), either() * u.between(9.0, 10.2), SIDE + CORNER + 1, 0)
        wide = u.between(0.7, 1.9)
        size[:, slot] = np.stack([wide, wide, u.between(0.9, 2.0)], 1)
    for slot in POSTS:
        put(slot, 0.45, u.between(3, 42), either() * u.between(6.2, 8.3), SIDE + CORNER, 2.5)
        wide = u.between(0.35, 0.65)
        size[:, slot] = np.stack([wide, wide, u.between(0.9, 1.8)], 1)
    for k, slot in enumerate(WALLS):
        side, end = (-1.0 if k < 2 else 1.0), (-1.0 if k % 2 else 1.0)
        long, deep = u.between(12, 18), u.between(4, 8)
        corner = np.where(arms, junction, 22.0) + end * (SIDE + 2.5 + long / 2)
        put(slot, 0.6, corner + end * u.between(0, 6), side * (u.between(10.5, 13) + deep / 2), 0, 0)
        size[:, slot] = np.stack([long, deep, u.between(3.5, 9)], 1)
