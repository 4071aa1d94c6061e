"""Whole models with an imputation: what holds of a strategy holds with it too, and every way to absence meets it."""

from __future__ import annotations

import copy
import logging

import pandas as pd
import pytest
import torch

import flow
import tiny
from crossfade import experiment
from crossfade.analysis.patterns import scored_patterns
from crossfade.audit.checks import CHECKS
from crossfade.audit.report import audit
from crossfade.audit.subject import of_option
from crossfade.balance.modality_dropout import ModalityDropout
from crossfade.build import build_data, build_model
from crossfade.config import compose
from crossfade.config.check import effective
from crossfade.errors import UserError
from crossfade.evaluation.absence import score_patterns
from crossfade.evaluation.evaluate import evaluate
from crossfade.runs import RunFolder
from crossfade.training.module import compute_metrics

METHODS = [name for name in tiny.options("imputation") if name != "none"]
STRATEGIES = ["weighted", "concat", "attention", "late", "mmtm"]
NAMES = ("camera", "note", "table")
every_method = pytest.mark.parametrize("imputation", METHODS)
some_strategies = pytest.mark.parametrize("fusion", STRATEGIES)


def model(fusion="weighted", imputation="mean", tokens=1):
    """With a mean that is not 0, as after training."""
    made = tiny.model(NAMES, fusion, tokens, imputation=imputation, shared=True)
    inputs = tiny.inputs(NAMES, 5, seed=9)
    with torch.no_grad():
        made.imputation.observe(*made.embed(inputs, torch.ones(5, 3, dtype=torch.bool)))
    return made


def run(made, inputs, presence):
    with torch.no_grad():
        return made(inputs, presence)


@every_method
@some_strategies
def test_the_audit_passes(fusion, imputation):
    checks = [name for name in CHECKS if name != "export" or fusion == "attention"]
    assert [f for f in audit(of_option(fusion, imputation=imputation), checks) if f.verdict == "FAIL"] == []


@every_method
@some_strategies
@pytest.mark.parametrize("tokens", [1, 3])
def test_absent_values_change_no_bit_in_training_either_and_no_gradient(fusion, imputation, tokens):
    made = model(fusion, imputation, tokens).train()
    presence = tiny.patterns(3)
    clean = tiny.inputs(NAMES, 7)
    dirty = {
        name: torch.where(presence[:, m].view(-1, *[1] * (x.ndim - 1)), x, tiny.spoiled(x))
        for m, (name, x) in enumerate(clean.items())
    }

    def losses(inputs):
        torch.manual_seed(0)
        trained = copy.deepcopy(made)
        known = trained.embed(inputs, presence)
        trained.imputation.observe(*known)
        total = sum(output.square().sum() for output in trained.decide(*known).values())
        loss = trained.imputation.objective(total, *known)
        loss.backward()
        return [loss, *trained.imputation.buffers(), *(p.grad for p in trained.parameters() if p.grad is not None)]

    for a, b in zip(losses(clean), losses(dirty), strict=True):
        assert torch.equal(a, b)


@every_method
@some_strategies
def test_a_sample_with_nothing_has_a_prediction_and_every_pattern_too_in_bf16(fusion, imputation):
    made = model(fusion, imputation)
    presence = torch.cat([tiny.patterns(3), torch.zeros(1, 3, dtype=torch.bool)])
    with torch.autocast("cpu", torch.bfloat16):
        out = run(made, tiny.inputs(NAMES, 8), presence)
    assert all(o.isfinite().all() for o in out.values())
    a, b = (run(made, tiny.inputs(NAMES, 8, seed), presence) for seed in (1, 2))
    for name in a:
        assert torch.equal(a[name][-1], b[name][-1])


@every_method
def test_it_is_not_masking_and_present_modalities_are_read_as_before(imputation):
    masked, imputed = tiny.model(NAMES, shared=True), model(imputation=imputation)
    inputs, presence = tiny.inputs(NAMES, 7), tiny.patterns(3)
    a, b = run(masked, inputs, presence), run(imputed, inputs, presence)
    assert torch.equal(a["kind"][6], b["kind"][6])  # the full pattern
    assert not torch.isclose(a["kind"][:6], b["kind"][:6]).all(1).any()


