"""The perceptual score: its definition in plain loops, and laws whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import flow
import laws
from crossfade.build import build_data, build_model
from crossfade.evaluation.perceptual import Perceived, perceive
from crossfade.evaluation.scored import score


def of(law, fusion):
    perceived, places = perceive(*laws.trained(law, fusion))["label"]
    assert perceived.whole.mean() > 0.99  # the law is learned, so that what follows is about the law
    return perceived.table([str(i) for i in places]).set_index("modality")


def test_of_xor_either_is_worth_all_that_there_is_above_chance():
    """Half of the bits fit by chance: accuracy 1 → 1/2, so PS = 1/2, and 1 of what can be had above chance (1/2)."""
    table = of("xor", "product")
    assert table["value"].tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    assert table["task_value"].tolist() == pytest.approx([1, 1], abs=0.08)
    assert table["model_value"].tolist() == pytest.approx([0.5, 0.5], abs=0.03)


def test_of_unique_the_first_is_worth_all_and_the_second_nothing():
    table = of("unique", "concat")
    assert table["value"]["a"] == pytest.approx(0.5, abs=0.03)
    assert table["value"]["b"] == pytest.approx(0, abs=0.005)


def test_of_two_copies_the_scores_sum_to_what_one_of_them_would_have():
    """Where the copies disagree, the model goes with one of them: what one score gains the other loses."""
    table = of("copy", "concat")
    assert table["value"].sum() == pytest.approx(0.5, abs=0.03)


def test_a_modality_that_the_model_does_not_look_at_has_exactly_none(tmp_path):
    """α = 0 for the note."""
    config = flow.config(flow.data_set(tmp_path), "alpha={scan: 0.5, note: 0.0, labs: 0.5}")
    data = build_data(config)
    data.prepare()
    found = perceive(build_model(config, data.fitted), data)
    note = found["size"][0].modalities.index("note")
    assert (found["size"][0].permuted[1 - note] != found["size"][0].whole).any()
    for perceived, _ in found.values():
        assert (perceived.permuted[note] == perceived.whole).all()
        row = perceived.table([str(i) for i in range(len(perceived.whole))]).iloc[note]
        assert row[["value", "low", "high", "task_value", "model_value", "sd"]].tolist() == [0] * 6


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """An untrained model of three modalities and two targets; a modality is absent here and there."""
    folder = tmp_path_factory.mktemp("perceptual")
    manifest = flow.data_set(folder)
    table = pd.read_csv(manifest)
    table.loc[::4, "scan"] = None
    table.loc[::6, "report"] = None
    table.loc[::9, "outcome"] = None
    table.to_csv(manifest, index=False)
    config = flow.config(manifest, "task.targets=[outcome,size]", "data.split=[0.4,0.1,0.5]")
    data = build_data(config)
    data.prepare()
    return build_model(config, data.fitted).eval(), data


def test_its_mean_is_that_over_all_pairs_of_samples_with_who_has_what_unchanged(prepared):
    """E over the permutations: each sample with the modality of each that has it, 1/n² Σ_ij; inputs exchanged."""
    model, data = prepared
    found = perceive(model, data, permutations=100)
    batch = data.samples[data.split["test"].tolist()]
    for column, name in enumerate(model.modalities):
        here = torch.nonzero(batch.presence[:, column])[:, 0]
        total = {target: [] for target in found}
        for shift in range(len(here)):
            inputs = {key: x.clone() for key, x in batch.inputs.items()}
            inputs[name][here] = batch.inputs[name][here.roll(shift)]
            with torch.no_grad():
                outputs = model(inputs, batch.presence)
            for target, (_, places) in found.items():
                part = model.targets[target]
                right = part.correct(part.prediction(outputs[target])[places], batch.truth[target][places])
                total[target].append(right.mean().item())
        for target, (perceived, _) in found.items():
            mean = perceived.permuted[column].mean(1)
            error = mean.std() / 10 + 1e-6
            assert abs(mean.mean() - np.mean(total[target])) < 4 * error, (name, target)


def test_with_nothing_exchanged_it_is_what_the_run_scores(prepared):
    model, data = prepared
    found, metrics = perceive(model, data, permutations=1), score(model, data, "test").metrics
    assert found["outcome"][0].whole.mean() == pytest.approx(metrics["outcome/accuracy"], abs=1e-6)
    assert found["size"][0].whole.mean() == pytest.approx(-metrics["size/mae"], abs=1e-5)
    assert found["outcome"][0].of == "accuracy"
    assert found["size"][0].best == 0
    assert len(found["outcome"][1]) < len(found["size"][1])  # some outcomes are unknown


def test_the_table_is_the_definition_and_its_interval_that_of_plain_loops():
    rng = np.random.default_rng(0)
    whole, permuted, nothing = rng.random(60), rng.random((1, 4, 60)), rng.random(60)
    groups = np.repeat(np.arange(20), 3)
    perceived = Perceived(("a",), "accuracy", 1.0, whole, permuted, nothing)
    row = perceived.table([str(g) for g in groups], resamples=4000).iloc[0]
    score_ = whole.mean() - permuted.mean()
    assert row["value"] == pytest.approx(score_)
    assert row["task_value"] == pytest.approx(score_ / (1 - nothing.mean()))
    assert row["model_value"] == pytest.approx(score_ / whole.mean())
    assert row["sd"] == pytest.approx(permuted[0].mean(1).std(ddof=1))
    drawn = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(0, 20, 20)])
        turns = rng.integers(0, 4, 4)
        lost = (whole - permuted[0][turns])[:, rows].mean()
        drawn.append((lost, lost / (1 - nothing[rows].mean()), lost / whole[rows].mean()))
    wanted = np.quantile(drawn, [0.025, 0.975], axis=0)
    for kind, (low, high) in zip(("", "task_", "model_"), wanted.T, strict=True):
        assert row[f"{kind}low"] == pytest.approx(low, abs=0.02)
        assert row[f"{kind}high"] == pytest.approx(high, abs=0.02)


def test_each_modality_is_encoded_once_and_the_model_stays_as_it_was(prepared, monkeypatch):
    model, data = prepared
    calls, encode = [], type(model).encode
    before = score(model, data, "test").metrics
    monkeypatch.setattr(
        type(model), "encode", lambda self, name, *rest: calls.append(name) or encode(self, name, *rest)
    )
    perceive(model, data, permutations=3)
    assert len(calls) == 3 * len(list(data.loader("test")))
    assert score(model, data, "test").metrics == pytest.approx(before, nan_ok=True)
