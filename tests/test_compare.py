"""`crossfade compare`, on run folders whose numbers are known."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crossfade.cli import run
from crossfade.compare import compare
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.evaluation.summary import resamples_table
from crossfade.runs import RunFolder

MAIN = "diagnosis/balanced_accuracy"


def predictions(skill, samples=200, seed=0):
    truth = np.random.default_rng(seed).integers(0, 2, samples)
    right = np.random.default_rng(1).random(samples) < skill
    names = np.array(["cyst", "abscess"])
    return pd.DataFrame(
        {
            "id": [f"P{i}" for i in range(samples)],
            "group": [f"P{i}" for i in range(samples)],
            "diagnosis.truth": names[truth],
            "diagnosis.predicted": names[np.where(right, truth, 1 - truth)],
        }
    )


@lru_cache
def composed(settings):
    return json.dumps(compose(*settings).dump())


def started(path, settings, seed=0, folds=None, fold=None):
    """A run's folder with its config; seed and folds are filled in here, since composing takes its time."""
    path.mkdir(parents=True)
    config = json.loads(composed(settings))
    config |= {"seed": seed, "folds": folds, "data": config["data"] | {"fold": fold}}
    RunFolder(path).config_file.write_text(json.dumps(config), encoding="utf-8")
    RunFolder(path).overrides_file.write_text("", encoding="utf-8")
    return RunFolder(path)


def finished(path, skill, *settings, singles=None, **place):
    """A run that has ended with this balanced accuracy."""
    folder = started(path, settings, **place)
    folder.write_predictions("test", predictions(skill))
    values = {"metrics": {MAIN: skill}, "main": MAIN, "higher_is_better": True, "samples": {"train": 800, "test": 200}}
    for name, alone in (singles or {}).items():
        inside = RunFolder(path / "singles" / name)
        inside.write_predictions("test", predictions(alone))
        values.setdefault("singles", {})[name] = {"metrics": {MAIN: alone}, "folder": f"singles/{name}"}
    with folder.running():
        folder.write_summary(values)
    return path


def test_one_run_each_is_compared_on_its_test_samples(tmp_path, capsys):
    a = finished(tmp_path / "a", 0.9, "fusion=concat", singles={"ct": 0.6, "note": 0.7})
    b = finished(tmp_path / "b", 0.89, "fusion=sum")
    found = compare([a, b])
    assert [m["label"] for m in found["models"]] == ["concat", "sum", "note alone"]
    said = capsys.readouterr().out
    assert "concat (balanced accuracy 0.900) is not distinguishable from sum" in " ".join(said.split())
    assert "both beat the best single modality, note (p ≤ .002)" in " ".join(said.split())
    assert "200 test samples" in said
    draws = np.random.default_rng(1).random(200)
    assert f"{((draws >= 0.89) & (draws < 0.9)).sum()} : 0" in said  # right: what only concat has right


def test_parts_are_named_by_their_option_and_with_the_fields_that_tell_them_apart(tmp_path):
    runs = [
        finished(tmp_path / "a", 0.9, "fusion=concat", "imputation=mean"),
        finished(tmp_path / "b", 0.8, "fusion=concat", "imputation=mean", "imputation.momentum=0.5"),
        finished(tmp_path / "c", 0.7, "fusion=concat"),
        finished(tmp_path / "d", 0.6, "fusion=concat", "imputation=reconstruction"),
    ]
    assert [m["label"] for m in compare(runs)["models"]] == [
        "concat imputation=mean imputation.momentum=0.9",
        "concat imputation=mean imputation.momentum=0.5",
        "concat",
        "concat imputation=reconstruction",
    ]
    assert [m["label"] for m in compare([runs[0], runs[2]])["models"]] == [
        "concat imputation=mean",
        "concat",
    ]


