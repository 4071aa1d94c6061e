"""What the sensors must obey: projection, ranges, Doppler, occlusion, weather, noise, against closed forms."""

import numpy as np
import pytest
from driving_scenes import PERSON, SIGN, VEHICLE, WALL, generators, scene

from crossfade.data.driving import camera, lidar, radar
from crossfade.data.driving.bodies import SLOT, boxes, meet
from crossfade.data.driving.camera import HEIGHT, MOUNT_X

EXTENT = (0, 40, -20, 20)
CAR, WALL_BOX, MAN, PLATE = (4.5, 1.8, 1.5), (12.0, 4.0, 6.0), (0.55, 0.6, 1.8), (0.12, 0.75, 2.3)
SIZE = 64


def ahead(x, y=0.0, heading=0.0, velocity=(0.0, 0.0), slot=VEHICLE, box=CAR):
    return slot, x, y, heading, velocity, box


def photo(*things, noise=0.0, seed=0, **fields):
    return camera.render(scene(things, **fields), SIZE, noise, generators(seed=seed))[0]


# rays and boxes


@pytest.mark.parametrize("heading", [0.0, 0.4, np.pi / 2, 2.5])
def test_rays_meet_a_turned_box_where_its_edges_are(heading):
    """Against the intersection with the four edges as segments."""
    box = boxes(scene([ahead(15, 3, heading, slot=WALL, box=WALL_BOX)]))
    angles = np.linspace(-1, 1, 201)
    hits = meet(box, (1.0, 0.5), np.cos(angles), np.sin(angles))
    p = int(np.flatnonzero(SLOT == WALL)[0])
    corners = np.array([[6, 2], [-6, 2], [-6, -2], [6, -2]]) @ np.array(
        [[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]]
    ) + [15, 3]
    for k, angle in enumerate(angles):
        u, found = np.array([np.cos(angle), np.sin(angle)]), []
        for a, b in zip(corners, np.roll(corners, 1, 0), strict=True):
            if abs(np.linalg.det([u, a - b])) > 1e-12:
                t, s = np.linalg.solve(np.stack([u, a - b], 1), a - np.array([1.0, 0.5]))
                found += [t] if 0 <= s <= 1 and t > 0 else []
        if found:
            assert hits.enter[0, p, k] == pytest.approx(min(found), abs=1e-3)
            assert hits.leave[0, p, k] == pytest.approx(max(found), abs=1e-3)
        else:
            assert np.isinf(hits.enter[0, p, k])


# camera


def test_a_known_point_falls_on_a_known_pixel():
    u, v = camera.project(np.array([11.5, 11.5, 21.5]), np.array([0.0, 8.4, -8.4]), np.array([1.4, 1.4, 1.4]), SIZE)
    assert u == pytest.approx([32, 0, 48])  # tan = 0, 0.84 (the left edge), −0.42
    assert v == pytest.approx(64 * 0.22 / 0.75)  # the horizon
    assert camera.project(11.5, 0.0, 0.0, SIZE)[1] == pytest.approx(64 * (0.22 + 0.14) / 0.75)


def test_a_body_covers_the_pixels_of_its_projection():
    depth, number = camera.nearest(boxes(scene([ahead(16, 2.0, slot=WALL, box=(2.0, 3.0, 2.0))])), SIZE)
    seen = np.isfinite(depth[0])
    assert (SLOT[number[0][seen]] == WALL).all()
    face = 16 - 1 - MOUNT_X
    assert depth[0][seen].min() == pytest.approx(face, abs=1e-3)
    left, top = camera.project(16 - 1, 3.5, 2.0, SIZE)
    right, bottom = camera.project(16 - 1, 0.5, 0.0, SIZE)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0)) / camera.FINE
    assert rows[[0, -1]] == pytest.approx([top, bottom - 1], abs=0.6)
    assert columns[[0, -1]] == pytest.approx([left, right - 0.5], abs=0.6)


def test_the_nearer_body_hides_the_farther():
    near, far = ahead(10, slot=WALL, box=(1.0, 6.0, 3.0)), ahead(20)
    assert np.array_equal(photo(near), photo(near, far))
    assert not np.array_equal(photo(near), photo(near, ahead(20, 8.0)))


