"""Road, paths, driver model and truths: closed forms, no collisions, and frames that move as their velocities say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from crossfade.data.driving import chart, names, odometry, road, simulation, truths
from crossfade.data.driving.overlap import overlap
from crossfade.data.driving.paths import Paths
from crossfade.data.driving.scenario import EGO, LEAD, PEDESTRIAN, TURNER, Interaction
from crossfade.data.driving.scene import into
from crossfade.data.driving.world import Worlds

EXTENT = (0.0, 40.0, -20.0, 20.0)
DRIVES = np.arange(64)
ALL = range(names.FRAMES)


@pytest.fixture(scope="module")
def world():
    return Worlds(0, 64, {"rain": 0.2, "fog": 0.1, "night": 0.3}, cache=False).prepare().block(DRIVES)


def test_at_the_equilibrium_gap_nobody_accelerates():
    """s_e(v) = (s₀ + v T) / √(1 − (v/v₀)⁴) at equal speeds."""
    v, desired = np.array([2.0, 6.0, 9.9]), 10.0
    gap = (simulation.STANDSTILL + v * simulation.HEADWAY) / np.sqrt(1 - (v / desired) ** 4)
    assert simulation.idm(v, desired, gap, np.zeros(3)) == pytest.approx(0, abs=1e-12)
    assert (simulation.idm(v, desired, gap - 1, np.zeros(3)) < 0).all()
    assert (simulation.idm(v, desired, gap + 1, np.zeros(3)) > 0).all()


def test_a_free_vehicle_drives_as_the_equation_says(world):
    """The simulated speed against an accurate integration of dv/dt = a (1 − (v/v₀)⁴)."""
    free = (world.scenario.interaction == Interaction.NONE) & world.motion.there[:, LEAD] & (world.scenario.route == 0)
    assert free.any()
    times = names.STEP * np.arange(names.STEPS)
    for i in np.flatnonzero(free):
        v0 = world.scenario.desired[i, LEAD]
        exact = solve_ivp(
            lambda _, v, v0=v0: simulation.MAX_ACCELERATION * (1 - (v / v0) ** 4), (0, times[-1]),
            [world.scenario.speed[i, LEAD]], t_eval=times, rtol=1e-8,
        ).y[0]  # fmt: skip
        driven = np.gradient(world.motion.length[i, :, LEAD], names.STEP)[1:-1]
        assert driven == pytest.approx(exact[1:-1], abs=0.05)


@given(st.floats(-1 / 100, 1 / 100), st.floats(-60, 60), st.floats(-20, 20))
@settings(max_examples=60, deadline=None)
def test_road_coordinates_are_inverted(curvature, s, d):
    kappa = np.array([curvature if abs(curvature) > 1e-6 else 1e-6])
    assert road.straighten(kappa, *road.bend(kappa, np.array([s]), np.array([d]))) == pytest.approx(
        np.array([[s], [d]]), abs=1e-6
    )


def test_a_bent_road_is_a_circle():
    kappa = np.array([1 / 50])
    assert road.bend(kappa, np.array([25 * np.pi]), np.array([0.0])) == pytest.approx(np.array([[50.0], [50.0]]))


def test_a_path_turns_by_its_angle_on_its_radius():
    one = Paths(*(np.array([v]) for v in (0.0, 0.0, 0.0, 10.0, 8.0, np.pi / 2)))
    arc = 8 * np.pi / 2
    for length, expected in ((4.0, (4, 0, 0)), (10 + arc, (18, 8, np.pi / 2)), (13 + arc, (18, 11, np.pi / 2)),
                             (10 + arc / 2, (10 + 8 * 0.5**0.5, 8 - 8 * 0.5**0.5, np.pi / 4))):  # fmt: skip
        assert np.array(one.at(np.array([length])))[:, 0] == pytest.approx(expected)
    right = Paths(*(np.array([v]) for v in (0.0, 0.0, np.pi, 0.0, 6.0, -np.pi / 2)))
    assert np.array(right.at(np.array([3 * np.pi])))[:, 0] == pytest.approx([-6, 6, np.pi / 2])


def test_rectangles_overlap_as_a_grid_of_points_says():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 41)] * 2), -1).reshape(-1, 2)
    agree = 0
    for _ in range(200):
        (x, y), t1, t2 = rng.uniform(-4, 4, 2), *rng.uniform(-np.pi, np.pi, 2)
        a, b, c, d = rng.uniform(0.3, 2.5, 4)

        def turn(p, t):
            return p @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])

        inside = np.abs(turn(turn(grid * [a, b], t1) - [x, y], -t2)) <= [c, d]
        truth = inside.all(1).any()
        agree += overlap(0.0, 0.0, t1, a, b, x, y, t2, c, d) == truth
    assert agree >= 198  # a corner that only just reaches may fall between the grid's points


def test_nobody_touches_the_ego_vehicle_and_it_stays_on_the_road(world):
    m, size = world.motion, world.scenario.size
    x, y, heading = m.x[..., EGO], m.y[..., EGO], m.heading[..., EGO]
    cx, cy = x + names.REAR * np.cos(heading), y + names.REAR * np.sin(heading)
    for other in truths.BODIES[1:]:
        touch = overlap(
            cx, cy, heading, 2.25, 0.95, m.x[..., other], m.y[..., other], m.heading[..., other],
            size[:, None, other, 0] / 2, size[:, None, other, 1] / 2,
        )  # fmt: skip
        assert not (touch & m.there[:, None, other]).any()
    curvature = world.scenario.layout.curvature[:, None]
    for ax in (-2.25, 2.25):
        for ay in (-0.95, 0.95):
            corner = cx + ax * np.cos(heading) - ay * np.sin(heading), cy + ax * np.sin(heading) + ay * np.cos(heading)
            assert road.drivable(world.scenario.layout, *road.straighten(curvature, *corner)).all()


def test_velocities_are_the_derivatives_of_positions(world):
    m = world.motion
    for place, velocity in ((m.x, m.vx), (m.y, m.vy)):
        difference = (place[:, 2:] - place[:, :-2]) / (2 * names.STEP) - velocity[:, 1:-1]
        smooth = np.abs(np.diff(velocity, 2, axis=1)).max(1) < 0.05
        assert np.abs(difference).max(1)[smooth & m.there].max() < 0.05
        assert np.abs(np.median(difference)) < 1e-3


def test_consecutive_frames_move_as_their_velocities_say(world):
    """From one frame to the next, in the world: displacement ≈ mean velocity × 0.5 s."""
    for frame in range(names.FRAMES - 1):
        one, two = world.look(frame), world.look(frame + 1)
        dt = names.BETWEEN * names.STEP
        place = [into(-np.stack([*_origin(s), s.pose[:, 2]], 1), s.x, s.y) for s in (one, two)]
        moved = np.stack(place[1]) - np.stack(place[0])
        velocity = [np.stack(into(np.stack([0 * s.pose[:, 0], 0 * s.pose[:, 0], -s.pose[:, 2]], 1), s.vx, s.vy))
                    for s in (one, two)]  # fmt: skip
        error = np.hypot(*(moved - dt * (velocity[0] + velocity[1]) / 2))
        steady = np.hypot(*(velocity[1] - velocity[0])) < 0.2
        assert error[one.there & steady].max() < 0.5  # who brakes and lets go in between
        assert np.quantile(error[one.there & steady], 0.95) < 0.02


def _origin(scene):
    """World origin in the scene's axes, so that `into` maps back to the world."""
    cos, sin = np.cos(scene.pose[:, 2]), np.sin(scene.pose[:, 2])
    return cos * scene.pose[:, 0] + sin * scene.pose[:, 1], -sin * scene.pose[:, 0] + cos * scene.pose[:, 1]


