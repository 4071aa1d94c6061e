"""Properties of every kind of target in conf/target, found by walking the folder."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch

from crossfade.core.base import Representation
from crossfade.evaluation.scored import Scored
from crossfade.evaluation.summary import main_interval
from crossfade.registry import groups
from crossfade.runs import npz
from crossfade.seeding import seeded
from crossfade.specs import TargetSpec
from crossfade.targets import make_target, target_class
from crossfade.targets.base import Scene
from crossfade.training.module import compute_metrics
from target_samples import samples_of

KINDS = groups()["target"]
WIDTH = 16
every_kind = pytest.mark.parametrize("kind", KINDS)


def spec_of(kind):
    return TargetSpec(name="y", kind=kind, **samples_of(kind).FIELDS)


def target_of(kind):
    """A target in evaluation mode, and the encoded truth of its samples."""
    spec, truths = spec_of(kind), samples_of(kind).TRUTHS
    fitted = target_class(spec).fit(spec, truths)
    with seeded(0, kind):
        target = make_target(spec, fitted, WIDTH).eval()
    return target, target_class(spec).encode(spec, fitted, truths)


def representation(target, samples, seed=0):
    tokens = (target.spec.own.get("grid") or 1) ** 2
    with seeded(seed, "representation"):
        drawn = torch.randn(samples, tokens, WIDTH)
    return Representation(drawn.mean(1), drawn, torch.ones(samples, tokens, dtype=torch.bool))


def predicted(kind):
    target, truth = target_of(kind)
    with torch.no_grad():
        output = target(representation(target, len(truth)))
    return target, truth, output, target.prediction(output)


@every_kind
def test_what_was_learned_is_plain_data_and_unknown_stays_unknown(kind):
    spec, truths = spec_of(kind), samples_of(kind).TRUTHS
    target, truth = target_of(kind)
    again = json.loads(json.dumps(target.fitted))
    assert torch.equal(target_class(spec).encode(spec, again, truths).nan_to_num(-9), truth.nan_to_num(-9))
    assert len(truth) == len(truths)
    assert target.known(truth).tolist() == [t is not None for t in truths]
    assert any(t is None for t in truths)


@every_kind
def test_the_loss_is_finite_and_reaches_every_parameter(kind):
    target, truth = target_of(kind)
    target.train()
    loss = target.loss(target(representation(target, len(truth))), truth)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    dead = [name for name, p in target.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not dead


@every_kind
def test_unknown_truth_changes_neither_loss_nor_metrics(kind):
    target, truth, output, prediction = predicted(kind)
    known = target.known(truth)
    torch.testing.assert_close(target.loss(output, truth), target.loss(output[known], truth[known]))
    unknown = truth[~known][:1].expand_as(truth)
    nothing = target.loss(output.clone().requires_grad_(), unknown)
    assert nothing == 0
    a = compute_metrics(target, prediction, truth)
    b = compute_metrics(target, prediction[known], truth[known])
    assert a == pytest.approx(b, abs=1e-6, nan_ok=True)


@every_kind
def test_metrics_do_not_depend_on_the_order_of_the_samples(kind):
    target, truth, _, prediction = predicted(kind)
    assert target.main in compute_metrics(target, prediction, truth)
    assert set(target.lower_is_better) <= set(compute_metrics(target, prediction, truth))
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(1))
    a = compute_metrics(target, prediction, truth)
    b = compute_metrics(target, prediction[order], truth[order])
    assert a == pytest.approx(b, abs=1e-5, nan_ok=True)


@every_kind
def test_a_samples_output_depends_on_it_alone(kind):
    target, truth = target_of(kind)
    whole = representation(target, len(truth))
    with torch.no_grad():
        one = target(Representation(*(part[2:3] for part in whole)))
        torch.testing.assert_close(one, target(whole)[2:3], atol=1e-5, rtol=1e-5)


@every_kind
def test_a_mixture_of_equals_is_one_of_them_and_weight_zero_counts_nothing(kind):
    target, _, output, prediction = predicted(kind)
    share = torch.tensor([0.3, 0.7]).expand(len(output), 2)
    same = target.prediction(target.mix(torch.stack([output, output], 1), share))
    torch.testing.assert_close(same, prediction, atol=1e-4, rtol=1e-4, equal_nan=True)
    other = target(representation(target, len(output), seed=1)).detach()
    first = torch.tensor([1.0, 0.0]).expand(len(output), 2)
    alone = target.prediction(target.mix(torch.stack([output, other], 1), first))
    torch.testing.assert_close(alone, prediction, atol=1e-4, rtol=1e-4, equal_nan=True)


@every_kind
@pytest.mark.parametrize("mixing", ["mean", "product", "evidence"])
def test_decisions_mixed_in_every_way_are_outputs_whose_order_does_not_matter(kind, mixing):
    target, _, output, _ = predicted(kind)
    outputs = torch.stack([output, target(representation(target, len(output), seed=1)).detach()], 1)
    share = torch.tensor([0.5, 0.5]).expand(len(output), 2)
    mixed = target.decide(outputs, share, mixing)
    assert mixed.shape == output.shape
    assert mixed.isfinite().all()
    torch.testing.assert_close(target.decide(outputs.flip(1), share, mixing), mixed)


@every_kind
def test_a_product_with_one_expert_is_that_expert_and_with_two_alike_is_surer_of_logits_alone(kind):
    target, _, output, prediction = predicted(kind)
    other = target(representation(target, len(output), seed=1)).detach()
    first = torch.tensor([1.0, 0.0]).expand(len(output), 2)
    alone = target.prediction(target.decide(torch.stack([output, other], 1), first, "product"))
    torch.testing.assert_close(alone, prediction, atol=1e-4, rtol=1e-4, equal_nan=True)
    twice = target.decide(torch.stack([output, output], 1), torch.ones(len(output), 2), "product")
    torch.testing.assert_close(twice, 2 * output if target.logits else output)


@every_kind
def test_chance_and_references_are_predictions(kind):
    target, truth, _, prediction = predicted(kind)
    for guess in (target.chance(truth), *target.references(truth).values()):
        assert guess.shape == prediction.shape
        compute_metrics(target, guess, truth)


@every_kind
def test_the_main_metric_is_the_mean_of_the_samples_where_they_have_one(kind):
    target, truth, _, prediction = predicted(kind)
    known = target.known(truth)
    each = target.per_sample(prediction[known], target.measurable(truth[known]))
    if each is None:
        return
    mean = float(each[~each.isnan()].mean())
    assert mean == pytest.approx(compute_metrics(target, prediction, truth)[target.main], abs=1e-5)


@every_kind
def test_it_has_an_interval_around_its_value(kind):
    target, truth, _, prediction = predicted(kind)
    names = [str(i) for i in range(len(truth))]
    interval = main_interval(target, Scored({"y": prediction}, {"y": truth}, {}, names, names), "y")
    value = compute_metrics(target, prediction, truth)[target.main]
    assert interval is None or interval[0] - 1e-5 <= value <= interval[1] + 1e-5


@every_kind
def test_prediction_files_are_read_again(kind):
    target, truth, _, prediction = predicted(kind)
    for given in (truth.numpy(), None):
        table = target.columns(prediction.numpy(), given)
        assert len(table) == len(truth)
        assert all(column.startswith("y.") for column in table)
        again = pd.read_csv(io.StringIO(table.to_csv(index=False)))
        assert list(again) == list(table)
        for column in table.select_dtypes("number"):
            np.testing.assert_allclose(again[column], table[column], rtol=1e-6)
    arrays = target.arrays(prediction.numpy())
    read = dict(np.load(io.BytesIO(npz(arrays)), allow_pickle=False))
    for name, array in arrays.items():
        assert len(array) == len(truth)
        np.testing.assert_array_equal(read[name], array)


@every_kind
def test_it_draws_what_it_says(kind, tmp_path):
    target, truth, _, prediction = predicted(kind)
    ids = [f"s{i}" for i in range(len(truth))]
    target.draw(tmp_path, Scene(prediction, truth, ids, {}, torch.zeros(0, 0, dtype=torch.bool), {}))
    assert all(path.name.startswith("y") and path.suffix == ".png" for path in tmp_path.iterdir())


@every_kind
def test_the_loss_falls(kind):
    target, truth = target_of(kind)
    target.train()
    start = representation(target, len(truth))
    tokens = start.tokens.clone().requires_grad_()
    optimizer = torch.optim.Adam([tokens, *target.parameters()], lr=0.03)
    losses = []
    for _ in range(60):
        loss = target.loss(target(Representation(tokens.mean(1), tokens, start.mask)), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@every_kind
def test_it_runs_stacked(kind):
    """No control flow on values: two heads as one, by vmap."""
    target, truth = target_of(kind)
    other = make_target(target.spec, target.fitted, WIDTH).eval()
    given = representation(target, len(truth))
    parameters, buffers = torch.func.stack_module_state([target, other])

    def run(parameters, buffers):
        output = torch.func.functional_call(target, (parameters, buffers), (given,))
        return output, target.loss(output, truth)

    outputs, losses = torch.vmap(run, randomness="different")(parameters, buffers)
    torch.testing.assert_close(outputs[1], other(given), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(losses[0], target.loss(target(given), truth), atol=1e-5, rtol=1e-5)
