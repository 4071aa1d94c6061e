"""`crossfade explain`: files, page, values that sum to what was said, and what is wrong with what was asked."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import flow
from crossfade import experiment
from crossfade.cli import run as command
from crossfade.errors import UserError
from crossfade.explanation.explain import _target, explain
from crossfade.explanation.places import places_of
from crossfade.report.build import write_report
from crossfade.report.heat import heat, over_picture, strength, words_of
from crossfade.results.explained import explanations, file_name, not_installed
from crossfade.runs import RunFolder
from crossfade.specs import ModalitySpec, TargetSpec

needs_captum = pytest.mark.skipif(
    importlib.util.find_spec("captum") is None, reason='captum is not installed: pip install -e ".[explain]"'
)
EVIL = "<script>alert(1)</script> & fever"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose ids and words are markup, and in which a scan and a note are absent here and there."""
    folder = tmp_path_factory.mktemp("explain")
    manifest = flow.data_set(folder)
    table = pd.read_csv(manifest)
    table["id"] = [f"<b>{name}</b>/1" for name in table["id"]]
    table["report"] = [f"{EVIL} {text}" for text in table["report"]]
    table.loc[::5, "scan"] = None
    table.loc[1::5, "report"] = None
    table.to_csv(manifest, index=False)
    experiment.run(flow.config(manifest, "patterns=true", "trainer.epochs=1", "fusion=early"), folder / "run")
    return RunFolder(folder / "run")


@needs_captum
def test_values_of_each_sample_sum_to_what_was_said_and_stand_beside_its_shares(run, capsys):
    assert command("explain", [f"run={run.path}", "samples=5"]) == 0
    said = capsys.readouterr().out
    (explained,) = [one for one in explanations(run) if one.method == "integrated_gradients"]
    predictions = run.predictions("test").set_index("id")
    shares = run.table("shapley_samples_outcome").set_index("id")
    assert [sample["id"] for sample in explained.samples] == list(predictions.index[:5])
    for sample in explained.samples:
        row, values = predictions.loc[sample["id"]], explained.values(sample)
        assert sample["explained"] == f"p({row['outcome.predicted']})"
        assert sample["value"] == pytest.approx(row[f"outcome.{sample['explained']}"], abs=1e-5)
        assert values["value"].sum() == pytest.approx(sample["value"] - sample["baseline"], abs=2e-3)
        html = (explained.folder / f"{sample['file']}.html").read_text(encoding="utf-8")
        assert sample["id"] not in html
        assert "&lt;b&gt;" in html
        assert "<script" not in html
        present = set(values["modality"])
        for name in ("scan", "note", "labs"):
            share = shares.loc[sample["id"], name]
            assert f"Shapley {'+' if share >= 0 else '−'}" in html
            assert (name in present) == (share != 0)
        assert ("<img " in html) == ("scan" in present)
    assert "Sums are complete to" in said
    assert explained.samples[0]["id"] in said


@needs_captum
def test_the_page_shows_what_was_explained_and_stays_small(run):
    explain(run.path, samples=3)
    explain(run.path, samples=2, method="rollout")
    html = write_report(run, run.path / "report.html").read_text(encoding="utf-8")
    assert "Perceptual score" in html
    assert "<h3>outcome, integrated gradients</h3>" in html
    assert "<h3>outcome, attention rollout</h3>" in html
    assert len(html) < 2**20
    assert "<script" not in html
    assert html.count("&lt;b&gt;P") >= 5
    shown = html[html.index("<h3>outcome, integrated") :]
    assert "alert" in shown  # the note's words are there, as words


@needs_captum
def test_another_target_and_samples_of_any_split_can_be_asked_for(run):
    table = pd.read_csv(run.path.parent / "set.csv")
    wanted = table["id"][[7, 3]].tolist()
    explained = explain(run.path, ids=wanted, target="size")
    assert [sample["id"] for sample in explained.samples] == wanted
    assert {sample["explained"] for sample in explained.samples} == {"size"}
    assert [float(sample["truth"]) for sample in explained.samples] == table["size"][[7, 3]].tolist()


def test_rollout_gives_shares_of_words_patches_and_fused_tokens(run):
    explained = explain(run.path, samples=4, method="rollout")
    assert "TableEncoder" in explained.lacking["labs"]
    for sample in explained.samples:
        values = explained.values(sample)
        assert "value" not in sample
        assert (values["value"] >= 0).all()
        for name, rows in values.groupby("modality"):
            assert rows["value"].sum() <= 1 + 1e-4
            if name == "note":
                assert rows["value"].sum() == pytest.approx(1, abs=1e-4)
        fused = values[values["modality"] == "core"].set_index("name")["value"]
        there = set(values["modality"]) - {"core"} | {"labs"}
        assert set(fused.index) == {"labs", "note", "scan"}
        assert {name for name, share in fused.items() if share > 0} == there


@needs_captum
def test_a_run_without_images_and_texts_is_explained_too(tmp_path):
    config = flow.config(flow.data_set(tmp_path), "task.modalities=[labs]", "trainer.epochs=1")
    experiment.run(config, tmp_path / "run")
    explained = explain(tmp_path / "run", samples=2)
    assert explained.values(explained.samples[0])["name"].tolist() == ["age", "sex"]
    assert "sex" in (explained.folder / f"{explained.samples[0]['file']}.html").read_text(encoding="utf-8")


