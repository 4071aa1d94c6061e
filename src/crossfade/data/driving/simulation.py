"""Everybody drives and walks: the intelligent driver model on fixed paths, with a look ahead for what is in the way.

    dv/dt = a [1 − (v/v₀)⁴ − (s*/s)²],   s* = s₀ + v T + v Δv / (2 √(a b))

(Treiber, Hennecke and Helbing 2000, doi:10.1103/PhysRevE.62.1805: the IDM.) The gap s is the distance to the nearest
agent that is in the vehicle's corridor, now or in `AHEAD` s at its present velocity, or to the line at which it
yields. v₀ falls ahead of a bend, so that it can be taken at `TURN_SPEED`. Pedestrians walk as they decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import names
from .overlap import first_collisions
from .road import bend
from .scenario import (
    EGO,
    LEAD,
    MOVERS,
    ONCOMING,
    PEDESTRIAN,
    SLOTS,
    TURN_SPEED,
    TURNER,
    VEHICLES,
    Interaction,
    Scenario,
)

MAX_ACCELERATION, COMFORT, HARD = 1.6, 2.0, 7.0  # a, b and the hardest braking, m/s²
HEADWAY, STANDSTILL = 1.2, 2.0  # T (s), s₀ (m)
BEND_BRAKING = 1.6  # m/s², ahead of a bend
CORRIDOR = 2.5 * np.arange(13)  # m ahead of the front: where the way is looked at
AHEAD = 1.2  # s
LATERAL_VEHICLE, LATERAL_PERSON = 1.9, 1.7  # m from the path: nearer is in the way
OPEN = 1e3  # m: the gap of a free road


def idm(v: np.ndarray, desired: np.ndarray, gap: np.ndarray, closing: np.ndarray) -> np.ndarray:
    """The IDM's acceleration (m/s²) at speed v, desired speed (m/s), gap (m) and closing speed Δv (m/s)."""
    wanted = STANDSTILL + np.maximum(v * HEADWAY + v * closing / (2 * np.sqrt(MAX_ACCELERATION * COMFORT)), 0)
    return MAX_ACCELERATION * (1 - (v / desired) ** 4 - (wanted / np.maximum(gap, 0.1)) ** 2)


@dataclass(frozen=True)
class Motion:
    """World states of a batch at all steps: x, y (m), heading (rad), vx, vy (m/s), (B, STEPS, SLOTS); what never moves
    stands still. `acceleration` is along the path, of the vehicles. `there` (B, SLOTS)."""

    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray
    vx: np.ndarray
    vy: np.ndarray
    acceleration: np.ndarray  # m/s², (B, STEPS, 5)
    s: np.ndarray  # road coordinates, (B, STEPS, SLOTS)
    d: np.ndarray
    length: np.ndarray  # m along their paths, of the movers (B, STEPS, 8)
    there: np.ndarray


def simulate(scenario: Scenario) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All steps of all drives: arc lengths (m) and speeds (m/s) of the movers (B, STEPS, 8), accelerations (m/s²) of
    the vehicles (B, STEPS, 5), and who is there (B, SLOTS).

    Where two bodies would touch, the one that matters less (the later slot, never the ego vehicle) is taken out of the
    drive and all is simulated anew, until nobody touches anybody: the drives are free of collisions by construction.
    """
    there = scenario.there.copy()
    while True:
        run = _run(scenario, there)
        motion = to_world(scenario, *run, there)
        hit = first_collisions(motion.x, motion.y, motion.heading, scenario.size, there, MOVERS)
        if not hit.any():
            return *run, there
        there &= ~hit


def _run(scenario: Scenario, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arc lengths and speeds of the movers (B, STEPS, 8), accelerations of the vehicles (B, STEPS, 5)."""
    count = len(there)
    lengths, speeds = np.empty((2, count, names.STEPS, MOVERS))
    accelerations = np.empty((count, names.STEPS, VEHICLES))
    length, speed = scenario.start.copy(), scenario.speed.copy()
    driven = slice(0, VEHICLES)
    for n in range(names.STEPS):
        time = (n - names.HISTORY) * names.STEP
        _walk(scenario, time, length, speed)
        acceleration = _accelerate(scenario, there, time, length, speed)
        lengths[:, n], speeds[:, n], accelerations[:, n] = length, speed, acceleration
        new = np.maximum(speed[:, driven] + acceleration * names.STEP, 0)
        length[:, driven] += (speed[:, driven] + new) / 2 * names.STEP
        speed[:, driven] = new
    return lengths, speeds, accelerations


def _walk(scenario: Scenario, time: float, length: np.ndarray, speed: np.ndarray) -> None:
    """Pedestrians at this time. The one at the crossing walks up to the kerb, and stops there or goes on."""
    for slot in range(PEDESTRIAN + 1, MOVERS):
        length[:, slot] = scenario.speed[:, slot] * (time + names.HISTORY * names.STEP)
    free = scenario.speed[:, PEDESTRIAN] * (time - scenario.step_time)
    last = np.where(scenario.goes, np.inf, 0.0)
    length[:, PEDESTRIAN] = np.clip(free, -scenario.back, last)
    walks = (free > -scenario.back) & (free < last)
    speed[:, PEDESTRIAN] = np.where(walks, scenario.speed[:, PEDESTRIAN], 0.0)