def test_seeds_are_repeats_and_compared_in_pairs(tmp_path, capsys):
    for seed, (x, y) in enumerate([(0.90, 0.80), (0.92, 0.81), (0.91, 0.80)]):
        finished(tmp_path / f"x{seed}", x, "fusion=concat", seed=seed)
        finished(tmp_path / f"y{seed}", y, "fusion=weighted", "alpha=0.3", seed=seed)
    found = compare([tmp_path])
    assert [(m["label"].split()[0], m["repeats"]) for m in found["models"]] == [("concat", 3), ("weighted", 3)]
    assert found["comparisons"][0]["difference"] == pytest.approx((0.10 + 0.11 + 0.11) / 3)
    said = " ".join(capsys.readouterr().out.split())
    assert "3 seeds" in said
    assert "beats weighted" in said
    assert "Only 3 repeats" in said


@pytest.mark.parametrize(("gain", "says"), [(0.05, "beats sum"), (0.0, "is not distinguishable from sum")])
def test_a_metric_of_all_samples_together_is_compared_by_the_runs_draws(tmp_path, capsys, gain, says):
    rng = np.random.default_rng(0)
    common, own = rng.normal(0, 0.2, 1001), rng.normal(0, 0.01, 1001)  # alone either is as good as .2 allows
    for name, value, drawn in (("concat", 0.7 + gain, 0.7 + gain + common + own), ("sum", 0.7, 0.7 + common)):
        folder = RunFolder(finished(tmp_path / name, value, f"fusion={name}", "task.targets=[findings]"))
        main = {"findings/f1": value}
        summary = folder.summary() | {"metrics": main, "main": "findings/f1", "higher_is_better": True}
        folder.write_summary(summary)
        folder.write_table("resamples_findings", resamples_table("f1", np.r_[value, drawn[1:]]))
    found = compare([tmp_path])
    assert found["comparisons"][0]["difference"] == pytest.approx(gain)
    assert says in " ".join(capsys.readouterr().out.split())


def folds_of(path, skills, *settings, seed=0, singles=None):
    """A cross-validation that has ended; every fold was tested on samples of its own."""
    started(path, settings, seed, len(skills))
    for k, skill in enumerate(skills):
        alone = {name: values[k] for name, values in (singles or {}).items()}
        place = {"seed": seed, "folds": len(skills), "fold": k}
        fold = finished(path / f"fold_{k}", skill, *settings, singles=alone, **place)
        RunFolder(fold).write_predictions("test", predictions(skill, seed=10 * seed + k))
    return path


@pytest.fixture
def sweep(tmp_path):
    """Three strategies in two seeds × four folds: two that are equal but for noise, one that is no better than note."""
    noise = np.random.default_rng(0).normal(0, 0.004, (3, 2, 4))
    for i, (fusion, level) in enumerate([("concat", 0.90), ("sum", 0.90), ("max", 0.70)]):
        for seed in (0, 1):
            values = (level + noise[i, seed]).tolist()
            alone = {"note": (0.70 + noise[0, seed][::-1]).tolist(), "ct": [0.5] * 4}
            folds_of(tmp_path / "sweep" / f"{fusion}_{seed}", values, f"fusion={fusion}", seed=seed, singles=alone)
    return tmp_path / "sweep"


def test_the_equal_ones_are_each_compared_with_the_best_single_modality(sweep, capsys, tmp_path):
    found = compare([sweep], figure=tmp_path / "ranks.png")
    said = " ".join(capsys.readouterr().out.split())
    assert {m["label"] for m in found["models"]} == {"concat", "sum", "max", "note alone"}
    assert "both beat the best single modality, note (p < .001)" in said
    assert "2 seeds × 4 folds" in said
    assert " beats max (0.70" in said
    assert "Friedman p < .001" in said
    assert (tmp_path / "ranks.png").stat().st_size > 5000
    values = found["models"][0]["over_repeats"]
    assert values[0] < found["models"][0]["mean"] < values[1]


