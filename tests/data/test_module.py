"""The base DataModule: splits, what is learned, truth, loaders."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

from crossfade.errors import UserError
from fake_source import TARGETS, Fake, data, same


def prepared(*args, **fields):
    made = data(*args, **fields)
    made.prepare()
    return made


def test_prepare_splits_by_group_and_serves_all():
    made = prepared()
    rows = np.concatenate(list(made.split.values()))
    assert sorted(rows.tolist()) == list(range(40))
    sides = [{i // 2 for i in part} for part in made.split.values()]
    assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])


def test_truth_is_encoded_by_what_training_taught():
    made = prepared(Fake(unknown={4}))
    truth = made.samples.truth
    assert made.fitted["targets"]["kind"]["classes"] == ["a", "b"]
    assert truth["kind"].tolist() == [-1 if i == 4 else i // 2 % 2 for i in range(40)]
    assert truth["size"][5].tolist() == [5.0]
    assert truth["size"][4].isnan().all()
    train = made.split["train"].astype(float)
    assert made.fitted["targets"]["size"]["mean"] == [pytest.approx(train.mean())]
    assert 4 not in np.concatenate(list(made.split.values()))  # nothing is known of it


def test_reopened_with_what_was_learned_it_serves_the_same_tensors():
    first = prepared()
    kept = json.loads(json.dumps(first.fitted))  # the run folder keeps plain data
    again = data()
    again.prepare(kept)
    assert again.fitted == kept
    for split in ("train", "val", "test"):
        assert again.split[split].tolist() == first.split[split].tolist()
        for a, b in zip(first.loader(split), again.loader(split), strict=True):
            assert a.ids == b.ids
            assert same(a.inputs, b.inputs)
            assert same(a.truth, b.truth)


def test_given_what_was_learned_it_learns_nothing():
    fitted = prepared().fitted
    other = data(Fake(), split=(0.2, 0.2, 0.6))  # another training split
    other.prepare(fitted)
    assert other.fitted == fitted


def test_prepare_twice_reads_once():
    source = Fake()
    made = prepared(source)
    made.prepare()
    assert source.reads == 40


def test_loaders():
    made = prepared()
    test = list(made.test_dataloader())
    assert [one for batch in test for one in batch.ids] == [f"P{i}" for i in made.split["test"]]
    first, second = (list(made.loader("train", shuffle=True)) for _ in range(2))
    assert [b.ids for b in first] == [b.ids for b in second]  # the epoch decides, not the call
    other = data(seed=1)
    other.prepare(made.fitted)
    assert [b.ids for b in other.loader("train", shuffle=True)] != [b.ids for b in first]


@pytest.mark.slow
@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_worker_processes_serve_the_same(memory_gb):
    a, b = prepared(), prepared(workers=1, memory_gb=memory_gb)
    for one, two in zip(a.test_dataloader(), b.test_dataloader(), strict=True):
        assert one.ids == two.ids
        assert same(one.inputs, two.inputs)


def test_a_view_keeps_the_split_and_reads_nothing():
    source = Fake(absent={(2, "scan"), (3, "scan")})
    made = prepared(source)
    reads = source.reads
    view = made.of(["scan"])
    assert source.reads == reads
    assert view.split is made.split
    assert list(view.fitted["modalities"]) == ["scan"]
    assert view.fitted["targets"] == made.fitted["targets"]
    assert sorted(made.fitted["modalities"]) == ["labs", "note", "power", "scan"]
    batch = next(iter(view.loader("train")))
    assert list(batch.inputs) == ["scan"]
    assert torch.equal(batch.truth["kind"], next(iter(made.loader("train"))).truth["kind"])


def test_skipped_samples_are_in_no_split():
    made = prepared(Fake(broken={(5, "scan")}), on_error="skip")
    assert 5 not in np.concatenate(list(made.split.values()))


def test_a_split_emptied_by_what_cannot_be_used_is_said():
    test = prepared().split["test"]
    source = Fake(broken={(int(i), "scan") for i in test})
    with pytest.raises(UserError, match="After leaving out what cannot be used the test split holds no sample"):
        prepared(source, on_error="skip")


def test_a_label_that_only_the_test_split_has_is_said():
    test = set(prepared().split["test"].tolist())

    class Odd(Fake):
        def frame(self):
            frame = super().frame()
            split = ["test" if i in test else "val" if i % 5 == 0 else "train" for i in range(40)]
            split = [s if i // 2 * 2 not in test else "test" for i, s in enumerate(split)]
            split = [split[i // 2 * 2] for i in range(40)]
            kind = ["odd" if s == "test" else k for s, k in zip(split, frame.truth["kind"], strict=True)]
            return type(frame)(**{**vars(frame), "split": split, "truth": {**frame.truth, "kind": kind}})

    row = min(test) + 1
    with pytest.raises(UserError, match=rf"target.kind: label\(s\) 'odd' \(row {row}\) unseen in training"):
        prepared(Odd())


def test_a_class_that_a_split_lacks_is_said(caplog):
    class Short(Fake):
        def frame(self):
            frame = super().frame()
            split = [["train", "val", "test"][i // 2 % 3] for i in range(40)]
            kind = ["a" if s == "test" else k for s, k in zip(split, frame.truth["kind"], strict=True)]
            return type(frame)(**{**vars(frame), "split": split, "truth": {**frame.truth, "kind": kind}})

    with caplog.at_level(logging.WARNING, "crossfade"):
        prepared()
        assert not caplog.records
        prepared(Short())
    assert [r.getMessage() for r in caplog.records] == [
        "target.kind: no sample of 'b' in the test split; its scores say nothing of them."
    ]


def test_faults_come_in_the_tables_order():
    with pytest.raises(UserError) as caught:
        prepared(Fake(broken={(i, "scan") for i in range(8)}))
    assert [p.split()[1] for p in caught.value.problems[:8]] == [f"P{i}," for i in range(8)]


def test_folds_are_tested_once_each():
    tested = [prepared(fold=f, folds=4).split["test"].tolist() for f in range(4)]
    assert sorted(i for rows in tested for i in rows) == list(range(40))


def test_the_first_target_stratifies():
    made = prepared()
    assert next(iter(TARGETS)) == "kind"
    kinds = made.samples.truth["kind"]
    for rows in made.split.values():
        assert kinds[rows].float().mean().item() == pytest.approx(0.5, abs=0.25)
