"""`crossfade.load_sweep`: a sweep's folder as one tidy table."""

from __future__ import annotations

import json
import math
import shutil

import pandas as pd
import pytest

import crossfade
import flow
from crossfade.errors import UserError
from crossfade.runs.files import read_csv
from crossfade.sweeps.jobs import sweep_settings
from crossfade.sweeps.ledger import Ledger
from crossfade.sweeps.load import value_of
from crossfade.sweeps.planning import Job
from sweep_folder import MAIN, base, job, summary, sweep


def score(fusion, alpha, seed, lr=0.003):
    return {"weighted": 0.8, "sum": 0.7}[fusion] + 0.01 * seed + (0.05 if alpha == 0.5 else 0) + lr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("load") / "sweep"
    return sweep(
        place, ["weighted", "sum"], [0.1, 0.5, "learned"], 2, score, {"optim.lr": [0.001, 0.003]}, {"a": 0.6, "b": 0.55}
    )


def test_a_row_is_a_training_with_all_that_differs_and_all_that_was_measured(folder):
    table = crossfade.load_sweep(folder)
    assert len(table) == (3 + 1) * 2 * 2
    row = table[(table["alpha"] == 0.1) & (table["optim.lr"] == 0.003) & (table["seed"] == 1)].iloc[0]
    assert row["strategy"] == "weighted"
    assert row["state"] == "finished"
    assert (row["alpha.a"], row["alpha.b"], row["learned"]) == (0.1, 0.9, False)
    assert row[MAIN] == pytest.approx(0.813)
    assert (row[f"{MAIN} low"], row[f"{MAIN} high"]) == (pytest.approx(0.773), pytest.approx(0.853))
    assert (row["single.a"], row["single.b"], row["bound"]) == (0.6, 0.55, 0.9)
    assert (row["parameters"], row["frozen"], row["flops"], row["milliseconds"]) == (1200, 200, 5000, 0.25)
    assert (row["seconds"], row["train"], row["test"]) == (1.5, 700, 150)
    assert (folder / row["folder"] / "summary.json").is_file()
    assert table.attrs == {"main": MAIN, "better": "max", "modalities": ["a", "b"], "varying": ["optim.lr"]}
    order = list(table.columns)
    assert order[:7] == ["job", "folder", "state", "error", "strategy", "alpha", "learned"]
    assert order.index("optim.lr") < order.index("seed") < order.index(MAIN) < order.index("bound")


def test_alpha_is_what_was_learned_and_none_where_there_is_none(folder):
    table = crossfade.load_sweep(folder)
    learned = table[table["learned"]]
    assert set(learned["alpha"]) == {0.6}
    assert set(learned["alpha.b"]) == {0.4}
    assert table.loc[table["strategy"] == "sum", ["alpha", "alpha.a"]].isna().all(axis=None)


def test_validation_is_of_the_epoch_whose_weights_are_tested(tmp_path):
    raw = base()
    job(tmp_path / "00_seed=0", raw, ["seed=0"], summary(0.8), validation=0.9)
    assert crossfade.load_sweep(tmp_path)[f"val/{MAIN}"].item() == 0.9  # its best epoch, the second
    loss = {**raw, "callbacks": {**raw["callbacks"], "monitor": "val/loss"}}
    job(tmp_path / "01_seed=1", loss, ["seed=1"], summary(0.8), validation=0.9)
    job(tmp_path / "02_seed=2", raw, ["seed=2"], summary(0.8, checkpoint="last"), validation=0.9)
    assert list(crossfade.load_sweep(tmp_path)[f"val/{MAIN}"]) == [0.9, pytest.approx(0.85), pytest.approx(0.85)]


def test_a_cross_validation_has_a_row_per_fold(tmp_path):
    raw = {**base("folds=2"), "seed": 3}
    folder = job(tmp_path / "00_fusion=sum", raw, ["fusion=sum", "folds=2"], summary(0.75))
    for fold, value in enumerate((0.7, 0.8)):
        job(folder.path / f"fold_{fold}", raw, ["fusion=sum"], summary(value))
    table = crossfade.load_sweep(tmp_path)
    assert list(table["fold"]) == [0, 1]
    assert list(table[MAIN]) == [0.7, 0.8]
    assert list(table["folder"]) == ["00_fusion=sum/fold_0", "00_fusion=sum/fold_1"]
    assert set(table["seed"]) == {3}


