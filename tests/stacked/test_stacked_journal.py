"""A stack that is killed with −9 loses no more than the running epoch of each of its runs."""

from __future__ import annotations

import os
import signal

import pandas as pd
import pytest
import torch

import stacks
from crossfade.evaluation.reopen import reopen_model
from crossfade.runs import RunFolder
from crossfade.stacked import engine
from crossfade.stacked.engine import Engine
from crossfade.training.checkpoint import stored
from crossfade.training.journal import NAME, PAGE, Journal, read
from crossfade.training.module import FusionModule
from crossfade.training.moment import Lengths, Moment
from crossfade.training.watch import Watch

EXACT = 1e-9
EPOCHS = 6
SETTINGS = [
    [f"trainer.epochs={EPOCHS}", "core.dropout=0.2", "callbacks.early_stopping=9", f"optim.lr={lr}"]
    for lr in (0.003, 0.2, 0.01)
]
LENGTHS = Lengths(3, 1, 30)


def moment(epoch, watch=None, size=5):
    numbers = torch.arange(3 * size, dtype=torch.float32) + 100 * epoch
    return Moment(epoch, 3 * (epoch + 1), *numbers.view(3, size), watch or Watch("max", None, 0.5))


def same(one, other):
    tensors = ("values", "mean", "square")
    plain = [{k: v for k, v in vars(m).items() if k not in tensors} for m in (one, other)]
    return plain[0] == plain[1] and all(torch.equal(getattr(one, k), getattr(other, k)) for k in tensors)


@pytest.mark.parametrize("bests", ["1", "1111", "1000000", "1010010", "1100110"])
def test_the_last_epoch_and_the_best_are_read_as_they_were(bests, tmp_path):
    folder = RunFolder(tmp_path)
    names = [f"a.name.that.is.long.{i}" for i in range(500)]  # the frame takes several pages
    journal = Journal(folder, names, LENGTHS, torch.zeros(2, 5))
    assert read(journal.path) is None
    best = None
    for epoch, is_best in enumerate(bests):
        now = moment(epoch, Watch("min", 3, float("inf"), 0.1 * epoch, epoch, None if epoch else "NaN, \n say"))
        best = now if is_best == "1" else best
        journal.write(now, is_best == "1")
        found = read(journal.path)
        assert (found.names, found.lengths) == (names, LENGTHS)
        assert same(found.last, now)
        assert same(found.best, best)
    journal.end()
    assert not journal.path.exists()


@pytest.mark.parametrize("at", ["head", "numbers", "cut"])
def test_of_a_place_that_was_not_written_whole_the_epoch_before_counts(at, tmp_path):
    journal = Journal(RunFolder(tmp_path), ["a"], LENGTHS, torch.zeros(2, 5))
    for epoch in range(2):
        journal.write(moment(epoch), epoch == 0)
    start = journal.start + journal.last[0] * journal.step
    raw = bytearray(journal.path.read_bytes())
    place = {"head": start + 10, "numbers": start + PAGE + 3, "cut": start + PAGE + 4}[at]
    raw[place] ^= 1
    journal.path.write_bytes(raw[:place] if at == "cut" else raw)
    found = read(journal.path)
    assert same(found.last, moment(0))
    assert same(found.best, moment(0))


def test_a_journal_that_was_only_begun_holds_nothing(tmp_path):
    journal = Journal(RunFolder(tmp_path), ["a"], LENGTHS, torch.zeros(2, 5))
    journal.file.flush()
    journal.path.write_bytes(journal.path.read_bytes()[:20])
    assert read(journal.path) is None


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def in_an_epoch():
    train = Engine._steps

    def steps(self, epoch):
        losses = train(self, epoch)
        if epoch == 4:
            die()
        return losses

    Engine._steps = steps


def after_metrics():
    write, seen = Journal.write, []

    def then(self, now, is_best):
        seen.append(now.epoch)
        if seen.count(3) == 2:
            die()
        write(self, now, is_best)

    Journal.write = then


def in_a_place():
    write, seen = Journal.write, []

    class Half:
        """Dies in the middle of the numbers."""

        def __init__(self, file):
            self.file, self.count = file, 0

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, part):
            self.count += 1
            if self.count < 3:
                return self.file.write(part)
            self.file.write(bytes(part)[:77])
            self.file.flush()
            return die()

    def then(self, now, is_best):
        seen.append(now.epoch)
        if seen.count(3) == 2:
            self.file = Half(self.file)
        write(self, now, is_best)

    Journal.write = then


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The runs trained to their ends."""
    folder = tmp_path_factory.mktemp("whole")
    stacks.stacked([stacks.config(*own) for own in SETTINGS], folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "ended"), [(in_an_epoch, [3, 3, 3]), (after_metrics, [3, 2, 2]), (in_a_place, [3, 2, 2])]
)
def test_a_kill_loses_the_running_epoch_and_no_other(kill, ended, whole, tmp_path, monkeypatch):
    stacks.killed(SETTINGS, tmp_path, kill)
    begun = []
    start = FusionModule.on_train_epoch_start

    def begins(self):
        begun.append(self.current_epoch)
        start(self)

    monkeypatch.setattr(FusionModule, "on_train_epoch_start", begins)
    for i, (own, last) in enumerate(zip(SETTINGS, ended, strict=True)):
        folder, config = RunFolder(tmp_path / str(i)), stacks.config(*own)
        assert stored(folder.checkpoints / "last.ckpt")["epoch"] == 0  # of the first epoch: no five seconds went by
        if i == 2:  # someone looks at it before it goes on
            best = reopen_model(config, folder, "best").state_dict()
            values = pd.read_csv(whole / "2" / "metrics.csv")["val/label/balanced_accuracy"][: last + 1]
            assert stacks.checkpoint(folder.path, "best")["epoch"] == values.argmax()
            weights = stacks.checkpoint(folder.path, "best")["state_dict"]
            assert all(torch.equal(value, weights[f"model.{k}"].to(value.dtype)) for k, value in best.items())
            assert stacks.checkpoint(folder.path)["epoch"] == last
        begun.clear()
        stacks.alone(config, folder.path)
        assert begun == list(range(last + 1, EPOCHS))
        assert not (folder.checkpoints / NAME).exists()
        for name in ("last", "best"):
            assert stacks.difference(folder.path, whole / str(i), name) < EXACT
            assert stacks.checkpoint(folder.path, name)["epoch"] == stacks.checkpoint(whole / str(i), name)["epoch"]
        assert folder.metrics()["epoch"].tolist() == list(range(EPOCHS))
        pd.testing.assert_frame_equal(folder.metrics(), RunFolder(whole / str(i)).metrics(), rtol=1e-6, atol=1e-7)


def in_the_first_epochs_end():
    write = engine.write_checkpoint
    seen = []

    def then(name, *of):
        seen.append(name)
        if seen.count("last") == 2:
            die()
        write(name, *of)

    engine.write_checkpoint = then


@pytest.mark.slow
def test_a_kill_at_the_first_epochs_end_leaves_whole_runs(whole, tmp_path):
    """The first run has its last.ckpt, the others begin anew."""
    stacks.killed(SETTINGS, tmp_path, in_the_first_epochs_end)
    assert [(tmp_path / str(i) / "checkpoints" / "last.ckpt").exists() for i in range(3)] == [True, False, False]
    for i in (0, 1):
        folder = stacks.alone(stacks.config(*SETTINGS[i]), tmp_path / str(i))
        assert stacks.difference(folder.path, whole / str(i), "best") < EXACT
        assert folder.metrics()["epoch"].tolist() == list(range(EPOCHS))
