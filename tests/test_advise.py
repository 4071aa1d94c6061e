"""`crossfade advise`: what strategies can do, claims and what becomes of them, and the command on small data."""

import json

import numpy as np
import pandas as pd
import pytest

from crossfade import experiment
from crossfade.advise.advice import spoken_outcome, sweep_command
from crossfade.advise.claims import SINGLE, Claim
from crossfade.advise.features import of_task
from crossfade.advise.labels import labels_of
from crossfade.advise.sweep import judge, outcome, read_sweep
from crossfade.advise.ways import strategies
from crossfade.analysis.intervals import Interval
from crossfade.analysis.statistics import Compared
from crossfade.cli import run
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.registry import groups
from crossfade.runs import RunFolder
from crossfade.specs import TargetSpec

SMALL = ("task=synthetic", "data.source.samples=400")
NONE = Interval(0.0, -0.01, 0.01)


def ways_of(*settings):
    return {s.name: s for s in strategies(compose(*settings))}


def test_what_a_strategy_can_do_is_found_by_trying_it():
    found = ways_of("task=synthetic")
    assert set(found) == set(groups()["fusion"])
    for name in ("weighted", "mean", "concat", "early", "poe", "loglinear"):
        assert found[name].way == "adds", name
    for name in ("product", "max", "mlp", "tfn", "multiplicative", "attention", "gmu", "adaptive"):
        assert found[name].way == "mixes", name
    for name in ("late", "stacking", "quality"):
        assert found[name].way == "averages", name
    assert found["product"].family == found["weighted"].family == "elementwise"
    assert found["tfn"].family == "tensor"


def test_behind_a_transformer_all_joined_features_mix():
    found = ways_of("task=synthetic", "core=transformer")
    assert {found[name].way for name in ("weighted", "concat", "product")} == {"mixes"}
    assert found["late"].way == "averages"


@pytest.mark.parametrize(
    ("expected", "difference", "became"),
    [
        ("better", Compared(0.2, 0.1, 0.3, 0.001), "held"),
        ("better", Compared(0.01, -0.02, 0.04, 0.5), "did not hold"),  # no room for a difference that counts
        ("better", Compared(-0.2, -0.3, -0.1, 0.001), "did not hold"),
        ("better", Compared(0.1, -0.1, 0.3, 0.3), "cannot be told"),
        ("no difference", Compared(0.01, -0.02, 0.04, 0.5), "held"),
        ("no difference", Compared(0.2, 0.1, 0.3, 0.001), "did not hold"),
        ("no difference", Compared(0.1, -0.1, 0.3, 0.3), "cannot be told"),
        ("open", Compared(0.2, 0.1, 0.3, 0.001), "cannot be told"),
        ("better", None, "cannot be told"),
        ("better", Compared(0.2, float("nan"), float("nan"), float("nan")), "cannot be told"),
    ],
)
def test_what_becomes_of_a_claim(expected, difference, became):
    assert outcome(Claim("mixes", "adds", expected, NONE), difference, margin=0.05) == became


