"""Which runs can be stacked, and the reason where they can't."""

from __future__ import annotations

import pytest

import stacks
from crossfade.config import compose
from crossfade.stacked.batchable import FEWEST, MOST, WIDEST, data_key, groups, signature, why_not, worthwhile


@pytest.mark.parametrize(
    "setting",
    [
        *("seed=4", "alpha=0.7", "optim.lr=0.1", "optim.weight_decay=0.3", "data.fold=1", "core.dropout=0.5"),
        *("target.label.label_smoothing=0.1", "target.label.weight=2.0", "name=x", "tags=[1]", "patterns=false"),
    ],
)
def test_runs_that_differ_in_this_are_of_one_group(setting):
    assert signature(stacks.config(setting)) == signature(stacks.config())


@pytest.mark.parametrize(
    "setting",
    [
        *("width=32", "alpha=learned", "fusion=sum", "trainer.epochs=3", "data.batch_size=8", "core.depth=2"),
        *("optim.warmup=0.2", "data.source.noise=2.0", "trainer.gradient_clip=2.0", "callbacks.early_stopping=1"),
    ],
)
def test_runs_that_differ_in_this_are_not(setting):
    assert signature(stacks.config(setting)) != signature(stacks.config())


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("trainer=ddp", "one device"),
        ("trainer.compile=true", "compile"),
        ("trainer.precision=bf16-mixed", "bf16-mixed"),
        ("trainer.accumulate=2", "accumulate=2"),
        ("callbacks.ema=0.9", "moving average"),
        ("adversary=fgsm", "attacks"),
        ("balance=ogm_ge", "OgmGe"),
        ("balance=blending", "GradientBlending"),
        ("imputation=mean", "Mean"),
        ("imputation=reconstruction", "Reconstruction"),
    ],
)
def test_the_reason_is_given(setting, words):
    assert words in why_not(stacks.config(setting))
    assert not worthwhile(stacks.config(setting), 100)


def test_heavy_encoders_stack_only_frozen():
    assert "modality ct trains its encoder (TimmEncoder)" in why_not(compose("task=medical"))
    frozen = ["encoder.image.frozen=true", "encoder.text.frozen=true"]
    assert why_not(compose("task=medical", *frozen)) is None
    assert "convolutions" in why_not(compose("task=medical", "task.targets=[guidance]", *frozen))


def test_runs_share_data_where_their_samples_and_split_are_the_same():
    one = data_key(stacks.config())
    for same in ("alpha=0.1", "optim.lr=0.5", "target.label.label_smoothing=0.1", "core.dropout=0.3", "width=32"):
        assert data_key(stacks.config(same)) == one
    for other in ("seed=1", "data.fold=1", "task.modalities=[a,b]", "data.source.noise=2.0", "absence=rate"):
        assert data_key(stacks.config(other)) != one


def test_groups_keep_the_places_and_are_of_like_size():
    configs = [stacks.config(f"optim.lr={0.001 * (i + 1)}", f"width={[16, 32][i % 2]}") for i in range(6)]
    configs.insert(2, stacks.config("trainer.accumulate=2"))
    assert groups(configs) == [[0, 3, 5], [1, 4, 6], [2]]
    found = groups([stacks.config()] * (MOST + 3))
    assert sorted(place for group in found for place in group) == list(range(MOST + 3))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert max(map(len, found)) <= MOST


def test_few_runs_and_wide_models_are_not_worth_a_stack():
    assert worthwhile(stacks.config(), FEWEST)
    assert not worthwhile(stacks.config(), FEWEST - 1)
    assert not worthwhile(stacks.config(f"width={2 * WIDEST}"), FEWEST)
