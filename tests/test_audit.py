"""The audit passes every strategy, and catches the faults that published fusion code has."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import flow
from crossfade import experiment
from crossfade.audit.checks import CHECKS
from crossfade.audit.report import audit
from crossfade.audit.subject import of_class, of_option
from crossfade.cli import run
from crossfade.fusion.base import Fusion, one_branch
from crossfade.registry import groups

EVERY = [name for name in CHECKS if name != "export"]  # test_export does that


@pytest.mark.parametrize("option", groups()["fusion"])
def test_every_strategy_passes(option):
    assert [f for f in audit(of_option(option), EVERY) if f.verdict == "FAIL"] == []


class AcrossTheBatch(Fusion):
    """Attention whose first axis is the batch: the samples attend to each other."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=False)

    def forward(self, tokens, mask):
        x = tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
        mixed, _ = self.attention(x, x, x)
        return one_branch(x + mixed, mask.any(1))


class InAList(Fusion):
    """Low-rank factors in a Python list: not trained, not saved."""

    def __init__(self, modalities, width, tokens, rank=2):
        super().__init__(modalities, width, tokens)
        self.factors = [nn.Parameter(torch.randn(width, rank) @ torch.randn(rank, width)) for _ in modalities]

    def forward(self, tokens, mask):
        parts = [
            (tokens[:, m] @ self.factors[m]).masked_fill(~mask[:, m].unsqueeze(-1), 0.0)
            for m in range(len(self.modalities))
        ]
        return one_branch(torch.stack(parts).sum(0), mask.any(1))


class ReadsTheAbsent(Fusion):
    """A linear map of all modalities side by side, whether they are there or not."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.mix = nn.Linear(len(modalities) * width, width)

    def forward(self, tokens, mask):
        return one_branch(self.mix(tokens.movedim(1, 2).flatten(2)), mask.any(1))


class JoinsByRow(Fusion):
    """A table of side information taken by the row in the batch, and not by the sample's ID."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.register_buffer("table", torch.randn(4096, 1, width))

    def forward(self, tokens, mask):
        x = tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
        return one_branch(x + self.table[: len(x)], mask.any(1))


class OverTheBatch(Fusion):
    """Batch statistics: another output in training than in evaluation, and of neighbours."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, tokens, mask):
        x = tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
        return one_branch(self.norm(x.transpose(1, 2)).transpose(1, 2), mask.any(1))


class Unused(Fusion):
    """A parameter that nothing uses."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.gate = nn.Parameter(torch.ones(width))

    def forward(self, tokens, mask):
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class HidesNaN(Fusion):
    """NaN to number: a fault in the data goes unseen."""

    def forward(self, tokens, mask):
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1).nan_to_num(), mask.any(1))


@pytest.mark.parametrize(
    ("strategy", "check"),
    [
        (AcrossTheBatch, "samples are independent"),
        (InAList, "no hidden tensors"),
        (InAList, "save and load"),
        (ReadsTheAbsent, "masked tokens are not read"),
        (JoinsByRow, "samples are independent"),
        (OverTheBatch, "train = eval"),
        (Unused, "gradients"),
        (HidesNaN, "NaN is seen"),
    ],
)
def test_it_catches(strategy, check):
    (found,) = audit(of_class("it", strategy, {}), [check])
    assert found.verdict == "FAIL"


def test_the_command(capsys, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from crossfade.fusion.elementwise import Mean\nclass Scaled(Mean):\n"
        "    def __init__(self, modalities, width, tokens, by):\n"
        "        super().__init__(modalities, width, tokens)\n        self.by = by\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run("audit", ["sum"]) == 0
    assert "masked tokens are not read" in capsys.readouterr().out
    assert run("audit", ["mine.Scaled", "by=2.0"]) == 0
    assert run("audit", ["test_audit.InAList"]) == 1
    assert "a list of 3 tensors" in capsys.readouterr().out
    for arguments, said in (
        (["sun"], 'Did you mean "sum"'),
        (["mine.Scaled"], "cannot be made"),
        (["mine.Nothing"], "cannot be imported"),
        (["torch.nn.functional.relu"], "is no class of a torch.nn.Module"),
        (["sum", "rank=2"], "arguments go with a class of your own"),
        (["sum", "max"], "audit one"),
    ):
        assert run("audit", arguments) == 2
        assert said in capsys.readouterr().err


def test_a_trained_run_is_audited_on_its_own_samples(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "run").mkdir()
    experiment.run(flow.config(flow.data_set(tmp_path / "data"), "trainer.epochs=1"), tmp_path / "run")
    assert run("audit", [f"run={tmp_path / 'run'}"]) == 0
