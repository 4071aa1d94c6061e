"""`crossfade compare`, on run folders whose numbers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crossfade.cli import run
from crossfade.compare import compare
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.summary import resamples_table

MAIN = "diagnosis/balanced_accuracy"


def predictions(skill, samples=200):
    truth = np.random.default_rng(0).integers(0, 2, samples)
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


def finished(path, skill, *settings, singles=None):
    """A run that has ended with this balanced accuracy."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    folder.write_start(compose(*settings).dump(), settings)
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
    assert "beats note alone (0.700)" in " ".join(said.split())
    assert "200 test samples" in said


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
        finished(tmp_path / f"x{seed}", x, "fusion=concat", f"seed={seed}")
        finished(tmp_path / f"y{seed}", y, "fusion=weighted", "alpha=0.3", f"seed={seed}")
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


def test_other_test_samples_are_refused(tmp_path):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=sum")
    RunFolder(b).write_predictions("test", predictions(0.8, samples=150))
    with pytest.raises(UserError, match="not tested on the same samples"):
        compare([a, b])


def test_what_cannot_be_compared_is_said(tmp_path):
    a, b = finished(tmp_path / "a", 0.9, "fusion=concat"), finished(tmp_path / "b", 0.8, "fusion=concat", "seed=1")
    with pytest.raises(UserError, match="differ in nothing but seed and fold"):
        compare([a, b])
    c = finished(tmp_path / "c", 0.8, "fusion=sum", "seed=2")
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
    assert "the only setting is metric=NAME" in said
    assert run("compare", ["--help"]) == 0
    assert "FOLDER FOLDER" in capsys.readouterr().out