def test_the_numbers_are_the_corrected_t_over_seeds_and_folds_adjusted_for_all_pairs(sweep):
    found = compare([sweep])
    table = {
        fusion: [
            RunFolder(sweep / f"{fusion}_{seed}" / f"fold_{k}").summary()["metrics"][MAIN]
            for seed in (0, 1)
            for k in range(4)
        ]
        for fusion in ("concat", "sum", "max")
    }
    best, second = sorted(("concat", "sum"), key=lambda f: -np.mean(table[f]))
    d = np.subtract(table[best], table[second])
    t = d.mean() / np.sqrt((1 / 8 + 200 / 800) * d.var(ddof=1))
    (pair,) = (c for c in found["comparisons"] if c["label"] == second)
    # max against note alone has the only larger p: this is the fourth of five, of six pairs of four models
    assert pair["p"] == pytest.approx((6 - 4 + 1) * 2 * stats.t.sf(abs(t), 7))
    assert not pair["differ"]
    assert pair["detectable"] > abs(d.mean())


def test_of_equal_ones_only_some_may_beat_the_best_single_modality(tmp_path, capsys):
    steady, shaky, note = [0.80, 0.81, 0.80, 0.79, 0.81], [0.95, 0.60, 0.90, 0.65, 0.80], [0.70, 0.71, 0.69, 0.70, 0.70]
    folds_of(tmp_path / "a", steady, "fusion=concat", singles={"note": note})
    folds_of(tmp_path / "b", shaky, "fusion=sum")
    compare([tmp_path])
    said = " ".join(capsys.readouterr().out.split())
    assert "concat (balanced accuracy 0.80" in said
    assert "is not distinguishable from sum" in said
    assert "of these concat beats the best single modality, note" in said
    assert "the other does not" in said


def test_where_a_single_modality_is_best_it_is_said(tmp_path, capsys):
    a = finished(tmp_path / "a", 0.6, "fusion=concat", singles={"note": 0.9})
    compare([a])
    assert "No fused model beats the best single modality, note" in " ".join(capsys.readouterr().out.split())


def test_a_claim_from_few_samples_is_doubted(tmp_path, capsys):
    for name, skill in (("concat", 0.9), ("sum", 0.5)):
        folder = RunFolder(finished(tmp_path / name, skill, f"fusion={name}"))
        folder.write_predictions("test", predictions(skill, samples=20))
    found = compare([tmp_path])
    said = " ".join(capsys.readouterr().out.split())
    assert "Only 20 test groups" in said
    assert found["comparisons"][0]["needed"] > 0


def test_a_single_modality_of_another_setting_is_another_model(tmp_path):
    a = finished(tmp_path / "a", 0.9, "fusion=concat", "width=32", singles={"note": 0.6})
    b = finished(tmp_path / "b", 0.8, "fusion=concat", "width=64", singles={"note": 0.7})
    found = compare([a, b])
    assert found["models"][-1] == {**found["models"][-1], "label": "note alone", "mean": 0.7, "repeats": 1}


def test_any_target_can_be_compared(tmp_path):
    for name, value in (("concat", 0.6), ("sum", 0.5)):
        folder = RunFolder(finished(tmp_path / name, 0.9, f"fusion={name}"))
        folder.write_summary(folder.summary() | {"metrics": {MAIN: 0.9, "findings/f1": value}})
    assert compare([tmp_path], "findings/f1")["models"][0]["mean"] == 0.6
    with pytest.raises(UserError, match=r'no such metric\. Did you mean "f1"\? It has f1'):
        compare([tmp_path], "findings/f11")


def test_other_test_samples_are_refused(tmp_path):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=sum")
    RunFolder(b).write_predictions("test", predictions(0.8, samples=150))
    with pytest.raises(UserError, match="not tested on the same samples: 200 and 150, of which 150 are in both"):
        compare([a, b])
    RunFolder(b).write_predictions("test", predictions(0.8).assign(group="one"))
    with pytest.raises(UserError, match="grouped differently"):
        compare([a, b])
    RunFolder(b).write_predictions("test", predictions(0.8, seed=3))
    with pytest.raises(UserError, match=r"the ids are the same, but \d+ of 200 have another truth of diagnosis"):
        compare([a, b])
    RunFolder(b).write_predictions("test", predictions(0.8).iloc[::-1])
    with pytest.raises(UserError, match="they stand in another order"):
        compare([a, b])