def test_the_ego_series_integrates_to_the_way_driven(world):
    series = odometry.truth(world.motion, 1)
    now = names.now(1)
    speed, yaw = series[..., 0], series[..., 1]
    turned = (world.motion.heading[:, now, EGO] - world.motion.heading[:, now - 19, EGO] + np.pi) % (2 * np.pi) - np.pi
    assert np.trapezoid(yaw, dx=0.1, axis=1) == pytest.approx(turned, abs=0.03)
    way = np.hypot(*np.diff(np.stack([world.motion.x, world.motion.y])[:, :, now - 19 : now + 1, EGO], axis=2)).sum(1)
    assert np.trapezoid(speed, dx=0.1, axis=1) == pytest.approx(way, abs=0.05)


# truths


@pytest.mark.parametrize("frame", ALL)
def test_boxes_are_the_agents_in_view_and_presence_is_their_classes(world, frame):
    scene = world.look(frame)
    classes = list(names.CLASSES)
    found = truths.detection(scene, EXTENT, classes)
    present = truths.presence(scene, EXTENT)
    backwards = truths.detection(scene, EXTENT, classes[::-1])
    for i in range(64):
        assert found[i].dtype == np.float32
        assert found[i].shape[1] == 8
        assert [c for k, c in enumerate(classes) if (found[i][:, 0] == k).any()] == present[i]
        assert np.array_equal(2 - backwards[i][:, 0], found[i][:, 0])
        x, y = found[i][:, 1], found[i][:, 2]
        assert ((x >= 0) & (x < 40) & (y >= -20) & (y < 20)).all()
        assert (np.abs(found[i][:, 5]) <= np.pi + 1e-6).all()
        driven = np.hypot(found[i][:, 6], found[i][:, 7]) > 1
        along = np.arctan2(found[i][driven, 7], found[i][driven, 6]) - found[i][driven, 5]
        assert np.cos(along) == pytest.approx(1, abs=1e-3)  # all drive forwards