def finished(path, skill, *settings, single=0.5, samples=300):
    """A run that has ended with about this accuracy."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    folder.write_start(compose("task=synthetic", *settings).dump(), settings)
    rng = np.random.default_rng(0)
    truth, luck = rng.integers(0, 2, samples), rng.random(samples)

    def table(accuracy):
        names = [f"S{i}" for i in range(samples)]
        guess = np.where(luck < accuracy, truth, 1 - truth)
        return pd.DataFrame(
            {"id": names, "group": names, "label.truth": truth.astype(str), "label.predicted": guess.astype(str)}
        )

    main = "label/balanced_accuracy"
    folder.write_predictions("test", table(skill))
    RunFolder(path / "singles" / "a").write_predictions("test", table(single))
    values = {"metrics": {main: skill}, "main": main, "higher_is_better": True, "chance": {main: 0.5}}
    values["samples"] = {"train": 700, "test": samples}
    values["singles"] = {"a": {"metrics": {main: single}, "folder": "singles/a"}}
    with folder.running():
        folder.write_summary(values)


CLAIMS = [
    Claim("mixes", "adds", "better", NONE),
    Claim("adds", "averages", "better", NONE),
    Claim("mixes", SINGLE, "no difference", NONE),
]


def test_a_sweep_of_one_seed_is_judged_by_its_test_samples(tmp_path):
    finished(tmp_path / "0", 0.9, "fusion=product")
    finished(tmp_path / "1", 0.6, "fusion=concat")
    finished(tmp_path / "2", 0.6, "fusion=weighted")
    found = judge(read_sweep(tmp_path), CLAIMS)
    assert [j.outcome for j in found] == ["held", "cannot be told", "did not hold"]
    assert found[0].difference.value == pytest.approx(0.3, abs=0.06)
    assert found[1].evidence == "no run averages"
    assert "1 against 2 models, one seed" in spoken_outcome(found[0], 0.04)


def test_seeds_are_paired(tmp_path):
    for seed, better in enumerate((0.90, 0.91, 0.92)):
        finished(tmp_path / f"p{seed}", better, "fusion=product", f"seed={seed}")
        finished(tmp_path / f"c{seed}", 0.6, "fusion=concat", f"seed={seed}")
    (first, *_) = judge(read_sweep(tmp_path), CLAIMS)
    assert first.outcome == "held"
    assert first.difference.value == pytest.approx(0.31)
    assert "3 seeds" in first.evidence


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        read_sweep(tmp_path)


def test_numbers_are_cut_at_their_quartiles_and_sets_are_counted():
    import torch

    spec = TargetSpec(name="size", kind="regression")
    labels, words = labels_of(spec, torch.tensor([[float(i)] for i in range(100)] + [[float("nan")]]))
    assert np.bincount(labels[:100]).tolist() == [25] * 4
    assert labels[100] == -1
    assert "quarters" in words
    spec = TargetSpec(name="signs", kind="multilabel")
    labels, _ = labels_of(spec, torch.tensor([[0.0, 0.0]] * 5 + [[1.0, 0.0]] * 3 + [[float("nan")] * 2]))
    assert labels.tolist() == [0] * 5 + [1] * 3 + [-1]


def test_the_test_split_is_not_looked_at():
    from crossfade.build import build_data

    config = compose(*SMALL)
    whole = build_data(config)
    whole.prepare()
    held_back = {whole.frame.groups[i] for i in whole.split["test"]}
    assert held_back.isdisjoint(of_task(config).groups)


def test_the_command_on_a_task(capsys, tmp_path):
    place = tmp_path / "advice.json"
    assert run("advise", [*SMALL, "data.source.law=xor", f"output={place}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Strategies that mix should win" in said
    assert "crossfade train -m task=synthetic data.source.samples=400 data.source.law=xor fusion=" in said
    found = json.loads(place.read_text())
    assert found["ways"]["mixes"]["rank"] == 1
    assert found["ways"]["adds"]["rank"] > 1
    assert found["information"][0]["synergy"]["value"] > 0.9


def test_the_command_on_a_run(capsys, tmp_path):
    settings = (*SMALL, "data.source.law=copy", "trainer.epochs=1", "singles=false", "patterns=false")
    experiment.run(compose(*settings), tmp_path / "run", settings)
    capsys.readouterr()
    assert run("advise", [f"run={tmp_path / 'run'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "60 samples judged" in said
    assert "Mixing should bring nothing over adding up" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Nothing to advise on"),
        (["run=x", "sweep=y"], "give one of them"),
        (["run=x", "fusion=sum"], "a run or sweep has its own settings"),
        (["task=synthetic", "output=x.txt"], "ends with .json"),
        (["run=/nowhere"], "There is no run folder"),
        (["sweep=/nowhere"], "not a folder of runs"),
        (["task=sinthetic"], "synthetic"),
        (["task=medical", "task.targets=[guidance]"], "Served are the kinds multiclass"),
        (["task=medical", "task.modalities=[note]"], "two modalities or more"),
    ],
)
def test_mistakes_are_explained(capsys, arguments, says):
    assert run("advise", arguments) == 2
    assert says in capsys.readouterr().err


def test_the_sweep_keeps_the_settings_but_chooses_fusion_and_seeds():
    command = sweep_command(["task=synthetic", "fusion=sum", "alpha=0.3", "seed=5", "width=32"], ["late", "concat"])
    assert command == "crossfade train -m task=synthetic width=32 fusion=late,concat seed=0,1,2"