def test_fog_takes_contrast_as_koschmieder_says():
    """At the same depth X two reflectances differ by exp(−βX) of what they differ by in clear air."""
    lin = 2.2
    wall = ahead(21.5, slot=WALL, box=(1.0, 4.0, 3.0))
    depth = 21.5 - 0.5 - MOUNT_X
    u, v = (int(k) for k in camera.project(21.0, 0.3, 1.8, SIZE))
    painted = [{"paint": np.full((1, 23), p)} for p in (0.1, 0.4)]

    def difference(visibility):
        images = []
        for p in painted:
            s = scene([wall], visibility=visibility)
            s.paint[:] = p["paint"]
            images.append(camera.render(s, SIZE, 0.0, generators())[0] ** lin)
        return (images[1] - images[0])[:, v, u]

    clear, fog = difference(1e9), difference(40.0)
    assert np.abs(clear).max() > 0.05
    assert fog == pytest.approx(clear * np.exp(-np.log(20) / 40 * depth), rel=0.02)


def test_night_and_rain_make_the_picture_noisier_than_the_day():
    def noise(**weather):
        two = [photo(noise=1.0, seed=k, **weather)[:, 40:] for k in (0, 1)]
        return (two[0] - two[1]).std()

    day = noise()
    assert noise(light=0.02) > 3 * day
    assert noise(rain=30.0) > 1.5 * day
    assert np.array_equal(photo(noise=0.0, seed=0), photo(noise=0.0, seed=1))


def test_brake_lights_and_indicators_are_seen_on_their_side():
    flag = np.zeros((1, 23), bool)
    on = flag.copy()
    on[0, VEHICLE] = True
    dark, brake = photo(ahead(12)), photo(ahead(12), braking=on)
    changed = np.abs(brake - dark).max(0) > 0.05
    assert changed.any()
    assert (brake[0] - dark[0])[changed].min() > 0  # red
    left = np.zeros((1, 23))
    left[0, VEHICLE] = 1
    amber = np.abs(photo(ahead(12), indicator=left) - dark).max(0) > 0.05
    assert amber.any()
    assert np.flatnonzero(amber.any(0)).max() < SIZE / 2
    facing = np.abs(photo(ahead(8, slot=PERSON, box=MAN), facing=~flag) - photo(ahead(8, slot=PERSON, box=MAN)))
    assert 1 <= (facing.max(0) > 0.02).sum() <= 8  # the head


# lidar


def cloud(*things, noise=0.0, **fields):
    return lidar.scan(scene(things, **fields), EXTENT, noise, generators())[0]


def test_an_empty_scene_gives_no_point():
    assert cloud().shape == (0, 4)
    assert radar.scan(scene(), EXTENT, 0.0, generators())[0].shape == (0, 5)


def test_the_range_to_a_wall_is_its_closed_form():
    """A wall across the road at x = 20: the ray at azimuth φ, elevation θ is (20 − MOUNT_X) / (cos φ cos θ) long."""
    distance, number, cosine = lidar.cast(scene([ahead(22, 0, slot=WALL, box=(4.0, 30.0, 6.0))]))
    phi, theta = lidar.AZIMUTHS[None], lidar.ELEVATIONS[:, None]
    flat = (20 - lidar.MOUNT_X) / np.cos(phi)
    hits = (np.abs(flat * np.sin(phi)) < 14.9) & (lidar.HEIGHT + flat * np.tan(theta) > 0)
    assert np.isfinite(distance[0])[hits].all()
    assert distance[0][hits] == pytest.approx((flat / np.cos(theta))[hits], rel=1e-5)
    assert (SLOT[number[0][hits]] == WALL).all()
    assert cosine[0][hits] == pytest.approx(np.broadcast_to(np.cos(phi), hits.shape)[hits], rel=1e-4)


def test_points_lie_on_the_surface_and_nothing_is_seen_behind_it():
    child = (0.5, 0.5, 1.0)
    points = cloud(ahead(15), ahead(25, slot=PERSON, box=child))
    assert len(points) > 10
    assert points[:, 0].min() == pytest.approx(15 - 2.25, abs=0.02)
    assert (points[:, 0] < 18).all()
    assert (np.abs(points[:, 1]) < 0.91).all()
    assert points[:, 2].max() <= 1.5 + 1e-3
    assert cloud(ahead(15), ahead(25, slot=PERSON, box=MAN))[:, 2].max() > 1.6  # a head above the roof
    beside = cloud(ahead(15), ahead(25, 5.0, slot=PERSON, box=child))
    assert (beside[:, 0] > 20).any()


