"""The household's rhythm: who is away, asleep or up, in which room, and whether they move; the pet too.

Every resident has usual hours; each day departs from them. Workers leave on weekdays, all go out at times, some days
the whole household is on a trip. At night they may get up. Rooms follow the time of day and last some minutes. Whoever
comes home is in the hall first, whoever wakes up in the bedroom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .households import HOME_OFFICE, PEOPLE, WORKER, Households
from .names import BEDROOM, DAY, DAYS, HALL, HOUR, PER_DAY, ROOMS, STEPS

DAILY = 10  # uniform numbers per resident and day

# p(room | up) by time of day: living room, kitchen, bedroom, bathroom, hall
BY_HOUR: dict[tuple[int, int], tuple[float, ...]] = {
    (0, 6): (0.15, 0.30, 0.10, 0.40, 0.05),
    (6, 9): (0.15, 0.35, 0.20, 0.22, 0.08),
    (9, 12): (0.48, 0.18, 0.20, 0.08, 0.06),
    (12, 14): (0.35, 0.42, 0.11, 0.06, 0.06),
    (14, 18): (0.48, 0.18, 0.20, 0.08, 0.06),
    (18, 20): (0.36, 0.42, 0.10, 0.06, 0.06),
    (20, 24): (0.55, 0.11, 0.18, 0.12, 0.04),
}
STAYS = 0.72  # probability that the room is the same five minutes later
TRIP, LONG_TRIP = 0.12, 0.06  # share of days on which one starts, and on which one of two nights does
MOVES = (0.45, 0.8, 0.5, 0.6, 1.0)  # p(moves about | room); else sits, or lies


@dataclass(frozen=True)
class Rhythm:
    """(H, P, T) per resident, (H, T) of the pet; T steps of five minutes."""

    home: np.ndarray  # bool
    up: np.ndarray  # bool: at home and awake
    room: np.ndarray  # index into ROOMS; of whoever is not up: the bedroom
    moves: np.ndarray  # bool: up and walking about
    pet_moves: np.ndarray  # bool
    pet_room: np.ndarray


def room_table() -> np.ndarray:
    """p(room | hour of the day), (T, rooms)."""
    table = np.zeros((STEPS, len(ROOMS)))
    for (start, stop), row in BY_HOUR.items():
        table[(start <= HOUR) & (stop > HOUR)] = row
    return table


def simulate(homes: Households, daily: np.ndarray, trips: np.ndarray, steps: np.ndarray, pet: np.ndarray) -> Rhythm:
    """From uniform numbers: `daily` (H, P, D, DAILY), `trips` (H, D, 2), `steps` (H, P, T, 3), `pet` (H, T, 3)."""
    exists = np.arange(PEOPLE) < homes.residents[:, None]
    out = _away(homes, daily) | _trips(trips)[:, None]
    up = _awake(homes, daily)
    home = ~out & exists[..., None]
    up &= home
    woke = up & ~np.roll(up, 1, axis=-1) & np.roll(home, 1, axis=-1)
    came = home & ~np.roll(home, 1, axis=-1)
    room = _rooms(steps[..., 0], steps[..., 1], {BEDROOM: woke, HALL: came}, room_table())
    moves = up & (steps[..., 2] < np.take(MOVES, room))
    pet_moves = homes.pet[:, None] & (pet[..., 0] < np.where((HOUR > 6.5) & (HOUR < 22.5), 0.3, 0.15))
    pet_room = _rooms(pet[..., 1], pet[..., 2], {}, np.tile([0.6, 0.15, 0.1, 0.05, 0.1], (STEPS, 1)))
    return Rhythm(home, up, np.where(up, room, BEDROOM), moves, pet_moves, pet_room)


def _by_step(value: np.ndarray) -> np.ndarray:
    """(H, P, D) → (H, P, T): a value of the day at each of its steps."""
    return np.repeat(value, PER_DAY, axis=-1)


def _awake(homes: Households, u: np.ndarray) -> np.ndarray:
    late = (homes.weekday[:, None] + np.arange(DAYS)) % 7 >= 5  # (H, D)
    spread = u[..., 0] + u[..., 1] - 1  # triangular on (−1, 1)
    wake = homes.wake[..., None] + 0.6 * spread + late[:, None] * 1.2
    bed = np.minimum(homes.bed[..., None] + 0.8 * (u[..., 2] + u[..., 3] - 1), 23.9)
    awake = (_by_step(wake) <= HOUR) & (_by_step(bed) > HOUR)
    visit = 0.3 + (wake - 1.3) * u[..., 4]
    visits = u[..., 5] < 0.5
    return awake | (_by_step(visits) & (_by_step(visit) <= HOUR) & (_by_step(visit) + 2.5 / 12 > HOUR))


def _away(homes: Households, u: np.ndarray) -> np.ndarray:
    late = (homes.weekday[:, None] + np.arange(DAYS)) % 7 >= 5
    job = homes.job[..., None]
    at_work = (job == WORKER) & ~late[:, None] & (u[..., 6] > 0.08)
    shift = 0.5 * (u[..., 0] - u[..., 3])
    start = np.where(at_work, homes.leave[..., None] + shift, 9.5 + 7 * u[..., 7])
    long = np.where(job == HOME_OFFICE, 1.5, 3.0)
    stop = np.where(at_work, homes.back[..., None] + shift + u[..., 8], start + long * (0.3 + u[..., 8]))
    goes = at_work | (u[..., 9] < np.where(late[:, None], 0.6, 0.5))
    return _by_step(goes) & (_by_step(start) <= HOUR) & (_by_step(stop) > HOUR)


def _trips(u: np.ndarray) -> np.ndarray:
    """The whole household is away, (H, T): from a morning until the next evening, or the one after that."""
    at = np.arange(STEPS) / PER_DAY
    starts = np.arange(DAYS) + 8 / 24 + u[..., 1] / 12
    lasts = np.where(u[..., 0] < LONG_TRIP, 58 / 24, 34 / 24)  # days
    during = (starts[..., None] <= at) & ((starts + lasts)[..., None] > at)
    return np.asarray(((u[..., 0] < TRIP)[..., None] & during).any(axis=1))


def _rooms(change: np.ndarray, choice: np.ndarray, forced: dict[int, np.ndarray], table: np.ndarray) -> np.ndarray:
    """Rooms (…, T) that last: drawn by `table` where `change` says so or after a forced one, else as before."""
    drawn = (choice[..., None] >= np.cumsum(table, axis=-1)[..., :-1]).sum(-1)
    new = change > STAYS
    for room, where in forced.items():
        drawn = np.where(where, room, drawn)
        new |= where | np.roll(where, 1, axis=-1)
    new[..., 0] = True
    last = np.maximum.accumulate(np.where(new, np.arange(STEPS), 0), axis=-1)
    return np.take_along_axis(drawn, last, axis=-1)


def weekend(homes: Households) -> np.ndarray:
    """Whether a step lies on a Saturday or Sunday, bool (H, T)."""
    return (homes.weekday[:, None] + DAY) % 7 >= 5
