"""The Dataset: what it reads, keeps, leaves out, and serves."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from crossfade.data.samples import Samples
from crossfade.data.transforms import make_transform
from crossfade.errors import UserError
from fake_source import SPECS, Fake, same

ROWS = list(range(40))
NAMES = list(SPECS)
BROKEN = {(3, "scan"), (7, "note"), (7, "scan")}


def samples(source=None, memory_gb=1.0, modalities=tuple(SPECS), on_error="error", train=ROWS[:30], rows=ROWS):
    source = source or Fake()
    transforms = {m: make_transform(SPECS[m], {"model": None, "vocabulary": 60}) for m in modalities}
    made = Samples(source, source.frame(), transforms, memory_gb)
    return made, made.prepare(train, rows, on_error, fit=True)


def test_a_batch_holds_its_samples_in_the_order_asked():
    made, usable = samples()
    assert usable.tolist() == ROWS
    batch = made[[5, 0, 9]]
    assert batch.ids == ["P5", "P0", "P9"]
    assert batch.presence.all()
    assert {n: tuple(x.shape) for n, x in batch.inputs.items()} == {
        "labs": (3, 2),
        "note": (3, 8),
        "power": (3, 6, 2),
        "scan": (3, 1, 8, 8),
    }
    for row, i in enumerate([5, 0, 9]):
        one = made[[i]]
        assert same({n: x[row : row + 1] for n, x in batch.inputs.items()}, one.inputs)
    assert len(made) == 40


def test_numpy_rows_are_rows_too():
    made, _ = samples()
    assert made[np.array([5, 0])].ids == ["P5", "P0"]


def test_transforms_learn_from_the_training_rows_alone():
    made, _ = samples(train=[1, 2, 3])
    ages = np.array([41.0, 42.0, 43.0])
    learned = made.transforms["labs"].fitted["columns"][0]
    assert (learned["mean"], learned["sd"]) == (ages.mean(), pytest.approx(ages.std()))
    assert made.transforms["power"].fitted["length"] == 6  # 4 + i % 3, at most 6
    assert samples(train=[0, 3])[0].transforms["power"].fitted["length"] == 4


@pytest.mark.parametrize("memory_gb", [0.0, 1e-6])  # nothing kept; only the small ones
def test_reading_again_gives_the_same_batches_as_keeping(memory_gb):
    source = Fake(absent={(2, "scan"), (4, "note"), (4, "labs")}, broken=BROKEN)
    kept, usable = samples(source, on_error="absent")
    lazy, also = samples(Fake(absent=source.absent, broken=BROKEN), memory_gb, on_error="absent")
    assert usable.tolist() == also.tolist()
    assert set(kept.kept) == set(SPECS)
    assert len(lazy.kept) < len(SPECS)
    for rows in ([2, 3, 4, 7], [0, 1], [4]):
        a, b = kept[rows], lazy[rows]
        assert same(a.inputs, b.inputs)
        assert torch.equal(a.presence, b.presence)


def test_what_is_kept_is_not_read_again():
    source = Fake()
    made, _ = samples(source)
    assert source.reads == 40
    made[ROWS]
    assert source.reads == 40


def test_error_names_every_fault_and_the_ways_on():
    with pytest.raises(UserError) as caught:
        samples(Fake(broken=BROKEN))
    text = str(caught.value)
    assert "P3" in text
    assert "P7" in text
    assert "data.on_error=skip" in text
    assert "data.on_error=absent" in text


def test_error_shows_ten_and_counts_the_rest():
    with pytest.raises(UserError, match="… and 5 more"):
        samples(Fake(broken={(i, "scan") for i in range(15)}))


def test_skip_leaves_the_samples_out_and_counts_them(caplog):
    with caplog.at_level(logging.WARNING, "crossfade"):
        made, usable = samples(Fake(broken=BROKEN), on_error="skip")
    assert usable.tolist() == [i for i in ROWS if i not in (3, 7)]
    assert made.present[usable].all()
    assert "2 value(s) could not be read and were left out" in caplog.text
    assert "2 sample(s) left out" in caplog.text


def test_absent_marks_just_the_unreadable_modality(caplog):
    with caplog.at_level(logging.WARNING, "crossfade"):
        made, usable = samples(Fake(broken=BROKEN), on_error="absent")
    assert usable.tolist() == ROWS
    expected = torch.ones(40, 4, dtype=torch.bool)
    for i, name in BROKEN:
        expected[i, NAMES.index(name)] = False
    assert torch.equal(made.present, expected)
    assert "3 value(s) could not be read and were marked absent" in caplog.text


@pytest.mark.parametrize("on_error", ["error", "skip", "absent"])
def test_a_sample_without_any_modality_is_left_out(on_error, caplog):
    source = Fake(absent={(6, m) for m in SPECS})
    made, usable = samples(source, on_error=on_error)
    assert 6 not in usable
    assert not made.present[6].any()
    assert "without any modality" in caplog.text


def test_a_sample_whose_every_modality_is_broken_is_left_out():
    _, usable = samples(Fake(broken={(6, m) for m in SPECS}), on_error="absent")
    assert usable.tolist() == [i for i in ROWS if i != 6]


def test_unusable_samples_teach_the_transforms_nothing():
    broken = {(i, "note") for i in range(30) if i != 1}
    made, _ = samples(Fake(broken=broken), on_error="skip")
    assert made.transforms["labs"].fitted["columns"][0]["mean"] == 41.0


def test_a_modality_absent_from_all_of_training_is_an_error():
    source = Fake(absent={(i, "scan") for i in range(30)})
    with pytest.raises(UserError, match="modality scan: absent from every sample of the training split"):
        samples(source)


def test_absent_rows_hold_a_filler_not_garbage():
    made, _ = samples(Fake(absent={(2, m) for m in ("labs", "note", "scan")}))
    batch = made[[2]]
    assert batch.presence.tolist() == [[False, False, True, False]]
    assert batch.inputs["labs"].isnan().all()
    assert batch.inputs["scan"].isfinite().all()


@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_a_view_holds_the_same_values_and_its_own_presence(memory_gb):
    made, _ = samples(Fake(absent={(2, "scan")}), memory_gb)
    view = made.of(["scan", "labs"])
    whole, part = made[[1, 2]], view[[1, 2]]
    assert list(part.inputs) == ["labs", "scan"]
    assert same(part.inputs, {n: whole.inputs[n] for n in ("labs", "scan")})
    assert torch.equal(part.presence, whole.presence[:, [0, 3]])
    assert set(made[[1]].inputs) == set(SPECS)  # the first is as it was
    for name, kept in view.kept.items():
        assert kept is made.kept[name]
