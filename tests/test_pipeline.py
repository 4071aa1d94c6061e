"""Whole runs: train, report, reopen, predict, cross-validate, resume, distribute."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

import flow
from crossfade import experiment
from crossfade.errors import UserError
from crossfade.evaluation.evaluate import evaluate
from crossfade.evaluation.predict import predict
from crossfade.runs import RunFolder


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return flow.data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    folder.mkdir()
    experiment.run(flow.config(manifest, "singles=true", "trainer.epochs=12"), folder, ["singles=true"])
    return RunFolder(folder)


def test_the_folder_is_complete(finished):
    assert finished.status().state == "finished"
    names = {str(p.relative_to(finished.path)) for p in finished.path.rglob("*") if p.is_file()}
    assert {
        "config.yaml",
        "overrides.txt",
        "environment.json",
        "preprocessing.json",
        "metrics.csv",
        "summary.json",
        "status.json",
        "run.log",
        "results.md",
        "verdict.txt",
        "report_outcome.txt",
        "predictions/test.csv",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "figures/comparison.png",
        "figures/training.png",
        "figures/confusion_outcome.png",
        "figures/reliability_outcome.png",
        "singles/note/summary.json",
    } <= names
    assert not [n for n in names if n.endswith(".tmp")]


def test_it_learned_and_says_how_well(finished):
    summary = finished.summary()
    assert summary["main"] == "outcome/balanced_accuracy"
    assert summary["metrics"]["outcome/balanced_accuracy"] > 0.8
    low, high = summary["interval"]
    assert 0 <= low <= summary["metrics"]["outcome/balanced_accuracy"] <= high <= 1
    assert summary["chance"]["outcome/balanced_accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    assert set(summary["singles"]) == {"scan", "note", "labs"}
    epochs = finished.metrics()
    assert list(epochs["epoch"]) == list(range(12))
    assert epochs["train/loss"].iloc[-1] < epochs["train/loss"].iloc[0]


def test_predictions_are_probabilities_with_ids(finished):
    table = finished.predictions("test")
    columns = ["outcome.p(a)", "outcome.p(b)", "outcome.p(c)"]
    assert table[columns].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert table["id"].str.startswith("P").all()
    right = (table["outcome.truth"] == table["outcome.predicted"]).mean()
    assert right == pytest.approx(finished.summary()["metrics"]["outcome/accuracy"], abs=1e-6)


def test_evaluation_from_the_folder_gives_the_same_numbers_to_the_last_digit(finished, capsys):
    before = finished.predictions_file("test").read_bytes()
    result = evaluate(finished.path)
    assert result["metrics"] == finished.summary()["metrics"]
    assert finished.predictions_file("test").read_bytes() == before
    assert "as recorded" in capsys.readouterr().out
    assert evaluate(finished.path, "last", "val")["samples"] == finished.summary()["samples"]["val"]


def test_evaluation_in_another_process_too(finished):
    done = flow.child(
        "import sys, json; from crossfade.evaluation.evaluate import evaluate; "
        "print('RESULT' + json.dumps(evaluate(sys.argv[1])['metrics']))",
        str(finished.path),
        threads=2,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.split("RESULT")[1]) == finished.summary()["metrics"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predict_new_samples(finished, manifest, tmp_path, suffix):
    new = pd.read_csv(manifest).drop(columns=["outcome", "size"]).iloc[:5]
    new.loc[0, "scan"] = None  # a modality may be absent
    new["scan"] = [None if pd.isna(s) else str(manifest.parent / s) for s in new["scan"]]
    new.to_csv(manifest.parent / f"new_{suffix}.csv", index=False)
    out = predict(finished.path, manifest.parent / f"new_{suffix}.csv", tmp_path / f"out.{suffix}")
    table = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert list(table["id"]) == list(new["id"])
    assert not [c for c in table if "truth" in c]
    assert table[[c for c in table if ".p(" in c]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


def test_a_model_that_does_not_exist_is_said_before_the_data_are_read(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.experiment.build_data", lambda config: pytest.fail("the data were read"))
    settings = ("encoder.image.model=resnet18x", "encoder.text.model=no/such-folder")
    monkeypatch.setattr("crossfade.encoders.hub.reachable", lambda: False)
    with pytest.raises(UserError) as caught:
        experiment.run(flow.config(manifest, *settings), tmp_path / "run")
    assert [p.partition("=")[0] for p in caught.value.problems] == ["encoder.text.model", "encoder.image.model"]


def test_a_folder_takes_no_other_run(finished, manifest):
    with pytest.raises(UserError, match=r"holds a run with other settings \(seed, singles, optim, trainer differ\)"):
        experiment.run(flow.config(manifest, "seed=5", "optim.lr=0.5"), finished.path)


def test_a_finished_run_is_not_trained_again(finished, manifest, capsys):
    experiment.run(flow.config(manifest, "singles=true", "trainer.epochs=12"), finished.path)
    assert "is finished: nothing was trained" in capsys.readouterr().out


def test_predictions_overwrite_neither_the_runs_own_nor_the_manifest(finished, manifest, tmp_path):
    new = tmp_path / "test.csv"  # its name would be that of the run's own predictions
    new.write_bytes(manifest.read_bytes())
    with pytest.raises(UserError, match="holds the run's own predictions"):
        predict(finished.path, new)
    with pytest.raises(UserError, match="is the manifest itself"):
        predict(finished.path, new, new)
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        predict(finished.path, new, tmp_path / "a.csv")


def test_rows_without_any_modality_have_no_prediction(finished, manifest, tmp_path):
    table = pd.read_csv(manifest).head(2)
    table[["scan", "report", "age", "sex"]] = ""
    table.to_csv(tmp_path / "empty.csv", index=False)
    with pytest.raises(UserError, match="no row holds a readable modality of labs, note, scan"):
        predict(finished.path, tmp_path / "empty.csv", tmp_path / "out.csv")


def test_wrong_folder_and_checkpoints(finished, tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        evaluate(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no such checkpoint. This run has: best, last"):
        evaluate(finished.path, "bset")
    with pytest.raises(UserError, match="allowed are train, val and test"):
        evaluate(finished.path, "best", "tset")


def test_cross_validation_gives_mean_and_deviation(manifest, tmp_path):
    config = flow.config(manifest, "folds=3", "trainer.epochs=2")
    summary = experiment.run(config, tmp_path, [])
    name = "outcome/accuracy"
    each = [RunFolder(tmp_path / f"fold_{k}").summary() for k in range(3)]
    values = [s["metrics"][name] for s in each]
    assert summary["metrics"][name] == pytest.approx(np.mean(values))
    assert summary["sd"][name] == pytest.approx(np.std(values, ddof=1))
    tested = pd.concat([RunFolder(tmp_path / f"fold_{k}").predictions("test") for k in range(3)])
    assert sorted(tested["id"]) == sorted(pd.read_csv(manifest)["id"])  # each sample once


def test_a_loss_that_turns_nan_stops_with_step_samples_and_checkpoint(manifest, tmp_path, monkeypatch):
    from crossfade.training.module import FusionModule

    original = FusionModule.loss
    calls = []

    def loss(self, outputs, batch):
        calls.append(1)
        value = original(self, outputs, batch)
        return value * math.nan if len(calls) == 7 else value

    monkeypatch.setattr(FusionModule, "loss", loss)
    with pytest.raises(UserError) as caught:
        experiment.run(flow.config(manifest), tmp_path, [])
    message = str(caught.value)
    assert "nan at step 6" in message
    assert "last.ckpt" in message
    assert message.count("P0") == 8  # the batch's samples
    assert RunFolder(tmp_path).status().state == "failed"


def test_ema_and_early_stopping_train(manifest, tmp_path):
    config = flow.config(manifest, "callbacks=ema", "callbacks.early_stopping=1", "callbacks.ema=0.9")
    summary = experiment.run(config, tmp_path, [])
    assert evaluate(tmp_path)["metrics"] == summary["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["bf16-mixed", "bf16-true", "64-true"])
def test_every_precision_of_a_cpu_trains_and_is_reopened(manifest, tmp_path, setting):
    config = flow.config(manifest, f"trainer.precision={setting}", "trainer.epochs=1", "trainer.gradient_clip=0.1")
    summary = experiment.run(config, tmp_path, [])
    assert evaluate(tmp_path)["metrics"] == summary["metrics"]


@pytest.mark.slow
def test_a_compiled_model_trains_to_a_checkpoint_of_the_plain_one(manifest, tmp_path):
    config = flow.config(
        manifest, "trainer.compile=true", "trainer.epochs=1", "core.dropout=0", "encoder.text.dropout=0"
    )
    summary = experiment.run(config, tmp_path, [])
    assert evaluate(tmp_path)["metrics"] == summary["metrics"]


def test_frozen_encoders_are_computed_once_and_do_not_change(manifest, tmp_path, monkeypatch):
    from crossfade.encoders.image import TimmEncoder

    calls = []
    original = TimmEncoder.forward
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))  # nobody has computed them yet
    monkeypatch.setattr(TimmEncoder, "forward", lambda self, x: calls.append(len(x)) or original(self, x))
    summary = experiment.run(flow.config(manifest, "encoder.image.frozen=true"), tmp_path / "run", [])
    calls = [n for n in calls if n > 1]  # a single one is what the cost is measured on
    assert calls == [64, 64]  # a chunk, filled up, for training and validation, and one for the test; once
    assert summary["parameters"]["frozen"] > 0
