"""Forecasts: quantiles that never cross, losses and scores against scikit-learn, and the schedule's columns."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, roc_auc_score

from crossfade.errors import UserError
from crossfade.specs import TargetSpec
from crossfade.targets import make_target
from crossfade.targets.forecast import Forecast
from crossfade.targets.forecast_truth import unpack
from crossfade.training.module import compute_metrics

HOURS, LEVELS = 24, [0.05, 0.25, 0.5, 0.9]
NAN = float("nan")


def spec(**own):
    return TargetSpec(name="e", kind="forecast", quantiles=LEVELS, **own)


def truths(samples=40, seed=0):
    rng = np.random.default_rng(seed)
    away = rng.integers(6, 11, samples)
    return [
        {
            "load": 0.3 + 0.2 * np.sin(np.arange(HOURS) / 4) + rng.gamma(2, 0.1, HOURS),
            "occupied": ((np.arange(HOURS) < away[i]) | (np.arange(HOURS) >= 17)).astype(float),
            "outdoor": rng.normal(2, 3) + np.zeros(HOURS),
            "indoor": 20.5,
            "resistance": 7.0,
            "capacity": 3.0,
            "heater": 6.0,
        }
        for i in range(samples)
    ]


def made(samples=40, **own):
    fitted = Forecast.fit(spec(**own), truths(samples))
    return make_target(spec(**own), fitted, 8), Forecast.encode(spec(**own), fitted, truths(samples))


def test_quantiles_never_cross_and_zeros_are_the_training_split():
    target, truth = made()
    wild = target.prediction(30 * torch.randn(500, HOURS, 5))
    assert (wild[..., :4].diff(dim=-1) >= 0).all()
    assert ((wild[..., 4] >= 0) & (wild[..., 4] <= 1)).all()
    loads = np.stack([t["load"] for t in truths()])
    zero = target.prediction(torch.zeros(1, HOURS, 5))
    np.testing.assert_allclose(zero[0, :, 2], np.median(loads, 0), rtol=1e-5)
    wide = np.diff(np.quantile(loads, LEVELS, axis=0), axis=0).min() > 0.05 * loads.std()
    assert wide  # else a gap would be widened
    np.testing.assert_allclose(zero[0, :, :4], np.quantile(loads, LEVELS, axis=0).T, rtol=1e-4, atol=1e-6)
    chance = target.chance(truth)
    torch.testing.assert_close(chance, zero.expand(len(truth), -1, -1), rtol=1e-4, atol=1e-5)


def test_metrics_against_scikit_learn():
    target, truth = made()
    torch.manual_seed(0)
    prediction = target.prediction(torch.randn(40, HOURS, 5))
    day = unpack(truth, HOURS)
    y, q = day.load.flatten().numpy(), prediction[..., :4].flatten(0, 1).numpy()
    found = compute_metrics(target, prediction, truth)
    assert found["mae_kwh"] == pytest.approx(mean_absolute_error(y, q[:, 2]), rel=1e-5)
    pinball = np.mean([mean_pinball_loss(y, q[:, i], alpha=level) for i, level in enumerate(LEVELS)])
    assert found["pinball_kwh"] == pytest.approx(pinball, rel=1e-5)
    assert found["coverage"] == pytest.approx(np.mean((y >= q[:, 0]) & (y <= q[:, 3])))
    home = day.occupied.flatten() >= 0.5
    assert found["occupancy_auroc"] == pytest.approx(roc_auc_score(home, prediction[..., 4].flatten()))
    assert found["discomfort_kh"] <= 0.5 + 1e-6
    torch.testing.assert_close(
        target.per_sample(prediction, truth), (day.load - prediction[..., 2]).abs().mean(1), rtol=1e-5, atol=1e-6
    )


def test_loss():
    target, truth = made(occupancy_weight=0.7)
    torch.manual_seed(0)
    output = torch.randn(40, HOURS, 5)
    prediction, day = target.prediction(output).double(), unpack(truth.double(), HOURS)
    sd = np.std([t["load"] for t in truths()])
    y, q = day.load.flatten().numpy(), prediction[..., :4].flatten(0, 1).numpy()
    pinball = np.mean([mean_pinball_loss(y, q[:, i], alpha=level) for i, level in enumerate(LEVELS)])
    entropy = torch.nn.functional.binary_cross_entropy(prediction[..., 4], day.occupied)
    assert target.loss(output, truth).item() == pytest.approx(pinball / sd + 0.7 * entropy.item(), rel=1e-4)


def test_hours_that_are_not_known_do_not_count():
    target, truth = made()
    torch.manual_seed(0)
    output = torch.randn(40, HOURS, 5)
    some = truth.clone()
    some[:, 3:HOURS] = NAN  # of the load
    prediction = target.prediction(output)
    found = compute_metrics(target, prediction, some)
    error = (truth[:, :3] - prediction[:, :3, 2]).abs().mean()
    assert found["mae_kwh"] == pytest.approx(error.item(), rel=1e-5)
    without = some.clone()
    without[:, HOURS : 2 * HOURS] = NAN  # nor of the occupancy
    expected = target.prediction(output)[:, :3, :4]
    short = truth[:, :3, None] - expected
    level = torch.tensor(LEVELS)
    each = torch.maximum(level * short, (level - 1) * short)
    torch.testing.assert_close(target.loss(output, without), each.mean() / target.scale, rtol=1e-4, atol=1e-5)
    assert not target.known(torch.full_like(truth, NAN)).any()


def test_mix_is_the_mean_of_quantiles_and_probabilities():
    target, _ = made()
    torch.manual_seed(0)
    outputs, weight = 3 * torch.randn(2, 3, HOURS, 5), torch.tensor([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
    each = target.prediction(outputs.flatten(0, 1)).unflatten(0, (2, 3))
    expected = (weight[..., None, None] * each).sum(1)
    torch.testing.assert_close(target.prediction(target.mix(outputs, weight)), expected, rtol=1e-4, atol=1e-5)


def test_knowing_the_day_saves_heat_at_the_same_comfort():
    target, truth = made()
    day = unpack(truth, HOURS)
    known = torch.cat([target.chance(truth)[..., :4], day.occupied.unsqueeze(-1)], -1)
    right = compute_metrics(target, known, truth)
    (perfect,) = (compute_metrics(target, guess, truth) for guess in target.references(truth).values())
    assert perfect["energy_saved"] == pytest.approx(right["energy_saved"])
    assert perfect["mae_kwh"] == perfect["pinball_kwh"] == 0
    chance = compute_metrics(target, target.chance(truth), truth)
    assert right["occupancy_auroc"] == 1
    assert right["discomfort_kh"] == pytest.approx(0, abs=1e-9)
    assert right["energy_saved"] > max(chance["energy_saved"], 0.03)
    always = known.clone()
    always[..., 4] = 1.0
    thermostat = compute_metrics(target, always, truth)
    assert thermostat["energy_saved"] == pytest.approx(0, abs=1e-6)


def test_no_heating_no_saving():
    target, _ = made()
    summer = [{**t, "outdoor": np.full(HOURS, 30.0), "indoor": 25.0} for t in truths(5)]
    truth = Forecast.encode(spec(), target.fitted, summer)
    found = compute_metrics(target, target.chance(truth), truth)
    assert np.isnan(found["energy_saved"])
    assert found["discomfort_kh"] == 0


def test_without_houses_or_occupancy_only_the_forecast_is_judged():
    alone = [t["load"].tolist() for t in truths()]
    fitted = Forecast.fit(spec(), alone)
    target = make_target(spec(), fitted, 8)
    assert target.prediction(torch.zeros(2, HOURS, 4)).shape == (2, HOURS, 4)
    assert set(target.metrics()) == {"mae_kwh", "pinball_kwh", "coverage"}
    assert set(target.arrays(np.zeros((2, HOURS, 4)))) == {"q0.05", "q0.25", "q0.5", "q0.9"}
    people = [{"load": t["load"], "occupied": t["occupied"]} for t in truths()]
    target = make_target(spec(), Forecast.fit(spec(), people), 8)
    assert set(target.metrics()) == {"mae_kwh", "pinball_kwh", "coverage", "occupancy_auroc"}
    assert target.references(Forecast.encode(spec(), {}, people)) == {}
    table = target.columns(np.zeros((2, HOURS, 5), np.float32), Forecast.encode(spec(), {}, people[:2]).numpy())
    assert list(table) == ["e.truth_kwh", "e.predicted_kwh"]


def test_columns_hold_a_set_point_for_every_hour():
    target, truth = made()
    truth = truth[:3].clone()
    truth[1, -1] = NAN  # a house whose heater is not known
    day = unpack(truth, HOURS)
    known = torch.cat([target.chance(truth)[..., :4], day.occupied.unsqueeze(-1)], -1)
    table = target.columns(known.numpy(), truth.numpy())
    assert table["e.schedule"].isna().tolist() == [False, True, False]
    points = json.loads(table["e.schedule"][0])
    assert len(points) == HOURS
    away = day.occupied[0] == 0
    assert all(point == 21.0 for point, gone in zip(points, away, strict=True) if not gone)
    assert min(points) < 20.9
    assert (table["e.heat_kwh"].dropna() < table["e.thermostat_kwh"].dropna()).all()
    assert table["e.truth_kwh"][0] == pytest.approx(day.load[0].sum().item())


def test_mistakes_are_named():
    with pytest.raises(
        UserError, match=r"load of a truth has the shape \(3,\), not 24 hourly numbers \(target\.e\.hours"
    ):
        Forecast.fit(spec(), [[1.0, 2.0, 3.0]])
    with pytest.raises(UserError, match="load of a truth is not made of numbers"):
        Forecast.fit(spec(), [{"load": ["a"] * HOURS}])
    with pytest.raises(UserError, match=r"48 known hours of load, all the same; nothing can be learned"):
        Forecast.fit(spec(), [[1.0] * HOURS, [1.0] * HOURS, None])
    with pytest.raises(UserError, match=r"setback=30.0: must not be above target\.e\.setpoint=21.0"):
        Forecast.fit(spec(setback=30.0), truths())