def test_futures_begin_where_the_boxes_are_and_move_with_their_velocity(world):
    scene = world.look(0)
    paths = truths.trajectories(world.motion, scene, 0, EXTENT)
    boxes = truths.detection(scene, EXTENT, list(names.CLASSES))
    for path, box in zip(paths, boxes, strict=True):
        assert path.shape[1:] == (7, 2)
        for future in path:
            (match,) = np.flatnonzero(np.abs(box[:, 1:3] - future[0]).max(1) < 1e-4)
            step = (future[1] - future[0]) / 0.5
            assert np.abs(step - box[match, 6:8]).max() < 0.5 * 7 * 0.5 + 0.8  # at most the hardest braking


def test_an_empty_scene_is_known_to_be_empty(world):
    nowhere = (200.0, 240.0, -20.0, 20.0)
    scene = world.look(0)
    assert truths.detection(scene, nowhere, list(names.CLASSES))[0].shape == (0, 8)
    assert truths.presence(scene, nowhere)[0] == []
    assert truths.trajectories(world.motion, scene, 0, nowhere)[0].shape == (0, 7, 2)
    assert set(truths.intention(world.scenario, world.motion, scene, 0, nowhere)) == {"clear"}


@pytest.mark.parametrize("frame", ALL)
def test_intentions_are_what_then_happens(world, frame):
    scene, m, s = world.look(frame), world.motion, world.scenario
    labels = np.array(truths.intention(s, m, scene, frame, EXTENT))
    span = slice(names.now(frame), names.now(frame) + 31)
    on_road = np.abs(m.d[:, span, PEDESTRIAN]).min(1) < road.KERB
    person = np.isin(labels, ("crossing", "waiting"))
    assert np.array_equal(labels[person] == "crossing", on_road[person])
    assert (s.interaction[person] == Interaction.PEDESTRIAN).all()
    moved = m.length[:, span, TURNER] - s.paths.straight[:, TURNER, None]
    turner = np.isin(labels, ("turning", "yielding"))
    assert np.array_equal(labels[turner] == "turning", moved[turner].max(1) > 4)
    slower = m.acceleration[labels == "braking", names.now(frame) : names.now(frame) + 6, LEAD].min(1)
    assert (slower < -1).all()
    assert set(labels) <= set(names.INTENTIONS)


def test_plans_are_the_way_driven_in_the_present_axes(world):
    scene = world.look(2)
    plans = truths.plans(world.scenario, world.motion, scene, DRIVES, 2, EXTENT)
    for i in (0, 9, 63):
        plan = plans[i]
        assert (plan["drive"], plan["frame"], plan["pose"][3]) == (i, 2, 1.0)
        assert plan["agents"].shape[1:] == (6, 5)
        assert plan["road"].shape == (truths.ROAD, truths.ROAD)
        x, y, heading = scene.pose[i]
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        at = truths.steps(2)
        back = plan["waypoints"] @ turn + [x, y]
        assert back == pytest.approx(np.stack([world.motion.x, world.motion.y], -1)[i, at, EGO], abs=1e-4)
        assert np.isfinite(plan["agents"]).all()


# map


def test_the_map_shows_the_road_where_it_is(world):
    """Cells under the ego's own future are drivable and on the route; row 0 is farthest ahead, column 0 leftmost."""
    scene = world.look(0)
    rngs = [np.random.default_rng(i) for i in DRIVES]
    raster = chart.render(world.scenario, scene, 80, EXTENT, 0.0, rngs)
    plans = truths.plans(world.scenario, world.motion, scene, DRIVES, 0, EXTENT)
    for picture, plan in zip(raster, plans, strict=True):
        way = plan["waypoints"]
        way = way[(way[:, 0] < 39.5) & (np.abs(way[:, 1]) < 19.5) & (way[:, 0] > 0.5)]
        row, column = ((40 - way[:, 0]) * 2).astype(int), ((20 - way[:, 1]) * 2).astype(int)
        assert (picture[0, row, column] == 1).all()
        assert (picture[3, row, column] > 0.4).all()
    assert np.array_equal(raster[:, 0], np.stack([plan["road"] for plan in plans]))
    x, y = chart.cells(80, EXTENT)
    assert (x[0, 0], y[0, 0]) == (39.75, 19.75)


def test_carriageway_corners_and_crossing_are_where_the_layout_has_them():
    one = np.array([1.0])
    layout = road.Layout(1e-6 * one, 30 * one, np.array([False]), np.array([True]), 15 * one, np.array([True]))
    s, d = np.array([[15.0, 15.0, 17.0, 30.0, 30.0, 30.0, 25.9]]), np.array([[5.7, 5.9, 0.0, -12.0, 12.0, -5.7, -5.9]])
    assert road.on_zebra(layout, s, d)[0].tolist() == [True, False, False, False, False, False, False]
    assert road.drivable(layout, s, d)[0].tolist() == [True, False, True, True, False, True, True]
