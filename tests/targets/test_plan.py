"""The ego plan: accuracy, safety, stability and comfort against closed forms and an independent solver."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from crossfade.core.base import Representation
from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import driven_path, make_target
from crossfade.targets.plan import Plan
from crossfade.training.module import compute_metrics

NAN = float("nan")
EXTENT = [-8.0, 24.0, -16.0, 16.0]
ROAD = np.zeros((32, 32), dtype=np.uint8)
ROAD[:, 12:20] = 1  # 8 m wide, |y| < 4 m
FIELDS = {"road": 32, "extent": EXTENT, "hidden": 8}
TIME = np.arange(1, 7) / 2


def spec(**fields):
    return TargetSpec(name="y", kind="plan", **{**FIELDS, **fields})


def straight(speed=4.0):
    return np.stack([speed * TIME, 0 * TIME], 1)


def drive(speed=4.0, **known):
    return {"waypoints": straight(speed), **known}


def target(*truths, **fields):
    torch.manual_seed(0)
    truths = truths or (drive(3.0), drive(5.0))
    return make_target(spec(**fields), Plan.fit(spec(**fields), truths), 8)


def encoded(of, *truths):
    return Plan.encode(of.spec, of.fitted, truths)


def path(*ways):
    return torch.tensor(np.stack(ways), dtype=torch.float32)


def meet(a, b):
    """Do two boxes share a point? A linear programme over their eight sides."""
    sides, limits = [], []
    for x, y, heading, length, width in (a, b):
        for turn, reach in ((0, length / 2), (np.pi / 2, width / 2)):
            normal = np.array([np.cos(heading + turn), np.sin(heading + turn)])
            sides += [normal, -normal]
            limits += [normal @ [x, y] + reach, reach - normal @ [x, y]]
    # the point that lies deepest within both
    wanted = linprog([0, 0, -1], np.c_[np.array(sides), np.ones(8)], limits, bounds=[(None, None)] * 3)
    return -wanted.fun


def test_overlap_is_that_of_a_linear_programme():
    rng = np.random.default_rng(0)
    low, high = [-4, -4, -np.pi, 0.5, 0.5], [4, 4, np.pi, 6, 2.5]
    a, b = rng.uniform(low, high, (2, 300, 5))
    depth = np.array([meet(*pair) for pair in zip(a, b, strict=True)])
    clear = np.abs(depth) > 1e-6
    ours = driven_path.overlap(torch.tensor(a), torch.tensor(b)).numpy()
    assert 50 < (depth > 0).sum() < 250
    np.testing.assert_array_equal(ours[clear], depth[clear] > 0)


def test_overlap_of_boxes_whose_corners_lie_outside_of_each_other():
    cross = torch.tensor([[0.0, 0, 0, 8, 1], [0, 0, np.pi / 2, 8, 1]])
    assert driven_path.overlap(cross[0], cross[1])
    # a square on its corner: the axis-parallel outlines overlap, the squares do not
    diamond = torch.tensor([1.9, 1.9, np.pi / 4, 2.0, 2.0])
    assert not driven_path.overlap(torch.tensor([0.0, 0, 0, 2, 2]), diamond)
    assert not driven_path.overlap(cross[0], torch.tensor([NAN] * 5))


def test_headings_and_footprints_follow_the_path():
    circle = np.stack([10 * np.sin(0.2 * TIME), 10 - 10 * np.cos(0.2 * TIME)], 1)
    found = driven_path.headings(path(circle))[0].numpy()
    np.testing.assert_allclose(found[:-1], 0.2 * TIME[:-1], atol=1e-6)  # chords of a circle are parallel to its tangent
    stops = np.minimum(straight(4.0), [6.0, 0.0]) + np.stack([0 * TIME, 0.01 * (TIME > 2)], 1)
    standing = path(straight(0.0), stops)
    assert driven_path.headings(standing)[0].tolist() == [0] * 6
    assert abs(driven_path.headings(standing)[1][-1]) < 0.01  # held where it stands
    boxes = driven_path.footprints(path(straight()), 4.0, 2.0, 1.0)
    np.testing.assert_allclose(boxes[0, 0], [2 + 1, 0, 0, 4, 2], atol=1e-6)  # the middle lies 1 m before the axle


def agent(x, y, heading=0.0, length=4.0, width=2.0):
    return np.tile(np.array([x, y, heading, length, width]), (6, 1))


def test_collision_and_road_by_hand():
    of = target()
    ahead, beside = agent(22.0, 0.0), agent(6.0, 3.5)
    truth = encoded(of, *(drive(agents=np.stack([ahead, beside]), road=ROAD) for _ in range(4)))
    swerve = straight() + np.stack([0 * TIME, 1.2 * TIME], 1)
    late = straight() + np.stack([0 * TIME, (TIME > 2.4) * 4.0], 1)
    prediction = path(straight(4.0), straight(7.0), swerve, late)
    values = dict(zip(of.names, of.values(prediction, truth).T.tolist(), strict=True))
    # the front is 3.5 m before the axle: at 12 m it ends at 15.5 m, at 21 m inside of the car whose rear is at 20 m;
    # the swerving one is beside the other car (2.5 < y < 4.5) at 6 m and above y = 4 m at the end
    assert values["safety_collision"] == [0, 1, 1, 0]
    assert values["safety_off_road"] == [0, 0, 1, 1]


def test_the_driven_path_itself_never_counts_as_unsafe():
    of = target()
    blocked = drive(agents=agent(6.0, 0.0)[None], road=0 * ROAD)
    truth = encoded(of, blocked, drive(agents=np.zeros((0, 6, 5)), road=ROAD))
    driven = of.parts(truth).waypoints
    ours = compute_metrics(of, driven, truth)
    assert (ours["safety_collision"], ours["safety_off_road"], ours["accuracy_l2"]) == (0, 0, 0)
    values = of.values(driven, truth)
    assert values[0, of.names.index("safety_collision")].isnan()  # where it does, the sample says nothing
    assert values[0, of.names.index("safety_off_road")].isnan()


def test_an_agent_that_is_absent_or_elsewhere_in_time_is_not_hit():
    of = target()
    passes = agent(12.0, 0.0)
    passes[-1] = NAN  # gone when the vehicle comes
    crossing = agent(4.0, 0.0)
    crossing[:3, 1], crossing[3:, 1] = 9.0, -9.0
    truth = encoded(of, drive(agents=np.stack([passes[:, :], crossing]), road=ROAD))
    value = of.values(path(straight(4.0)), truth)[0, of.names.index("safety_collision")]
    # at 2.5 s it is at 10 m and its front at 13.5 m: within the first agent (10 to 14 m), which is there until then
    assert value.isnan()  # so does the driven path
    passes[3:] = NAN
    truth = encoded(of, drive(agents=np.stack([passes, crossing]), road=ROAD))
    assert of.values(path(straight(4.0)), truth)[0, of.names.index("safety_collision")] == 0


def test_beyond_the_raster_its_edge_goes_on():
    boxes = driven_path.footprints(path(straight(40.0), straight(40.0) + np.array([0, 6.0])), 4.0, 2.0, 1.0)
    road = torch.tensor(ROAD).float().expand(2, -1, -1)
    assert driven_path.leaves(boxes, road, tuple(EXTENT)).tolist() == [False, True]


def test_accuracy_at_each_second_and_on_the_whole():
    of = target()
    truth = encoded(of, drive(4.0), drive(4.0))
    ours = compute_metrics(of, path(straight(5.0), straight(4.0) + np.array([0.0, 3.0])), truth)
    expected = {"accuracy_l2": (TIME.mean() + 3) / 2, "accuracy_l2_1s": 2, "accuracy_l2_2s": 2.5, "accuracy_l2_3s": 3}
    assert {name: ours[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert np.isnan(ours["safety_collision"])  # no agents, no road, no pose known
    assert np.isnan(ours["safety_off_road"])
    assert np.isnan(ours["stability_frames"])


def test_comfort_is_that_of_circle_and_cubic():
    speed, rate = 10.0, 8.0
    time = np.arange(1, 25) / rate
    circle = np.stack([40 * np.sin(speed * time / 40), 40 - 40 * np.cos(speed * time / 40)], 1)
    cubic = np.stack([speed * time + 2.0 * time**3 / 6, 0 * time], 1)
    jerk, lateral = driven_path.comfort(path(circle, cubic), rate).T.numpy()
    assert lateral[0] == pytest.approx(speed**2 / 40, rel=0.01)  # v²/r
    assert jerk[0] == pytest.approx(speed**3 / 40**2, rel=0.02)  # v³/r²
    assert jerk[1] == pytest.approx(2.0, rel=0.01)
    assert lateral[1] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(driven_path.comfort(path(straight(0.0)), 2.0), 0)


def turning(frames, every=0.5, speed=4.0, rate=0.1, drive=0):
    """The true paths and poses of a vehicle on a circle, somewhere in the world."""
    found = []
    for frame in range(frames):
        heading = 0.7 + rate * every * frame
        relative = np.stack([np.sin(rate * TIME), 1 - np.cos(rate * TIME)], 1) * speed / rate
        here = np.array([np.sin(heading), -np.cos(heading)]) * speed / rate + [6e5, 5e6]
        pose = np.array([*here, heading, 1.7e9 + every * frame])
        found.append({"waypoints": relative, "pose": pose, "drive": drive, "frame": frame})
    return found


@pytest.mark.parametrize("every", [0.5, 0.2, 1.0])
def test_true_paths_of_consecutive_frames_agree_and_a_shift_is_measured(every):
    of = target()
    truth = encoded(of, *turning(4, every))
    true = of.parts(truth).waypoints
    stability = of.names.index("stability_frames")
    between = of.values(true, truth)[:, stability]
    assert between[3].isnan()  # no next frame
    # between two waypoints of the next path it is a chord of the circle: at most v²/r·(0.5 s)²/8 away
    assert between[:3].max() < (5e-3 if every != 0.2 else 4 * 0.1 * 4 * 0.25 / 8)
    shifted = true.clone()
    shifted[1] += torch.tensor([0.0, 2.0])
    moved = of.values(shifted, truth)[:3, stability]
    if every != 0.2:
        torch.testing.assert_close(moved, torch.tensor([2.0, 2.0, 0.0]), atol=5e-3, rtol=0)


def test_frames_of_other_drives_and_gaps_do_not_pair():
    of = target()
    first, second, third = turning(3)
    other = turning(2, drive=7)[1]
    truth = encoded(of, third, other, first, {**second, "frame": 9})
    assert of.values(of.parts(truth).waypoints, truth)[:, of.names.index("stability_frames")].isnan().all()
    truth = encoded(of, third, other, second, first, {"waypoints": straight()})
    paired = ~of.values(of.parts(truth).waypoints, truth)[:, of.names.index("stability_frames")].isnan()
    assert paired.tolist() == [False, False, True, True, False]


def test_the_driven_path_is_the_yardstick_of_comfort():
    of = target()
    truth = encoded(of, *turning(3))
    driven = compute_metrics(of, of.references(truth)["as driven"], truth)
    assert driven["accuracy_l2"] == 0
    assert driven["comfort_lateral"] == pytest.approx(4.0 * 0.1, rel=0.01)  # v²/r
    assert driven["stability_frames"] < 5e-3


def test_stability_under_noise_is_the_mean_distance():
    of = target()
    a = path(straight(4.0), straight(5.0))
    assert of.stability(a, a + torch.tensor([3.0, 4.0])) == {"stability_noise": pytest.approx(5.0)}
    assert of.jitter > 0
    assert of.direction("stability_noise") == "min"


def test_fit_loss_and_chance():
    of = target(drive(3.0), drive(5.0), None)
    np.testing.assert_allclose(of.fitted["mean"], straight(4.0))
    np.testing.assert_allclose(np.array(of.fitted["sd"])[:, 0], TIME)
    np.testing.assert_allclose(np.array(of.fitted["sd"])[:, 1], 0.05)
    coefficient = np.sqrt((TIME**2).sum())  # of 1 m/s about the mean of 4 m/s
    np.testing.assert_allclose(of.fitted["coefficients"], [[coefficient, 0.01], [0.01, 0.01], [0.01, 0.01]], rtol=1e-6)
    output, truth = torch.zeros(2, 3, 2), encoded(of, drive(6.0), None)
    assert of.loss(output, truth).item() == pytest.approx((2 - 0.5) / 2, abs=1e-5)  # Huber of 2 sd in x, 0 in y
    torch.testing.assert_close(of.chance(truth), path(straight(4.0), straight(4.0)))
    output[0, 0, 0] = -1.0
    torch.testing.assert_close(of.prediction(output), path(straight(3.0), straight(4.0)))


def test_parts_come_back_and_a_raster_is_resized():
    of = target(road=8)
    given = drive(agents=agent(9.0, 1.0)[None], road=ROAD.tolist(), pose=[1.0, 2.0, 0.3, 4.0], drive=3, frame=5)
    parts = of.parts(encoded(of, given, None, drive()))
    assert parts.has.nan_to_num(-1).tolist() == [[1, 1], [-1, -1], [0, 0]]
    assert parts.pose[0].tolist() == pytest.approx([0, 0, 0.3, 0])  # from the drive's first frame
    assert parts.frame[0] == 5
    np.testing.assert_array_equal(parts.road[0], ROAD[2::4, 2::4])
    np.testing.assert_allclose(parts.agents[0, 0], agent(9.0, 1.0), rtol=1e-6)


def test_what_a_json_cell_leaves_null_is_not_known():
    of = target()
    null = {"agents": None, "road": None, "pose": None, "drive": None, "frame": None}
    truth = encoded(of, drive(**null), drive(frame=1), drive(frame=2))
    values = of.values(of.parts(truth).waypoints, truth)
    assert values[:, 4:7].isnan().all()  # safety and stability
    nothing = encoded(of, None, None)
    assert not of.known(nothing).any()
    assert of.loss(torch.zeros(2, 3, 2), nothing) == 0


def test_columns_name_the_moments():
    of = target()
    table = of.columns(path(straight(5.0), straight(5.0)).numpy(), encoded(of, drive(4.0), None).numpy())
    assert table["y.predicted[x 0.5s]"].tolist() == [2.5, 2.5]
    assert table["y.truth[x 3s]"].tolist()[0] == 12.0
    assert table["y.accuracy_l2_3s"].tolist()[0] == pytest.approx(3.0)
    assert table["y.accuracy_l2"].isna().tolist() == [False, True]
    assert list(of.columns(path(straight()).numpy(), None))[:2] == ["y.predicted[x 0.5s]", "y.predicted[y 0.5s]"]


def test_masked_tokens_are_not_looked_at():
    of = target()
    tokens = torch.randn(1, 6, 8)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    a = of(Representation(tokens[:, 0], tokens, mask))
    b = of(Representation(tokens[:, 0], tokens[:, :4], mask[:, :4]))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        ({"agents": []}, r"target\.y: the truth of row 1 has no waypoints"),
        ([[0.0, 0.0]] * 6, "row 1 has no waypoints. It must be a mapping"),
        ({"waypoints": straight()[:5]}, r"row 1 has shape \(5, 2\), expected \(6, 2\): x, y in m"),
        ({"waypoints": straight() * NAN}, "the waypoints of row 1 hold NaN"),
        (drive(pose=[1.0, 2.0, 3.0]), r"row 1 has shape \(3,\), expected \(4,\) for its pose: x, y, heading, time"),
        (drive(road=np.zeros(9)), r"row 1 has shape \(9,\), expected \(R, R\) for its road"),
        (drive(agents=np.zeros((2, 5, 5))), r"row 1 has shape \(2, 5, 5\), expected \(A, 6, 5\): x, y, heading"),
    ],
)
def test_faults_of_the_truth_are_named(truth, says):
    with pytest.raises(UserError, match=says):
        Plan.encode(spec(), {}, [truth])


def test_too_few_paths_are_an_error():
    with pytest.raises(UserError, match="fewer than two known paths"):
        Plan.fit(spec(), [drive(), None])


@pytest.mark.parametrize("modalities", [1, 2])
def test_with_a_grid_the_plan_reads_what_is_where(modalities):
    shuffled = torch.tensor([2, 0, 3, 1])
    tokens = torch.randn(3, modalities * 4, 8)
    moved = tokens.unflatten(1, (modalities, 4))[:, :, shuffled].flatten(1, 2)
    mask = torch.ones(3, modalities * 4, dtype=torch.bool)
    blind, placed = target(), target(grid=2)
    for of, differs in ((blind, False), (placed, True)):
        with torch.no_grad():
            one, other = (of(Representation(tokens.mean(1), x, mask)) for x in (tokens, moved))
        assert (not torch.allclose(one, other, atol=1e-5)) == differs


def test_a_hidden_modality_does_not_move_the_plan_of_a_grid():
    of, tokens, mask = target(grid=2), torch.randn(2, 8, 8), torch.ones(2, 8, dtype=torch.bool)
    mask[:, 4:] = False
    other = torch.cat([tokens[:, :4], torch.randn(2, 4, 8)], 1)
    one, same = (of(Representation(tokens[:, :4].mean(1), x, mask)) for x in (tokens, other))
    torch.testing.assert_close(one, same)
