"""A run again: with the same seed, after a kill at any moment, in two processes instead of one."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import torch

import flow
from crossfade import experiment
from crossfade.runs import RunFolder
from crossfade.training.stopwatch import seconds_before


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return flow.data_set(tmp_path_factory.mktemp("data"))


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


KILL = """
import os, signal, sys
from pathlib import Path
import torch
import flow
from crossfade import experiment
from crossfade.training import module
manifest, folder, where, count, *settings = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:]
done = [0]
def deadly(function):
    def call(*args, **kwargs):
        done[0] += 1
        if done[0] == count:
            os.kill(os.getpid(), signal.SIGINT if where == "ctrl-c" else signal.SIGKILL)
        return function(*args, **kwargs)
    return call
if where == "checkpoint":  # the new file is open and empty
    torch.save = deadly(torch.save)
else:
    module.FusionModule.training_step = deadly(module.FusionModule.training_step)
experiment.run(flow.config(Path(manifest), *settings), Path(folder), [])
"""


@pytest.fixture(scope="module")
def uninterrupted(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    experiment.run(flow.config(manifest), folder, [])
    return folder


def test_the_same_seed_gives_the_same_weights_and_seed_0_is_a_seed(manifest, uninterrupted, tmp_path):
    experiment.run(flow.config(manifest, "seed=0"), tmp_path / "a", [])
    experiment.run(flow.config(manifest, "seed=1"), tmp_path / "b", [])
    assert equal(weights(tmp_path / "a"), weights(uninterrupted))
    assert not equal(weights(tmp_path / "b"), weights(uninterrupted))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "count", "settings"),
    [
        ("checkpoint", 2, ()),
        ("checkpoint", 3, ()),
        ("checkpoint", 4, ()),
        ("step", 7, ()),
        ("ctrl-c", 8, ()),
        ("step", 12, ("data.workers=2", "callbacks=ema", "callbacks.ema=0.5", "callbacks.early_stopping=9")),
        ("step", 12, ("balance=blending", "balance.every=1")),
        ("checkpoint", 3, ("balance=ogm_ge",)),
        ("checkpoint", 3, ("adversary=pgd",)),
        ("step", 12, ("imputation=mean", "absence=rate")),
        ("step", 12, ("imputation=reconstruction", "absence=rate")),
    ],
)
def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(
    manifest, uninterrupted, tmp_path, where, count, settings
):
    whole, killed = uninterrupted, tmp_path / "killed"
    killed.mkdir()
    if settings:
        whole = tmp_path / "whole"
        experiment.run(flow.config(manifest, *settings), whole, [])
    # as many threads as here: sums in another order are other sums
    arguments = (str(manifest), str(killed), where, str(count), *settings)
    done = flow.child(KILL, *arguments, threads=torch.get_num_threads())
    assert done.returncode not in (0, 1) or where == "ctrl-c", done.stderr
    assert RunFolder(killed).status().state == "interrupted"
    assert not (killed / "summary.json").exists()
    if where == "ctrl-c":
        torch.load(killed / "checkpoints" / "interrupted.ckpt", weights_only=True)
    last = killed / "checkpoints" / "last.ckpt"
    before = seconds_before(last)
    assert (before > 0) == last.exists()
    started = time.monotonic()
    summary = experiment.run(flow.config(manifest, *settings), killed, [])
    assert before < summary["seconds"] + 0.001 < before + time.monotonic() - started + 0.002  # it is rounded
    assert equal(weights(killed), weights(whole))
    assert summary["metrics"] == RunFolder(whole).summary()["metrics"]
    assert RunFolder(killed).status().state == "finished"
    pd.testing.assert_frame_equal(RunFolder(killed).metrics(), RunFolder(whole).metrics())


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_global_batch(manifest, tmp_path):
    still = ("core.dropout=0.0", "encoder.text.dropout=0.0", "encoder.table.dropout=0.0", "trainer.epochs=2")
    experiment.run(flow.config(manifest, *still), tmp_path / "one", [])
    two = flow.config(manifest, *still, "trainer=ddp", "trainer.accelerator=cpu", "trainer.epochs=2")
    summary = experiment.run(two, tmp_path / "two", [])
    one, both = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == both.keys()
    for name in one:
        torch.testing.assert_close(one[name], both[name], atol=2e-4, rtol=1e-3, msg=name)
    assert summary["metrics"]["outcome/accuracy"] == pytest.approx(
        RunFolder(tmp_path / "one").summary()["metrics"]["outcome/accuracy"]
    )
