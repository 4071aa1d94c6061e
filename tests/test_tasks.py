"""Properties of every task with a built-in source, of its modalities and targets, found by walking conf/task."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from crossfade.build import build, build_data, build_model
from crossfade.config import compose
from crossfade.data.readers import FILE_KINDS
from crossfade.registry import groups, read_option
from crossfade.seeding import seeded

SAMPLES = 72


def built_in(option):
    """Whether the task needs no files."""
    data = read_option("task", option)["data"]
    return data.get("root") is None and data.get("manifest") is None


TASKS = [option for option in groups()["task"] if built_in(option)]
TARGETS = [(task, target) for task in TASKS for target in read_option("task", task)["target"]]
every_task = pytest.mark.parametrize("task", TASKS)
every_target = pytest.mark.parametrize(("task", "target"), TARGETS, ids=[f"{task}-{name}" for task, name in TARGETS])


def config_of(task, *settings):
    """The task with all of its modalities, and few samples."""
    size = f"data.source.samples={SAMPLES}"
    return compose(f"task={task}", size, "data.batch_size=16", *settings)


def source_of(task, *settings):
    config = config_of(task, *settings)
    names = read_option("task", task)["target"]
    given = {"modalities": dict(config.modality), "targets": {n: config.target[n] for n in names}, "seed": config.seed}
    return build(config.data.source, **given)


@functools.cache
def data_of(task, target):
    data = build_data(config_of(task, f"task.targets=[{target}]"))
    data.prepare()
    return data


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b or (a != a and b != b)


def truth_of(frame, target, i):
    value = frame.truth[target][i]
    return value() if callable(value) else value


@every_task
def test_raw_values_have_the_declared_shape(task):
    source = source_of(task)
    seen = set()
    for i in range(SAMPLES):
        for name, value in source.read(i).items():
            spec = source.modalities[name]
            seen.add(name)
            if spec.kind == "image":
                assert value.shape == (spec.channels, spec.size, spec.size)
            elif spec.kind == "audio":
                assert value.ndim == 1
            elif spec.kind == "series":
                assert value.ndim == 2
            elif spec.kind == "points":
                assert value.shape[1:] == (spec.channels,)
            elif spec.kind == "table":
                assert set(value) == set(spec.column)
            else:
                assert isinstance(value, str)
            if isinstance(value, np.ndarray):
                assert value.dtype == np.float32
                assert spec.kind == "series" or np.isfinite(value).all()
    assert seen == set(source.modalities)


@every_task
def test_every_modality_that_is_measured_has_its_unit_and_rate(task):
    for spec in source_of(task).modalities.values():
        if spec.kind == "text":
            continue
        assert spec.unit, spec.name
        if spec.kind == "table":
            assert set(spec.unit) == set(spec.column) - set(spec.categorical)
        if spec.kind in ("audio", "series"):
            assert spec.rate, spec.name
        if spec.kind == "points" or (spec.kind in FILE_KINDS and spec.aligned and task != "medical"):
            assert spec.extent, spec.name


@every_task
def test_samples_are_a_function_of_the_seed(task):
    one, same, other = source_of(task), source_of(task), source_of(task, "seed=1")
    frame = one.frame()
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert frame.ids == same.frame().ids
    for i in (0, SAMPLES // 2, SAMPLES - 1):
        assert equal(one.read(i), same.read(i))
        assert not equal(one.read(i), other.read(i))
        assert all(equal(truth_of(frame, t, i), truth_of(same.frame(), t, i)) for t in frame.truth)


@every_task
def test_a_sample_does_not_depend_on_how_many_there_are(task):
    few, many = source_of(task), source_of(task, f"data.source.samples={2 * SAMPLES}")
    place = {name: i for i, name in enumerate(many.frame().ids)}
    for i in (0, SAMPLES - 1):
        j = place[few.frame().ids[i]]
        assert equal(few.read(i), many.read(j))
        assert all(equal(truth_of(few.frame(), t, i), truth_of(many.frame(), t, j)) for t in few.frame().truth)


@every_target
def test_no_group_stands_in_two_splits(task, target):
    data = data_of(task, target)
    groups_of = {name: {data.frame.groups[i] for i in rows} for name, rows in data.split.items()}
    assert all(groups_of.values())
    assert not groups_of["train"] & (groups_of["val"] | groups_of["test"])
    assert not groups_of["val"] & groups_of["test"]


@every_target
def test_batches_read_again_are_the_same(task, target):
    data = data_of(task, target)
    late = build_data(config_of(task, f"task.targets=[{target}]", "data.memory_gb=1.0e-9"))
    late.prepare(data.fitted)
    assert not late.samples.kept
    rows = data.split["test"].tolist()
    a, b = data.samples[rows], late.samples[rows]
    assert a.ids == b.ids
    assert torch.equal(a.presence, b.presence)
    for x, y in ((a.inputs, b.inputs), (a.truth, b.truth)):
        assert x.keys() == y.keys()
        assert all(torch.equal(x[name].nan_to_num(-9), y[name].nan_to_num(-9)) for name in x)


@every_task
def test_what_is_absent_is_marked_so(task):
    source = source_of(task, "data.source.missing=0.3")
    present = source.frame().present
    assert 0.5 < present.mean() < 0.9
    assert present.any(1).all()
    for i in range(8):
        assert set(source.read(i)) == {name for name, there in zip(source.modalities, present[i], strict=True) if there}
        some = list(source.read(i))[:1]
        assert not set(some) & set(source.read(i, without=some))


@every_target
def test_the_loss_falls(task, target):
    config = config_of(task, f"task.targets=[{target}]", "width=32", "core=none")
    data = data_of(task, target)
    model = build_model(config, data.fitted).train()
    known = model.targets[target].known(data.samples.truth[target])
    rows = [i for i in data.split["train"].tolist() if known[i]][:12]
    batch = data.samples[rows]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    with seeded(0, "fit"):
        for _ in range(12):
            loss = model.targets[target].loss(model(batch.inputs, batch.presence)[target], batch.truth[target])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert min(losses[-3:]) < 0.9 * losses[0]