def test_what_is_wrong_is_said_before_anything_is_read(capsys, run):
    asked = ["run=nowhere", "samples=0", "method=rollouts"]
    assert command("explain", asked) == 2
    said = capsys.readouterr().err
    for words in ("run=nowhere", "samples=0: must be a whole number", 'Did you mean "rollout"?'):
        assert words in said
    assert command("explain", [f"run={run.path}", "ids=<b>P003</b>/2,P9", "method=rollout"]) == 2
    said = capsys.readouterr().err
    assert 'ids=<b>P003</b>/2: the run has no such sample. Did you mean "<b>P003</b>/1"?' in said
    assert "ids=P9" in said
    assert "It has 60" in said
    assert command("explain", [f"run={run.path}", "target=outcomes", "method=rollout"]) == 2
    assert 'Did you mean "outcome"? It has outcome, size.' in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_refused(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("*.lock", "explain"))
    (tmp_path / "run" / "status.json").unlink()
    with pytest.raises(UserError, match=r"not finished .*resume="):
        explain(tmp_path / "run", method="rollout")


def test_without_captum_the_command_says_what_to_install_and_rollout_still_works(monkeypatch, capsys, run):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "captum" else find(name, *rest)
    )
    assert command("explain", [f"run={run.path}"]) == 2
    assert 'pip install "crossfade[explain]"' in capsys.readouterr().err
    with pytest.raises(UserError, match="captum"):
        explain(run.path)
    assert not_installed("rollout") == []


def test_a_target_without_one_number_is_refused_and_those_with_one_are_named():
    specs = {"mask": TargetSpec(kind="segmentation"), "label": TargetSpec(kind="multiclass")}
    assert _target(["mask", "label"], specs, None, "integrated_gradients") == "label"
    assert _target(["mask", "label"], specs, "mask", "rollout") == "mask"
    with pytest.raises(
        UserError, match=r"mask is of kind segmentation.*multiclass, multilabel, regression: target=label"
    ):
        _target(["mask", "label"], specs, "mask", "integrated_gradients")
    with pytest.raises(UserError, match="Served are multiclass"):
        _target(["mask"], specs, None, "integrated_gradients")


def test_files_of_different_ids_have_different_names():
    ids = ["P1", "a/b", "a_b", "a\\b", "..", ".", "x" * 200, "x" * 201, "ä", "ö"]
    names = [file_name(one) for one in ids]
    assert len(set(names)) == len(ids)
    assert names[0] == "P1"
    assert all("/" not in name and not name.startswith(".") and len(name) < 80 for name in names)


def spec_of(kind, **fields):
    return ModalitySpec(name="x", kind=kind, **fields)


@pytest.mark.parametrize("shape", [(2, 30, 30), (100, 70)])
def test_cells_of_an_image_sum_to_its_values(shape):
    values = np.random.default_rng(0).normal(size=shape)
    table = places_of(spec_of("image"), {}, None, values)
    assert table["value"].sum() == pytest.approx(values.sum())
    assert table["row"].max() < 48
    if shape == (2, 30, 30):
        assert table[(table["row"] == 3) & (table["column"] == 5)]["value"].item() == pytest.approx(
            values[:, 3, 5].sum()
        )


def test_steps_have_their_time_and_channels_their_names():
    values = np.arange(40.0).reshape(20, 2)
    spec = spec_of("series", rate=0.5, unit={"heart rate": "bpm", "pressure": "mmHg"})
    table = places_of(spec, {"length": 20}, None, values)
    assert table["name"].tolist()[:2] == ["heart rate", "pressure"]
    assert table["start"].tolist()[:4] == [0, 0, 2, 2]
    assert table["end"].max() == 40
    sound = places_of(spec_of("audio", rate=1000), {"length": 1000}, None, np.ones(1000))
    assert len(sound) <= 192
    assert sound["value"].sum() == pytest.approx(1000)
    assert sound["end"].iloc[0] == pytest.approx(0.006)
    patches = places_of(spec_of("series", rate=1), {"length": 20}, None, np.ones(3))
    assert patches["start"].tolist() == [0, 7, 14]  # three patches of 20 steps, the last reaching beyond


def test_pieces_of_a_word_are_one_and_what_stands_between_is_left():
    rows = pd.DataFrame(
        [("[CLS]", 0, 0, 5.0), ("un", 0, 2, 1.0), ("##well", 2, 6, 2.0), (",", 6, 7, -1.0), ("now", 8, 11, 4.0)],
        columns=["name", "start", "end", "value"],
    )
    assert words_of("unwell, now", rows) == [(0, 6, 3.0), (6, 7, -1.0), (8, 11, 4.0)]


def test_colours_say_the_sign_and_how_much():
    grey = Image.new("L", (40, 20), 128)
    values = np.zeros((4, 8))
    values[:, :3], values[:, 5:] = 1.0, -1.0
    pixels = np.asarray(over_picture(grey, values).convert("RGB"), int)
    assert pixels.shape == (64, 128, 3)
    left, middle, right = pixels[30, 5], pixels[30, 64], pixels[30, 120]
    assert left[0] - left[2] > 60  # red
    assert right[2] - right[0] > 60  # blue
    assert np.ptp(middle) < 12
    assert strength(np.array([0.0, 2.0, -4.0])).tolist() == [0, 0.5, -1]
    assert strength(np.zeros(3)).tolist() == [0, 0, 0]
    assert strength(np.array([0.5, 3.0]), 1.0).tolist() == [0.5, 1]


def test_of_shares_an_even_one_has_no_colour():
    rows = pd.DataFrame({"name": ["a", "b"], "value": [0.5, 0.5]})
    html = heat(spec_of("table", column=["a", "b"]), {"a": 1.0, "b": 2.0}, rows, share=True)
    assert html.count("0.00)") == 2
    assert heat(spec_of("text"), None, rows) == '<span class="faint">absent</span>'
