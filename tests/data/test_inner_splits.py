"""Inner folds of a nested cross-validation: no outer test sample is in them, no group on two sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.build import build_data
from crossfade.config import compose
from crossfade.data.source import Frame
from crossfade.data.splits import inner_split, make_split
from crossfade.errors import UserError

SHARES = (0.7, 0.15, 0.15)


def cohort(seed: int, kind: str) -> Frame:
    """Some 60 groups of 1–4 samples; the split is dealt, the source's own, or the source has folds."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(60), rng.integers(1, 5, 60))
    label = rng.integers(0, 3, 60)
    sides = rng.choice(["train", "val", "test"], 60, p=SHARES)
    folds = np.arange(60) % 3
    return Frame(
        [f"P{i}" for i in range(len(rows))],
        [f"G{g}" for g in rows],
        np.ones((len(rows), 1), bool),
        {"y": [f"c{label[g]}" for g in rows]},
        split=[str(sides[g]) for g in rows] if kind == "own split" else None,
        fold=[int(folds[g]) for g in rows] if kind == "own folds" else None,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["dealt", "own split", "own folds", "new folds"]),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_the_outer_test_samples_are_in_no_inner_split(seed: int, kind: str, inner: int, draw: int) -> None:
    frame = cohort(seed, kind)
    for fold in range(3) if kind.endswith("folds") else [None]:
        outer = make_split(frame, "y", SHARES, draw, fold, 3)
        held = set(outer["test"].tolist())
        tested: list[int] = []
        for j in range(inner):
            split = inner_split(frame, "y", outer, SHARES, draw, fold, j, inner)
            rows = np.concatenate(list(split.values())).tolist()
            assert not held & set(rows)
            assert sorted(rows) == sorted({*outer["train"].tolist(), *outer["val"].tolist()})
            sides = [{frame.groups[i] for i in part} for part in split.values()]
            assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])
            tested += split["test"].tolist()
        assert sorted(tested) == sorted({*outer["train"].tolist(), *outer["val"].tolist()})  # each once


def test_too_many_folds_for_the_groups() -> None:
    frame = cohort(0, "dealt")
    outer = make_split(frame, "y", SHARES, 0, None, None)
    groups = len({frame.groups[i] for name in ("train", "val") for i in outer[name]})
    with pytest.raises(UserError, match=f"are of {groups} groups, too few"):
        inner_split(frame, "y", outer, SHARES, 0, None, 0, groups)


def test_an_inner_run_reads_none_of_the_outer_test_samples() -> None:
    settings = ["task=synthetic", "data.source.samples=120", "folds=3", "data.fold=1", "seed=4"]
    outer = build_data(compose(*settings))
    outer.prepare()
    held = {outer.frame.ids[i] for i in outer.split["test"]}
    for j in range(2):
        inner = build_data(compose(*settings, f"data.inner_fold={j}", "data.inner_folds=2"))
        inner.prepare()
        served = {name for part in ("train", "val", "test") for batch in inner.loader(part) for name in batch.ids}
        assert len(served) == 80
        assert not served & held


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["data.inner_fold=0"], "data.inner_fold and data.inner_folds belong together"),
        (["data.inner_folds=3"], "data.inner_fold and data.inner_folds belong together"),
        (["data.inner_fold=3", "data.inner_folds=3"], "the inner folds are 0 to 2"),
    ],
)
def test_mistakes_of_inner_folds(given: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose("task=synthetic", *given)
