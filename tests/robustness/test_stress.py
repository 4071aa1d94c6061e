"""A run under stress: the numbers against a pass of the whole model, the files, and what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

import flow
from crossfade import experiment
from crossfade.analysis.levels import kept
from crossfade.analysis.robustness_table import adversarial_words, robustness_words
from crossfade.build import build
from crossfade.cli import run as command
from crossfade.data.scale import scales_of
from crossfade.evaluation.reopen import reopen_config, reopen_data, reopen_model
from crossfade.registry import read_option
from crossfade.report.build import write_report
from crossfade.robustness.attacked import attacked_levels, attacked_sets
from crossfade.robustness.bench import Bench, references
from crossfade.robustness.corrupted import corrupted_levels
from crossfade.runs import RunFolder
from crossfade.seeding import derived
from crossfade.training.module import compute_metrics

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stress")
    manifest = flow.data_set(folder, samples=90)
    table = pd.read_csv(manifest)
    table.loc[::7, "report"] = ""  # a modality that some samples lack
    table.loc[3::11, "scan"] = ""
    table.to_csv(manifest, index=False)
    experiment.run(flow.config(manifest, "patterns=true", "trainer.epochs=4"), folder / "run", ["seed=0"])
    return RunFolder(folder / "run")


@pytest.fixture(scope="module")
def opened(run):
    config = reopen_config(run)
    return reopen_model(config, run, "best"), reopen_data(config, run)


def bench(opened, rows=None):
    model, data = opened
    return Bench(model, data, data.split["test"] if rows is None else rows, CPU)


def corruption(kind, name):
    return build(read_option(f"corruption/{kind}", name))


def nothing():
    pass


def test_the_clean_samples_and_absences_are_what_the_run_has_found(run, opened):
    found = {(level.modality, level.by): level.measured for level in references(bench(opened))}
    summary, absence = run.summary(), run.table("absence_outcome")
    for key, value in summary["metrics"].items():
        target, _, metric = key.partition("/")
        assert found["", "clean"][target].metrics[metric] == pytest.approx(value, abs=1e-6), key
    main = "outcome/balanced_accuracy"
    assert found["", "clean"]["outcome"].interval == pytest.approx(summary["intervals"][main])
    assert found["", "chance"]["outcome"].metrics["balanced_accuracy"] == pytest.approx(summary["chance"][main])
    for name in ("labs", "note", "scan"):
        others = [other for other in ("labs", "note", "scan") if other != name]
        row = absence[(absence[name] == 0) & (absence[others] == 1).all(axis=1)].iloc[0]
        measured = found[name, "absent"]["outcome"].metrics
        assert measured["balanced_accuracy"] == pytest.approx(row["balanced_accuracy"], abs=1e-6)


@pytest.mark.parametrize(("modality", "kind", "name"), [
    ("scan", "image", "noise"), ("labs", "table", "mistaken"), ("note", "text", "typos")
])  # fmt: skip
def test_a_level_is_that_of_the_whole_model_on_the_corrupted_inputs(opened, modality, kind, name):
    model, data = opened
    scales = scales_of(data)
    (level,) = corrupted_levels(bench(opened), {modality: {name: corruption(kind, name)}}, [4], scales, nothing)
    batch = data.samples[data.split["test"].tolist()]
    column = model.modalities.index(modality)
    rows = []
    for i, sample in enumerate(data.split["test"].tolist()):
        rng = np.random.default_rng(derived(data.seed, "corruption", name, modality, batch.ids[i]))
        if not batch.presence[i, column]:
            rows.append(batch.inputs[modality][i])
        elif kind == "text":
            text = corruption(kind, name)(data.source.read(sample)["note"], 4, rng, None)
            rows.append(data.transforms["note"].finish([text])[0])
        else:
            x = batch.inputs[modality][i].numpy()
            rows.append(scales[modality].cut(torch.from_numpy(corruption(kind, name)(x, 4, rng, scales[modality]))))
    inputs = {**batch.inputs, modality: torch.stack(rows)}
    assert not torch.equal(inputs[modality].nan_to_num(7), batch.inputs[modality].nan_to_num(7))
    with torch.no_grad():
        outputs = model(inputs, batch.presence)
    for name, target in model.targets.items():
        wanted = compute_metrics(target, target.prediction(outputs[name]), batch.truth[name])
        assert level.measured[name].metrics == pytest.approx(wanted, abs=1e-5, nan_ok=True)


def test_the_other_modalities_are_encoded_once_and_the_batch_size_does_not_matter(opened, monkeypatch):
    model, data = opened
    calls = dict.fromkeys(model.modalities, 0)

    encode = model.encode

    def counted(name, x, here):
        calls[name] += 1
        return encode(name, x, here)

    monkeypatch.setattr(model, "encode", counted)
    own = {"scan": {"blur": corruption("image", "blur"), "noise": corruption("image", "noise")}}
    found = []
    for size in (4, 64):
        monkeypatch.setattr(data, "batch_size", size)
        one = bench(opened)
        calls.update(dict.fromkeys(calls, 0))
        found.append([level.measured["size"].metrics for level in
                      corrupted_levels(one, own, [1, 5], scales_of(data), nothing)])  # fmt: skip
        assert calls == {"labs": 0, "note": 0, "scan": 4 * len(one.parts)}
        found[-1] += [level.measured["size"].metrics for level in
                      attacked_levels(one, ["pgd"], [0.1], {"scan": scales_of(data)["scan"]}, nothing)]  # fmt: skip
        assert calls["labs"] == calls["note"] == 0
    for a, b in zip(*found, strict=True):
        assert a == pytest.approx(b, abs=1e-4)
    alone = bench(opened, data.split["test"][:7])
    assert len(alone.ids) == 7
    draws = [g.random() for g in alone.generators(slice(0, 7), "x")]
    assert draws == [g.random() for g in bench(opened).generators(slice(0, 7), "x")]


def test_what_nobody_knows_has_no_metric(opened):
    one = bench(opened)
    one.truth["size"] = torch.full_like(one.truth["size"], float("nan"))
    assert one.measure(one.tokens)["size"].metrics == {}
    assert one.chance()["size"].metrics == {}
    assert one.measure(one.tokens)["outcome"].metrics
    nobody = torch.zeros_like(one.mask)
    assert all(found.metrics == {} for found in one.measure(one.tokens, nobody).values())


def test_attacks_make_the_loss_rise_with_their_radius_and_jointly_most(opened):
    one = bench(opened)
    scales = scales_of(opened[1])
    assert list(attacked_sets(scales)) == ["labs", "scan", "jointly"]
    assert list(attacked_sets(["scan"])) == ["scan"]
    levels = {(x.modality, x.by, x.amount): x.measured for x in attacked_levels(
        one, ["fgsm", "pgd"], [0.0001, 0.5], scales, nothing)}  # fmt: skip
    clean = one.measure(one.tokens)["size"].metrics["mae"]
    for attack in ("fgsm", "pgd"):
        small, large = (levels["jointly", attack, e]["size"].metrics["mae"] for e in (0.0001, 0.5))
        assert small == pytest.approx(clean, rel=1e-2)
        assert large > clean
        for alone in ("labs", "scan"):
            assert levels[alone, attack, 0.5]["size"].metrics["mae"] < large


def test_what_is_kept_is_a_share_of_what_stands_above_chance():
    assert kept(0.6, 0.9, 0.2, "max") == pytest.approx(4 / 7)
    assert [kept(error, 2.0, 5.0, "min") for error in (2.0, 5.0, 6.0)] == pytest.approx([1, 0, -1 / 3])
    assert kept(np.array([2.0, 5.0, 6.0]), 2.0, 5.0, "min") == pytest.approx(2 / 9)
    for clean, better in ((0.2, "max"), (0.1, "max"), (0.3, "min")):  # no better than chance: nothing to keep
        assert np.isnan(kept(0.5, clean, 0.2, better))


def frame(by, amount, *rows):
    return pd.DataFrame([(m, b, a, "acc", v, np.nan, np.nan) for m, b, a, v in rows],
                        columns=["modality", by, amount, "metric", "value", "low", "high"])  # fmt: skip


def test_the_words_of_the_tables():
    references = [(np.nan, "clean", 0, 0.9), (np.nan, "chance", 0, 0.5), ("ct", "absent", 0, 0.7)]
    measured = [("ct", "blur", 1, 0.8), ("ct", "blur", 5, 0.6), ("ct", "noise", 1, 0.9), ("ct", "noise", 5, 0.8)]
    table = frame("corruption", "severity", *references, *measured)
    words = robustness_words(table, "acc", "max")
    assert words.headings == ["modality", "corruption", "1", "5", "kept"]
    assert words.rows == [
        ["ct", "mean", ".850", ".700", ".69"],
        ["", "blur", ".800", ".600*", ".50"],
        ["", "noise", ".900", ".800", ".88"],
        ["", "without it", "", ".700", ".50"],
    ]
    assert "Clean .900, chance .500" in words.note
    assert "worse than without it" in words.note
    assert [row[3] for row in robustness_words(table, "acc", "min").rows[1:3]] == [".600", ".800*"]
    table = frame("attack", "epsilon", ("", "clean", 0, 0.9), ("", "chance", 0, 0.5), ("ct", "fgsm", 0.1, 0.7),
                  ("ct", "pgd", 0.1, 0.5), ("jointly", "fgsm", 0.1, 0.4))  # fmt: skip
    assert adversarial_words(table, "acc", "max").rows == [
        ["ct", "fgsm", ".700", ".50"], ["", "pgd", ".500", ".00"], ["jointly", "fgsm", ".400", "-.25"]
    ]  # fmt: skip


def test_the_command_writes_tables_and_figures_and_the_page_shows_them(run, capsys):
    arguments = [f"run={run.path}", "severities=1,5", "corruptions=noise,typos", "epsilons=0.1", "samples=8"]
    assert command("stress", arguments) == 0
    said = capsys.readouterr().out
    for word in ("8 test samples", "typos", "without it", "jointly", "kept", "Clean"):
        assert word in said
    table = run.table("robustness_outcome")
    assert list(table) == ["modality", "corruption", "severity", "metric", "value", "low", "high"]
    main = table[table["metric"] == "balanced_accuracy"]
    measured = main[~main["corruption"].isin(["clean", "chance", "absent"])]
    assert sorted(set(zip(measured["modality"], measured["corruption"], strict=True))) == [
        ("labs", "noise"), ("note", "typos"), ("scan", "noise")
    ]  # fmt: skip
    assert (measured["low"] <= measured["value"]).all()
    assert (measured["value"] <= measured["high"]).all()
    attacked = run.table("adversarial_size")
    assert set(attacked["attack"]) == {"clean", "chance", "fgsm", "pgd"}
    for name in ("robustness_outcome", "robustness_size", "adversarial_outcome", "adversarial_size"):
        assert (run.figures / f"{name}.png").stat().st_size > 5000
    before = table
    assert command("stress", arguments) == 0
    pd.testing.assert_frame_equal(run.table("robustness_outcome"), before)  # the same numbers again
    page = write_report(run, run.path / "report.html").read_text(encoding="utf-8")
    for word in ("Corrupted inputs", "Adversarial inputs", "typos", "ε = 0.1"):
        assert word in page


@pytest.mark.parametrize(("setting", "message"), [
    ("corruptions=nois", 'nois is none. Did you mean "noise"?'),
    ("corruptions=gaps", "gaps is for audio; there is scan (image), note (text), labs (table)."),
    ("severities=0,3", "severities=0,3: 0 is not allowed; give whole numbers from 1 to 5."),
    ("severities=six", "six is not allowed"),
    ("modalities=scn", 'scn is none. Did you mean "scan"?'),
    ("attacks=pdg", 'pdg is none. Did you mean "pgd"?'),
    ("epsilons=-1", "epsilons=-1: -1 is not allowed; give numbers above 0."),
    ("samples=1", "samples=1: must be a whole number from 2 on, or all."),
    ("samples=8,9", "samples=8,9: must be a whole number"),
    ("split=tset", 'split=tset: must be one of train, val, test. Did you mean "test"?'),
    ("severity=3", 'severity: unknown key. Did you mean "severities"?'),
    ("corruptions=none attacks=none", "nothing is left to do"),
    ("modalities=note corruptions=none", "note is text, whose word pieces cannot be moved by a little"),
    ("modalities=note attacks=fgsm", "note is text, whose word pieces cannot be moved by a little"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_the_fix(run, capsys, setting, message):
    assert command("stress", [f"run={run.path}", *setting.split()]) == 2
    assert message in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(run.path, other, ignore=shutil.ignore_patterns("*.lock"))
    (other / "summary.json").unlink()
    assert command("stress", [f"run={other}"]) == 2
    assert f"it is not finished (status: finished). Go on with it first: resume={other}" in capsys.readouterr().err