def test_other_test_samples_in_one_fold_of_many_are_refused(sweep):
    fold = RunFolder(sweep / "sum_1" / "fold_2")
    fold.write_predictions("test", predictions(0.9, samples=199, seed=12))
    with pytest.raises(UserError, match=r"concat_1/fold_2 and .*sum_1/fold_2 were not tested on the same"):
        compare([sweep])


def test_other_data_under_the_same_ids_are_refused(tmp_path):
    a, b = finished(tmp_path / "a", 0.9), finished(tmp_path / "b", 0.8, "data.source.missing=0.5")
    with pytest.raises(UserError, match=r"data\.source\.missing is .* and 0\.5"):
        compare([a, b])
    c, d = finished(tmp_path / "c", 0.9), finished(tmp_path / "d", 0.8, "fusion=sum")
    for path, data in ((c, "1f"), (d, "2e")):
        RunFolder(path).write_summary(RunFolder(path).summary() | {"data": data})
    with pytest.raises(UserError, match="another version of the generator"):
        compare([c, d])


def test_files_of_another_date_are_said(tmp_path, capsys):
    for name in ("concat", "sum"):
        path = finished(tmp_path / name, 0.9, f"fusion={name}")
        folder = RunFolder(path)
        config = folder.config()
        config["data"]["manifest"] = "table.csv"
        folder.config_file.write_text(json.dumps(config), encoding="utf-8")
        folder.write_summary(folder.summary() | {"data": name})
    compare([tmp_path])
    assert "have other sizes or dates" in capsys.readouterr().out


def test_a_run_given_twice_counts_once_and_two_runs_of_one_setting_are_refused(tmp_path, capsys):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=sum")
    assert [m["repeats"] for m in compare([a, b, a])["models"]] == [1, 1]
    assert "Given twice, counted once" in capsys.readouterr().out
    c = finished(tmp_path / "c", 0.7, "fusion=sum")
    with pytest.raises(UserError, match="same setting, seed and fold"):
        compare([a, b, c])


def test_of_a_sweep_what_is_not_finished_is_left_out(sweep, capsys):
    (sweep / "max_1" / "fold_3" / "status.json").unlink()
    found = compare([sweep])
    assert {m["label"]: m["repeats"] for m in found["models"]}["max"] == 4
    assert "Left out, not finished: " in capsys.readouterr().out
    with pytest.raises(UserError, match="not finished"):
        compare([sweep / "max_0", sweep / "max_1"])


def test_what_cannot_be_compared_is_said(tmp_path):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=concat", seed=1)
    with pytest.raises(UserError, match="differ in nothing but seed and fold"):
        compare([a, b])
    c = finished(tmp_path / "c", 0.8, "fusion=sum", seed=2)
    with pytest.raises(UserError, match="share no seed and fold"):
        compare([a, c])
    with pytest.raises(UserError, match=r"metric=auroc: .* no such metric\. It has balanced_accuracy"):
        compare([a, c], "auroc")
    other = finished(tmp_path / "d", 0.8, "task.targets=[findings]")
    with pytest.raises(UserError, match="different targets"):
        compare([a, other])
    (c / "status.json").unlink()
    with pytest.raises(UserError, match="not finished"):
        compare([a, c])


def test_the_command(tmp_path, capsys):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=sum")
    assert run("compare", [str(a), str(b)]) == 0
    assert "concat" in capsys.readouterr().out
    assert run("compare", []) == 2
    assert run("compare", [str(tmp_path / "nothing"), "mtric=f1"]) == 2
    said = capsys.readouterr().err
    assert "there is no such folder" in said
    assert "mtric=f1: there is no such folder or setting. Did you mean" in said
    assert run("compare", [str(a), str(b), "metric=f1", "metric=auroc", "figure=x.jpg"]) == 2
    said = capsys.readouterr().err
    assert "give metric once" in said
    assert "figure=x.jpg: give a name that ends with .png" in said
    assert run("compare", [str(a), str(b), f"figure={tmp_path / 'ranks.png'}"]) == 2
    assert "there are 2 models" in capsys.readouterr().err
    assert run("compare", ["--help"]) == 0
    assert "FOLDER FOLDER" in capsys.readouterr().out
