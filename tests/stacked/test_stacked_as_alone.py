"""A run of a stack ends with the numbers that it would have alone."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

import flow
import stacks
import tiny
from crossfade import experiment
from crossfade.evaluation.reopen import reopen_model
from crossfade.runs import RunFolder
from crossfade.stacked import engine
from crossfade.stacked.batchable import groups
from crossfade.stacked.stack import NotStackable

EXACT = 1e-9


def compare(configs, folder):
    """Train both ways; the outcomes of the stack."""
    assert groups(configs) == [list(range(len(configs)))]
    outcomes = stacks.stacked(configs, folder / "stack")
    for i, config in enumerate(configs):
        stacks.alone(config, folder / f"alone{i}")
        for name in ("last", "best"):
            assert stacks.difference(folder / "stack" / str(i), folder / f"alone{i}", name) < EXACT, (i, name)
    return outcomes


@pytest.mark.parametrize("fusion", tiny.options("fusion"))
def test_every_strategy(fusion, tmp_path):
    first = stacks.config(f"fusion={fusion}")
    changes = {
        "seed": 1,
        "data": first.data.model_copy(update={"fold": 2}),
        "optim": first.optim.model_copy(update={"lr": 0.01, "weight_decay": 0.3}),
        "fusion": {**first.fusion, "alpha": {"a": 0.7, "b": 0.3}} if "alpha" in first.fusion else first.fusion,
    }
    compare([first, first.model_copy(update=changes)], tmp_path)


def test_a_member_draws_what_it_would_draw_alone(tmp_path):
    of = [("seed=0", 0.1), ("seed=1", 0.1), ("seed=0", 0.4), ("seed=0", 0.0)]
    settings = ["fusion=embracenet", "balance=modality_dropout", "encoder/table=tabular"]
    configs = [stacks.config(*settings, seed, f"core.dropout={p}", f"encoder.table.dropout={p}") for seed, p in of]
    compare(configs, tmp_path)


def test_frozen_encoders_several_targets_and_what_is_logged(tmp_path):
    manifest = flow.data_set(tmp_path)
    settings = [
        *("trainer.precision=64-true", "trainer.progress=false", "core.dropout=0.0", "encoder.image.frozen=true"),
        *("encoder.text.frozen=true", "target.outcome.label_smoothing=0.0", "callbacks.early_stopping=1"),
    ]
    own = [
        ["alpha=0.3"],
        ["alpha=0.3", "target.size.weight=0.1"],
        ["target.outcome.label_smoothing=0.2", "optim.lr=0.02"],
        ["seed=3", "data.fold=1"],
    ]
    configs = [flow.config(manifest, *settings, *o).model_copy(update={"folds": 3}) for o in own]
    outcomes = compare(configs, tmp_path)
    for i, (config, outcome) in enumerate(zip(configs, outcomes, strict=True)):
        ours, theirs = RunFolder(tmp_path / "stack" / str(i)), RunFolder(tmp_path / f"alone{i}")
        assert ours.fitted() == theirs.fitted()
        assert outcome.epochs == len(theirs.metrics())
        pd.testing.assert_frame_equal(ours.metrics(), theirs.metrics(), check_exact=False, rtol=1e-6, atol=1e-7)
        assert stacks.checkpoint(ours.path, "best")["epoch"] == stacks.checkpoint(theirs.path, "best")["epoch"]
        assert ours.status().state == "running"  # it is scored yet
        reopened = reopen_model(config, ours, "best").state_dict()
        weights = stacks.checkpoint(ours.path, "best")["state_dict"]
        assert all(torch.equal(value, weights[f"model.{name}"].to(value.dtype)) for name, value in reopened.items())


def test_runs_stop_each_at_its_own_epoch(tmp_path):
    settings = ["trainer.epochs=7", "callbacks.early_stopping=2"]
    configs = [stacks.config(*settings, f"seed={i}", f"optim.lr={lr}") for i, lr in enumerate((0.1, 0.003, 0.02))]
    outcomes = compare(configs, tmp_path)
    assert len({outcome.epochs for outcome in outcomes}) > 1


def test_a_run_that_diverges_fails_alone_and_leaves_the_others_as_they_are(tmp_path):
    settings = ["trainer.epochs=3", "fusion=product"]
    well = [stacks.config(*settings, f"optim.lr={lr}") for lr in (0.001, 0.01)]
    ill = stacks.config(*settings, "optim.lr=1.0e+200")
    outcomes = stacks.stacked([well[0], ill, well[1]], tmp_path / "three")
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert "The loss is" in outcomes[1].error
    assert "optim.lr" in outcomes[1].error
    failed = RunFolder(tmp_path / "three" / "1")
    assert failed.status().state == "failed"
    assert "The loss is" in failed.log_file.read_text()
    stacks.stacked(well, tmp_path / "two")
    for three, two in ((0, 0), (2, 1)):
        assert stacks.difference(tmp_path / "three" / str(three), tmp_path / "two" / str(two)) < EXACT
    with pytest.raises(Exception, match="The loss is") as alone:
        stacks.alone(ill, tmp_path / "alone")
    assert str(alone.value).partition(" on the samples")[0] == outcomes[1].error.partition(" on the samples")[0]


def test_an_interrupted_run_goes_on_alone_to_the_same_weights(tmp_path, monkeypatch):
    settings = ["trainer.epochs=4", "core.dropout=0.2", "callbacks.early_stopping=9"]
    configs = [stacks.config(*settings, f"optim.lr={lr}") for lr in (0.003, 0.03)]
    stacks.stacked(configs, tmp_path / "whole")
    epoch = engine.Engine.epoch

    def interrupted(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number)

    monkeypatch.setattr(engine.Engine, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stacks.stacked(configs, tmp_path / "half")
    for i, config in enumerate(configs):
        folder = RunFolder(tmp_path / "half" / str(i))
        assert folder.status().state == "interrupted"
        assert stacks.checkpoint(folder.path)["epoch"] == 1
        stacks.alone(config, folder.path)
        for name in ("last", "best"):
            assert stacks.difference(folder.path, tmp_path / "whole" / str(i), name) < EXACT
        assert len(folder.metrics()) == 4


def test_what_cannot_be_stacked_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(NotStackable, match="accumulate=2"):
        stacks.stacked([stacks.config("trainer.accumulate=2")], tmp_path / "a")
    with pytest.raises(NotStackable, match="more than batchable"):
        stacks.stacked([stacks.config(), stacks.config("width=32")], tmp_path / "b")
    stacks.alone(stacks.config("trainer.epochs=1"), tmp_path / "c" / "1")
    (tmp_path / "c" / "0").mkdir()
    with pytest.raises(NotStackable, match="goes on alone"):
        stacks.train_stacked(
            [
                stacks.Job(stacks.config(), RunFolder(tmp_path / "c" / str(i)), stacks.data_of(stacks.config()))
                for i in (0, 1)
            ]
        )
    assert not list((tmp_path / "c" / "0").glob("*.json"))


def test_a_model_that_vmap_does_not_take_is_refused(tmp_path, monkeypatch):
    from crossfade.core.transformer import Transformer

    forward = Transformer.forward

    def by_value(self, tokens, mask):
        return forward(self, tokens if tokens.sum() > 0 else -tokens, mask)

    monkeypatch.setattr(Transformer, "forward", by_value)
    with pytest.raises(NotStackable, match="vmap does not take"):
        stacks.stacked([stacks.config(f"optim.lr={lr}") for lr in (0.1, 0.2)], tmp_path)
    assert not list(tmp_path.glob("*/*.json"))


def test_a_run_of_a_stack_is_scored_as_one_alone(tmp_path):
    settings = ["singles=false", "patterns=false", "figures=false", "data.fold=1"]
    config = stacks.config(*settings)
    outcomes = stacks.stacked([config, stacks.config(*settings, "optim.lr=0.02")], tmp_path / "stack")
    folder = RunFolder(tmp_path / "stack" / "0")
    folder.write_start(config.dump(), [])
    summary = experiment.finish_trained(config, folder.path, stacks.data_of(config), outcomes[0].seconds)
    alone = experiment.run(config, tmp_path / "alone")
    assert summary["metrics"] == pytest.approx(alone["metrics"], abs=1e-6)
    assert folder.is_finished()