def _accelerate(
    scenario: Scenario, there: np.ndarray, time: float, length: np.ndarray, speed: np.ndarray
) -> np.ndarray:
    """Accelerations (B, 5) of the vehicles at this moment."""
    paths = scenario.paths
    v, at = speed[:, :VEHICLES], length[:, :VEHICLES]
    bends = paths.angle[:, :VEHICLES] != 0
    left = paths.straight[:, :VEHICLES] - at
    slow = np.sqrt(TURN_SPEED**2 + 2 * BEND_BRAKING * np.maximum(left, 0))
    limit = np.where(bends & (left > -paths.arc[:, :VEHICLES]), slow, np.inf)
    desired = np.minimum(scenario.desired, limit)
    brakes = time >= scenario.brake_time
    desired[:, LEAD] = np.where(brakes, scenario.brake_to, desired[:, LEAD])

    front = scenario.size[:, :VEHICLES, 0] / 2
    front[:, EGO] += names.REAR
    gap, closing = _way(scenario, there, length, speed, front)
    line = _lines(scenario, there, length, speed) - at - front + STANDSTILL
    yields = line < gap
    gap, closing = np.where(yields, line, gap), np.where(yields, v, closing)
    hard = np.full_like(v, HARD)
    hard[:, LEAD] = np.where(brakes, scenario.brake, HARD)
    return np.clip(idm(v, desired, gap, closing), -hard, MAX_ACCELERATION)


def _lines(scenario: Scenario, there: np.ndarray, length: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Arc length (B, 5) of the line at which a vehicle has to wait at this moment; OPEN where nowhere."""
    line = np.full((len(there), VEHICLES), OPEN)
    junction = scenario.layout.junction
    waits = ~scenario.goes & (length[:, EGO] < junction + np.where(scenario.interaction == Interaction.CROSSER, 8, 4))
    line[:, TURNER] = np.where(waits, scenario.stop, OPEN)
    # the ego vehicle, turning left, lets oncoming traffic pass
    start = scenario.paths.straight[:, EGO]
    for slot in ONCOMING:
        s = scenario.paths.x[:, slot] - length[:, slot]
        meets = there[:, slot] & (s > junction - 4) & (s < junction + 6 + 3.5 * speed[:, slot])
        left = start + 2.5 - scenario.size[:, EGO, 0] / 2 - names.REAR - length[:, EGO]
        can = speed[:, EGO] ** 2 < 2 * 4.0 * np.maximum(left, 0.2)  # else it is too late to stop
        line[:, EGO] = np.where(meets & can & (scenario.route > 0), start + 2.5, line[:, EGO])
    return line


def _way(
    scenario: Scenario, there: np.ndarray, length: np.ndarray, speed: np.ndarray, front: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gap (m) and closing speed (m/s), (B, 5), to the nearest agent in each vehicle's corridor."""
    x, y, heading = scenario.paths.at(length)
    vx, vy = speed * np.cos(heading), speed * np.sin(heading)
    x[:, EGO] += names.REAR * np.cos(heading[:, EGO])  # the path is the rear axle's, the body lies before it
    y[:, EGO] += names.REAR * np.sin(heading[:, EGO])
    mine = scenario.paths[:, :VEHICLES, None]
    px, py, pt = mine.at((length[:, :VEHICLES] + front)[..., None] + CORRIDOR)  # (B, 5, K)
    cos, sin = np.cos(pt), np.sin(pt)
    gap, closing = np.full(front.shape, OPEN), np.zeros(front.shape)
    for other in range(MOVERS):
        rows = np.flatnonzero(there[:, other])
        if not len(rows):
            continue
        reach = LATERAL_VEHICLE if other < VEHICLES else LATERAL_PERSON
        its_vx, its_vy = vx[rows, other, None, None], vy[rows, other, None, None]
        dx, dy = px[rows] - x[rows, other, None, None], py[rows] - y[rows, other, None, None]
        near = dx * dx + dy * dy < reach**2
        dx, dy = dx - AHEAD * its_vx, dy - AHEAD * its_vy
        near |= dx * dx + dy * dy < reach**2
        if other < VEHICLES:
            near[:, other] = False
        first = near.argmax(-1)
        along = cos[rows] * its_vx + sin[rows] * its_vy
        with_me = np.maximum(np.take_along_axis(along, first[..., None], -1)[..., 0], 0)
        distance = np.where(near.any(-1), np.maximum(CORRIDOR[first], 0.1), OPEN)
        nearer = distance < gap[rows]
        closing[rows] = np.where(nearer, speed[rows, :VEHICLES] - with_me, closing[rows])
        gap[rows] = np.where(nearer, distance, gap[rows])
    return gap, closing


def to_world(
    scenario: Scenario, lengths: np.ndarray, speeds: np.ndarray, accelerations: np.ndarray, there: np.ndarray
) -> Motion:
    """Road coordinates and path speeds → world states."""
    count = len(there)
    s, d, heading = (
        np.broadcast_to(scenario.place[:, None], (count, names.STEPS, SLOTS, 3)).transpose(3, 0, 1, 2).copy()
    )
    s[..., :MOVERS], d[..., :MOVERS], heading[..., :MOVERS] = scenario.paths[:, None].at(lengths)
    curvature = scenario.layout.curvature[:, None, None]
    x, y = bend(curvature, s, d)
    along, across = np.zeros_like(s), np.zeros_like(s)
    along[..., :MOVERS] = speeds * np.cos(heading[..., :MOVERS]) * (1 - curvature * d[..., :MOVERS])
    across[..., :MOVERS] = speeds * np.sin(heading[..., :MOVERS])
    turn = curvature * s
    cos, sin = np.cos(turn), np.sin(turn)
    moving = np.hypot(along, across) > 0
    world = turn + np.where(moving, np.arctan2(across, along), heading)
    return Motion(
        x, y, world, cos * along - sin * across, sin * along + cos * across, accelerations, s, d, lengths, there
    )