def test_a_sign_shines_and_intensity_falls_with_the_extinction():
    plate = cloud(ahead(12, slot=SIGN, box=PLATE))
    assert plate[:, 3].max() > 0.9
    assert cloud(ahead(12, slot=PERSON, box=MAN))[:, 3].max() < 0.6
    fog = cloud(ahead(12, slot=SIGN, box=PLATE), visibility=100.0)
    distance = 12 - lidar.MOUNT_X
    assert fog[:, 3].max() / plate[:, 3].max() == pytest.approx(np.exp(-2 * np.log(20) / 100 * distance), rel=0.03)


def test_rain_and_fog_lose_returns_and_scatter_others_near_the_sensor():
    wall = ahead(30, 0, slot=WALL, box=(4.0, 30.0, 6.0))
    clear, wet = (cloud(wall, noise=1.0, rain=r) for r in (0.0, 40.0))
    assert (wet[:, 0] > 26).sum() < 0.3 * (clear[:, 0] > 26).sum()
    assert (clear[:, 0] < 12).sum() == 0
    assert (wet[:, 0] < 13).sum() > 20
    assert wet[wet[:, 0] < 13, 3].mean() < 0.15


# radar


def echoes(*things, noise=0.0, seeds=40, **fields):
    one = scene(things, **fields)
    return np.concatenate([radar.scan(one, EXTENT, noise, generators(seed=k))[0] for k in range(seeds)])


@pytest.mark.parametrize(
    ("x", "y", "velocity", "expected"),
    [
        (23.6, 0.0, (5.0, 0.0), 5.0),  # going away: positive
        (23.6, 0.0, (-5.0, 0.0), -5.0),  # coming: negative
        (23.6, 0.0, (0.0, 5.0), 0.0),  # across: nothing
        (3.6 + 12.0, 16.0, (3.0, 4.0), 0.6 * 3 + 0.8 * 4),
    ],
)
def test_the_radial_velocity_is_the_projection(x, y, velocity, expected):
    assert radar.radial_velocity(np.array(x), np.array(y), *map(np.array, velocity)) == pytest.approx(expected)


def test_echoes_carry_range_and_velocity_of_their_target():
    points = echoes(ahead(20, 0, velocity=(-6.0, 0.0)))
    assert len(points) > 60
    assert np.hypot(points[:, 0] - radar.MOUNT_X, points[:, 1]) == pytest.approx(20 - 2.25 - radar.MOUNT_X, abs=0.1)
    assert points[:, 3] == pytest.approx(-6.0, abs=0.05)
    assert points[:, 4].mean() > 0


def test_azimuth_is_coarse_and_range_is_fine():
    points = echoes(ahead(30, slot=PERSON, box=MAN), noise=1.0, seeds=400)
    real = points[np.abs(points[:, 0] - 29.7) < 1.5]
    azimuth = np.arctan2(real[:, 1], real[:, 0] - radar.MOUNT_X)
    distance = np.hypot(real[:, 1], real[:, 0] - radar.MOUNT_X)
    assert np.median(np.abs(azimuth)) == pytest.approx(0.6745 * radar.AZIMUTH_SD, rel=0.3)
    assert np.median(np.abs(distance - np.median(distance))) == pytest.approx(0.6745 * radar.RANGE_SD, rel=0.3)


def test_a_vehicle_in_the_way_weakens_a_target_and_a_wall_hides_it():
    free = len(echoes(ahead(25, slot=PERSON, box=MAN)))
    weakened = echoes(ahead(25, slot=PERSON, box=MAN), ahead(12))
    wall = echoes(ahead(25, slot=PERSON, box=MAN), ahead(12, slot=WALL, box=(2.0, 8.0, 4.0)))
    assert free > 40
    assert 0 < (weakened[:, 0] > 20).sum() < 0.7 * free
    assert (wall[:, 0] > 20).sum() == 0


def test_weather_and_light_change_no_bit_of_the_radar():
    things = (ahead(20, 0, velocity=(-6.0, 0.0)), ahead(12, 5, slot=PERSON, box=MAN))
    clear = echoes(*things, noise=1.0, seeds=5)
    assert np.array_equal(clear, echoes(*things, noise=1.0, seeds=5, rain=40.0, visibility=30.0, light=0.02))


def test_the_camera_stands_where_it_says():
    """A box that begins at the ground directly ahead fills the column down to the row of its foot."""
    depth, _ = camera.nearest(boxes(scene([ahead(11.5, slot=WALL, box=(2.0, 4.0, 6.0))])), SIZE)
    foot = np.flatnonzero(np.isfinite(depth[0, :, SIZE])).max() + 1
    assert foot == pytest.approx(SIZE * (0.22 + HEIGHT / (10.5 - MOUNT_X)) / 0.75, abs=1)