@every_method
def test_hidden_by_modality_dropout_is_absent_and_imputed(imputation):
    made = model(imputation=imputation)
    inputs, everything = tiny.inputs(NAMES, 7), torch.ones(7, 3, dtype=torch.bool)
    with torch.no_grad():
        torch.manual_seed(0)
        tokens, mask = ModalityDropout(made, rate=0.5).hide(*made.embed(inputs, everything))
        hidden = made.decide(tokens, mask)
    absent = run(made, inputs, mask[:, :, 0])
    assert not mask.all()
    for name in hidden:
        assert torch.equal(hidden[name], absent[name])


def incomplete(folder):
    """A manifest whose samples lack scans and reports."""
    manifest = flow.data_set(folder)
    table = pd.read_csv(manifest)
    table.loc[::4, "scan"] = None
    table.loc[::5, "report"] = None
    table.to_csv(manifest, index=False)
    return manifest


def test_the_presence_patterns_are_scored_with_what_is_taken_away_imputed(tmp_path):
    config = flow.config(incomplete(tmp_path), "imputation=reconstruction", "data.split=[0.4,0.1,0.5]")
    data = build_data(config)
    data.prepare()
    made = build_model(config, data.fitted).eval()
    found, target = score_patterns(made, data)["outcome"], made.targets["outcome"]
    batch = data.samples[data.split["test"].tolist()]
    for row, pattern in enumerate(scored_patterns(3)):
        kept = batch.presence & torch.from_numpy(pattern)
        some = kept.any(1)
        outputs = run(made, {k: v[some] for k, v in batch.inputs.items()}, kept[some])["outcome"]
        for metric, value in compute_metrics(target, target.prediction(outputs), batch.truth["outcome"][some]).items():
            assert found.metrics[metric][row] == pytest.approx(value, abs=1e-6, nan_ok=True)


@every_method
def test_a_run_learns_it_saves_it_and_is_reopened_with_it(imputation, tmp_path, capsys):
    config = flow.config(incomplete(tmp_path), f"imputation={imputation}", "trainer.epochs=1")
    experiment.run(config, tmp_path / "run", [])
    capsys.readouterr()
    state = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    kept = {name: value for name, value in state.items() if name.startswith("model.imputation.")}
    assert bool(kept) == (imputation != "zeros")
    assert all(value.any() for value in kept.values())
    assert evaluate(tmp_path / "run")["metrics"] == RunFolder(tmp_path / "run").summary()["metrics"]


def test_a_learned_token_that_nothing_can_teach_is_said_to_be_so(tmp_path, caplog):
    manifest = flow.data_set(tmp_path)
    settings = ("imputation=learned", "trainer.epochs=1")
    with caplog.at_level(logging.WARNING, "crossfade"):
        experiment.run(flow.config(manifest, *settings), tmp_path / "a", [])
    assert "no training sample lacks 'labs', 'note', 'scan'" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "crossfade"):
        experiment.run(flow.config(manifest, *settings, "balance=modality_dropout"), tmp_path / "b", [])
        experiment.run(flow.config(incomplete(tmp_path), *settings, "absence=rate"), tmp_path / "c", [])
    assert "lacks" not in caplog.text


def test_a_modality_alone_is_trained_without_it_so_that_all_imputations_share_that_model():
    alone = [
        experiment.single_config(compose("experiment=tiny", f"imputation={name}"), "note") for name in ("none", "mean")
    ]
    assert alone[0].dump() == alone[1].dump()
    assert effective(compose("imputation=none"))["imputation"] is None
    assert effective(compose("imputation=mean"))["imputation"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("imputation=meen",), 'Did you mean "mean"'),
        (("imputation=reconstruction", "imputation.rate=1"), "between 0 and 1"),
        (("imputation=reconstruction", "imputation.weight=-1"), "at least 0"),
        (("imputation=mean", "imputation.momentum=1"), "in [0, 1)"),
        (("imputation=zeros", "imputation.rate=0.5"), "imputation.rate: unknown key"),
    ],
)
def test_mistakes_are_named(settings, said):
    with pytest.raises(UserError) as error:
        compose(*settings)
    assert said in str(error.value)