def test_what_has_not_finished_has_a_row_with_its_reason(tmp_path):
    raw = base()
    job(tmp_path / "00_seed=0", raw, ["seed=0"], summary(0.8))
    job(tmp_path / "01_seed=1", {**raw, "seed": 1}, ["seed=1"], None, error="RuntimeError: the loss diverged")
    (tmp_path / "02_seed=2").mkdir()
    table = crossfade.load_sweep(tmp_path)
    assert list(table["state"]) == ["finished", "failed", "failed"]
    assert list(table["error"])[1:] == ["RuntimeError: the loss diverged", "it ended before its config was written"]
    assert table[MAIN].isna().sum() == 2


def test_the_ledger_knows_of_jobs_without_a_folder_and_of_killed_ones(tmp_path):
    raw = base()
    planned = [Job(f"id{seed}", ["task=synthetic", f"++seed={seed}"], f"seed={seed}", None) for seed in range(3)]
    ledger = Ledger.create(tmp_path, {"command": ["hydra.sweep.dir=x", "++seed=0,1,2"]})
    ledger.add(planned)
    job(tmp_path / "00_seed=0", raw, ["seed=0"], summary(0.8))
    ledger.started("id0")
    killed = job(tmp_path / "01_seed=1", {**raw, "seed": 1}, ["seed=1"], None)
    status = json.loads(killed.status_file.read_text())
    killed.status_file.write_text(json.dumps({**status, "state": "running", "error": None}))
    ledger.started("id1")
    ledger.ended(ledger.entries()[1], "failed", "killed for memory")
    table = crossfade.load_sweep(tmp_path)
    assert list(table["state"]) == ["finished", "failed", "waiting"]
    assert table["error"].isna().tolist() == [True, False, True]
    assert table["error"][1] == "killed for memory"
    assert list(table["seed"]) == [0, 1, 2]
    assert sweep_settings(tmp_path) == [["hydra.sweep.dir=x", "++seed=0,1,2"]]


def test_a_damaged_ledger_hides_no_run(tmp_path):
    job(tmp_path / "00_seed=0", base(), ["seed=0"], summary(0.8))
    (tmp_path / "ledger.sqlite").write_bytes(b"something else, long enough to be no database" * 9)
    with pytest.warns(UserWarning, match="of the run folders alone"):
        table = crossfade.load_sweep(tmp_path)
    assert table[MAIN].tolist() == [0.8]


@pytest.mark.parametrize(
    ("what", "says"), [("empty", "holds no jobs"), ("missing", "no such folder"), ("run", "one run")]
)
def test_what_is_no_sweep_is_said(tmp_path, what, says):
    path = tmp_path / what
    if what == "empty":
        path.mkdir()
    elif what == "run":
        job(path, base(), ["seed=0"], summary(0.8))
    with pytest.raises(UserError, match=says):
        crossfade.load_sweep(path)


def test_a_damaged_config_is_named(tmp_path):
    folder = job(tmp_path / "00_seed=0", base(), ["seed=0"], summary(0.8))
    folder.config_file.write_text("a: [1")
    with pytest.raises(UserError, match=r"00_seed=0/config\.yaml"):
        crossfade.load_sweep(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 0.001),
        ("-0.5", -0.5),
        ("true", True),
        ("[a,b]", "[a,b]"),
        ("patch", "patch"),
        ("null", "null"),
    ],
)
def test_settings_become_numbers_where_they_are(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_the_table_is_read_back_from_csv(folder, tmp_path):
    table = crossfade.load_sweep(folder)
    table.to_csv(tmp_path / "sweep.csv", index=False)
    again = read_csv(tmp_path / "sweep.csv")
    assert list(again[MAIN]) == list(table[MAIN])
    assert math.isnan(again["alpha"].iloc[-1])


def test_a_folder_that_was_moved_is_read_all_the_same(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    pd.testing.assert_frame_equal(crossfade.load_sweep(moved), crossfade.load_sweep(folder))


def test_the_package_stays_light():
    code = (
        "import sys, crossfade; crossfade.load_sweep\n"
        "print([m for m in ('torch', 'matplotlib', 'hydra') if m in sys.modules])\n"
    )
    light = "import sys, crossfade; print([m for m in ('torch', 'pandas', 'yaml') if m in sys.modules])"
    assert flow.child(light).stdout.strip() == "[]"
    assert flow.child(code).stdout.strip() == "[]"
