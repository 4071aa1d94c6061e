"""`crossfade ceiling`: models trained on just a presence pattern, beside the run's under that pattern."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import flow
from crossfade import ceilings, experiment
from crossfade.analysis.ceiling_table import ceiling_sentence
from crossfade.ceilings import ceiling_config, chosen_patterns, train_ceilings
from crossfade.cli import run as command
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.evaluation.evaluate import evaluate
from crossfade.report.build import write_report
from crossfade.runs import RunFolder

NAMES = ("scan", "note", "labs")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run whose samples lack some scans and reports."""
    folder = tmp_path_factory.mktemp("ceiling")
    manifest = flow.data_set(folder, samples=90)
    table = pd.read_csv(manifest)
    table.loc[::2, "scan"] = None
    table.loc[::3, "report"] = None
    table.to_csv(manifest, index=False)
    config = flow.config(manifest, "patterns=true", "task.targets=[outcome,size]", "trainer.epochs=2")
    experiment.run(config, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def asked(trained):
    """The same, with the ceilings of two patterns."""
    tables = train_ceilings(trained, [["note", "scan"], ["labs"]])
    return trained, tables


def test_patterns_are_named_by_a_word_or_listed_and_never_the_full_one():
    assert chosen_patterns("single_losses", NAMES) == [("scan", "note"), ("scan", "labs"), ("note", "labs")]
    assert chosen_patterns("singles", NAMES) == [("scan",), ("note",), ("labs",)]
    assert chosen_patterns("all", NAMES) == chosen_patterns("single_losses", NAMES) + chosen_patterns("singles", NAMES)
    assert chosen_patterns([["labs"], ["labs", "scan"], ["scan", "labs"]], NAMES) == [("scan", "labs"), ("labs",)]
    assert chosen_patterns("all", NAMES[:2]) == [("scan",), ("note",)]
    with pytest.raises(UserError) as error:
        chosen_patterns([["lab"], list(NAMES), []], NAMES)
    assert len(error.value.problems) == 3


def test_the_settings_stay_but_for_the_modalities_and_alpha_is_shared_out_among_them():
    config = compose("alpha={ct: 0.5, note: 0.3, mri: 0.2}", "imputation=mean", "seed=3", "tags=[x]")
    own = ceiling_config(config, ("ct", "note"))
    assert own.fusion["alpha"] == pytest.approx({"ct": 0.625, "note": 0.375})
    assert own.task.modalities == ["ct", "note"]
    assert (own.seed, own.imputation, own.optim, own.data) == (3, config.imputation, config.optim, config.data)
    assert ceiling_config(config, ("ultrasound", "vitals")).fusion["alpha"] is None
    assert ceiling_config(compose("alpha=learned"), ("ct",)).fusion["alpha"] == "learned"


def test_the_table_holds_both_models_on_the_samples_that_have_any_of_the_pattern(asked):
    trained, tables = asked
    patterns, predictions = (RunFolder(trained).table("absence_size"), RunFolder(trained).predictions("test"))
    table = RunFolder(trained).table("ceiling_size")
    pd.testing.assert_frame_equal(table, tables["size"])
    assert table[["labs", "note", "scan"]].to_numpy().tolist() == [[0, 1, 1], [1, 0, 0]]
    assert table["folder"].tolist() == ["ceilings/scan+note", "singles/labs"]
    for row in table.to_dict("records"):
        same = patterns[(patterns[["labs", "note", "scan"]] == [row[n] for n in ("labs", "note", "scan")]).all(axis=1)]
        assert row["mae"] == pytest.approx(same["mae"].item(), abs=1e-6)
        assert row["samples"] == same["samples"].item()
        alone = RunFolder(trained / row["folder"]).predictions("test").set_index("id")
        manifest = pd.read_csv(trained.parent / "set.csv").set_index("id").loc[predictions["id"]]
        lacking = manifest["scan"].isna() & manifest["report"].isna() & (row["labs"] == 0)
        each = (alone["size.predicted"] - alone["size.truth"]).abs()[~lacking.to_numpy()]
        assert row["ceiling"] == pytest.approx(each.mean(), abs=1e-5)
        assert row["difference"] == pytest.approx(row["ceiling"] - row["mae"], abs=1e-5)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p"] <= row["p_holm"] <= 1
    assert table["samples"].min() < len(predictions)
    assert (trained / "figures/absence_size.png").stat().st_size > 5000


def test_the_folder_of_a_ceiling_is_a_run_of_its_own(asked):
    trained, tables = asked
    found, row = evaluate(trained / "ceilings/scan+note"), tables["size"].iloc[0]
    assert found["samples"] == row["samples"]  # on its own it reads no sample that has neither
    assert found["metrics"]["size/mae"] == pytest.approx(row["ceiling"], abs=1e-6)


def test_what_is_there_is_not_trained_again_and_what_was_stopped_goes_on(asked, monkeypatch, capsys):
    trained, _ = asked
    before, calls = experiment.train_and_score, []

    def stopped(config, folder, data, label):
        calls.append(label)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return before(config, folder, data, label)

    monkeypatch.setattr(ceilings, "train_and_score", stopped)
    monkeypatch.setattr(experiment, "train_and_score", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_ceilings(trained, "single_losses")
    stopped_at = calls[1]
    tables = train_ceilings(trained, "single_losses")
    assert calls[2:] == [stopped_at]
    assert len(tables["outcome"]) == 4  # the one modality of the call before stays
    assert "Trained on just the pattern, a model is better in" in capsys.readouterr().out


def test_the_page_shows_them_where_they_were_asked_for(asked, tmp_path):
    trained, _ = asked
    page = write_report(RunFolder(trained), tmp_path / "page.html").read_text()
    assert page.count("trained on them") == 2
    assert "Trained on just the pattern, a model is better in" in page


def test_the_sentence_counts_what_is_distinguishable():
    rows = [(0.10, 0.05, 0.15, 0.001), (-0.1, -0.2, -0.05, 0.01), (0.1, -0.1, 0.3, 0.2), (0.1, 0.05, 0.2, 0.06)]
    table = pd.DataFrame(rows, columns=["difference", "low", "high", "p_holm"]).assign(p=0.0)
    assert "better in 1 of 4 patterns, worse in 1, not distinguishable in 2" in ceiling_sentence(table, "max")
    table.loc[0, ["low", "high", "p_holm"]] = np.nan
    assert "better in 1 of 4 patterns, worse in 0, not distinguishable in 3" in ceiling_sentence(table, "min")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["patterns=single_loss"], 'Did you mean "single_losses"'),
        (["patterns=[note,scan]"], "must be a list of lists"),
        (["patterns=[[note],[scam]]"], "scam is no modality of the run"),
        (["patterns=[[labs,note,scan]]"], "that is the run itself"),
        (["pattern=all"], 'Did you mean "patterns"'),
    ],
)
def test_mistakes_are_named(trained, arguments, said, capsys):
    assert command("ceiling", [f"run={trained}", *arguments]) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_run_that_is_not_finished_or_has_one_modality_has_none(tmp_path, capsys):
    manifest = flow.data_set(tmp_path)
    alone = flow.config(manifest, "task.modalities=[labs]", "trainer.epochs=1")
    experiment.run(alone, tmp_path / "alone")
    RunFolder(tmp_path / "started").path.mkdir()
    RunFolder(tmp_path / "started").write_start(flow.config(manifest).dump(), [])
    folds = flow.config(manifest, "folds=3")
    RunFolder(tmp_path / "folds").path.mkdir()
    RunFolder(tmp_path / "folds").write_start(folds.dump(), [])
    for name, said in (("alone", "one modality"), ("started", "not finished"), ("folds", "one of its folds")):
        assert command("ceiling", [f"run={tmp_path / name}"]) != 0
        assert said in " ".join(capsys.readouterr().err.split())
