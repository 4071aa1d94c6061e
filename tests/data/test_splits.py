"""Splits: by group, in shares, stratified, deterministic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.data.source import Frame
from crossfade.data.splits import deal, make_split
from crossfade.errors import UserError

SHARES = (0.7, 0.15, 0.15)


def frame(groups, labels, split=None, fold=None):
    n = len(groups)
    return Frame([f"P{i}" for i in range(n)], groups, np.ones((n, 1), bool), {"y": labels}, split=split, fold=fold)


def split_of(f, seed=0, fold=None, folds=None, shares=SHARES):
    return make_split(f, "y", shares, seed, fold, folds)


def cohort(groups=100, classes=3, seed=0):
    """Samples of groups of 1–4, a label per group."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, groups)
    label = [f"c{k}" for k in rng.integers(0, classes, groups)]
    rows = np.repeat(np.arange(groups), sizes)
    return [f"G{g}" for g in rows], [label[g] for g in rows]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 15), st.sampled_from(["a", "b", None])), min_size=1, max_size=80),
    st.integers(0, 1000),
)
def test_a_group_is_never_on_two_sides_and_every_sample_is_on_one(samples, seed):
    groups, labels = [f"G{g}" for g, _ in samples], [label for _, label in samples]
    part = deal(groups, labels, SHARES, seed)
    assert set(part.tolist()) <= {0, 1, 2}
    for group in set(groups):
        assert len({p for g, p in zip(groups, part.tolist(), strict=True) if g == group}) == 1
    assert part.tolist() == deal(groups, labels, SHARES, seed).tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [1, 3, 30])
def test_shares_hold_over_all_and_within_each_label(seed, classes):
    """To within one group (4 samples) or so, also where there are as many labels as a multilabel target has sets."""
    groups, labels = cohort(classes=classes, seed=seed)
    part = deal(groups, labels, SHARES, seed)
    for label in [*sorted(set(labels)), None]:
        rows = np.array([label in (y, None) for y in labels])
        for p, share in enumerate(SHARES):
            assert abs((part[rows] == p).sum() - share * rows.sum()) <= 4, (label, p)


def test_single_samples_are_dealt_exactly():
    labels = ["a"] * 60 + ["b"] * 40
    part = deal([str(i) for i in range(100)], labels, (0.7, 0.2, 0.1), 0)
    counts = {y: np.bincount(part[[label == y for label in labels]], minlength=3).tolist() for y in "ab"}
    assert counts == {"a": [42, 12, 6], "b": [28, 8, 4]}


def test_the_seed_decides_and_the_order_of_the_rows_does_not():
    groups, labels = cohort()
    first, second = deal(groups, labels, SHARES, 0), deal(groups, labels, SHARES, 1)
    assert first.tolist() != second.tolist()
    back = deal(groups[::-1], labels[::-1], SHARES, 0)[::-1]
    assert first.tolist() == back.tolist()


def test_a_share_of_zero_stays_empty():
    groups, labels = cohort()
    part = deal(groups, labels, (0.8, 0.2, 0.0), 0)
    assert set(part.tolist()) == {0, 1}


def test_split_is_a_partition_of_sorted_rows():
    split = split_of(frame(*cohort()))
    rows = np.concatenate(list(split.values()))
    assert list(split) == ["train", "val", "test"]
    assert sorted(rows.tolist()) == list(range(len(rows)))
    assert all((np.diff(part) > 0).all() for part in split.values())


@pytest.mark.parametrize("own", [True, False])
def test_folds_partition_the_samples_and_keep_groups_together(own):
    groups, labels = cohort()
    number = deal(groups, labels, [1.0] * 4, 7).tolist() if own else None
    f = frame(groups, labels, fold=number)
    tested = []
    for fold in range(4):
        split = split_of(f, fold=fold, folds=4)
        sides = [{groups[i] for i in rows} for rows in split.values()]
        assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])
        assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(len(groups)))
        share = len(split["val"]) / (len(split["val"]) + len(split["train"]))
        assert share == pytest.approx(0.15 / 0.85, abs=0.05)
        tested += split["test"].tolist()
    assert sorted(tested) == list(range(len(groups)))


def test_a_sample_in_no_fold_is_used_nowhere():
    number = [i % 3 for i in range(59)] + [-1]
    split = split_of(frame([str(i) for i in range(60)], ["a", "b"] * 30, fold=number), fold=1)
    assert 59 not in np.concatenate(list(split.values()))
    assert split["test"].tolist() == list(range(1, 59, 3))


def test_the_sources_split_is_kept_and_a_missing_validation_part_taken_from_training():
    groups, labels = [str(i) for i in range(60)], ["a", "b"] * 30
    given_split = ["train"] * 40 + ["val"] * 5 + ["test"] * 15
    split = split_of(frame(groups, labels, split=given_split))
    assert [len(split[k]) for k in ("train", "val", "test")] == [40, 5, 15]
    two = split_of(frame(groups, labels, split=["train"] * 45 + ["test"] * 15))
    assert two["test"].tolist() == list(range(45, 60))
    assert len(two["val"]) == pytest.approx(45 * 0.15 / 0.85, abs=2)


def test_a_regression_is_not_stratified():
    values = np.random.default_rng(0).normal(size=100).tolist()
    split = split_of(frame([str(i) for i in range(100)], values))
    assert [len(rows) for rows in split.values()] == [70, 15, 15]


@pytest.mark.parametrize("truth", [lambda: "a", np.zeros((2, 8)), {"intent": "on"}, [1.5, 2.0]])
def test_truths_that_are_no_labels_are_not_strata(truth):
    """A function's text holds its address: as a stratum it would deal the groups anew in every process."""
    groups, _ = cohort()
    plain = split_of(frame(groups, [None] * len(groups)))
    for name, rows in split_of(frame(groups, [truth] * len(groups))).items():
        np.testing.assert_array_equal(rows, plain[name])


def test_labels_that_are_lists_are_strata():
    labels = [["s"], ["s", "t"], [], ["t"]] * 25
    split = split_of(frame([str(i) for i in range(100)], labels))
    assert [len(rows) for rows in split.values()] == pytest.approx([70, 15, 15], abs=1)


@pytest.mark.parametrize(
    ("changes", "fold", "says"),
    [
        ({"split": ["train"] * 5 + ["test"] * 5, "groups": list("aabbccddee")}, None, r"1 group\(s\) lie in two"),
        ({"split": ["train"] * 10}, None, "test split holds no sample"),
        ({"fold": [0, 1] * 5}, 2, "there are folds 0, 1"),
        ({"fold": [0, 1] * 5, "groups": list("aabbccddee")}, 0, r"5 group\(s\) lie in two"),
    ],
)
def test_errors_say_what_is_wrong(changes, fold, says):
    groups = changes.pop("groups", [str(i) for i in range(10)])
    with pytest.raises(UserError, match=says):
        split_of(frame(groups, ["a", "b"] * 5, **changes), fold=fold)


def test_one_sample_cannot_be_split():
    with pytest.raises(UserError, match="holds no sample"):
        split_of(frame(["a"], ["x"]))
