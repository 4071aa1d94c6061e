"""The audit passes every strategy, and catches the faults that published fusion code has."""

from __future__ import annotations

import shutil

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


class FirstPresent(Fusion):
    """The first modality that is there, and no other: each has a gradient where it is alone."""

    def forward(self, tokens, mask):
        seen = mask.unsqueeze(-1)
        first = seen & (seen.cumsum(1) == 1)
        return one_branch(tokens.masked_fill(~first, 0.0).sum(1), mask.any(1))


class InNestedLists(InAList):
    """The factors by modality and rank, a list in a list."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.factors = [[factor] for factor in self.factors]

    def forward(self, tokens, mask):
        parts = [tokens[:, m] @ one for m, (one,) in enumerate(self.factors)]
        return one_branch(torch.stack(parts, 1).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class BehindPyTorchsBack(Fusion):
    """A module that is set past the registration."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        object.__setattr__(self, "mix", nn.Linear(width, width))

    def forward(self, tokens, mask):
        return one_branch(self.mix(tokens).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class InAClosure(Fusion):
    """A map that a function has taken along, the same in every copy, so that saving does not give it away."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        weight = torch.eye(width)
        self.map = lambda x: x @ weight

    def forward(self, tokens, mask):
        return one_branch(self.map(tokens).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class Held:
    """An object of another class."""

    def __init__(self, weight):
        self.weight = weight


class InAnObject(InAClosure):
    """The map in an object that is no module."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.held = Held(torch.eye(width))
        self.map = lambda x: x @ self.held.weight


class Named(Fusion):
    """A second name, a list and a function of what is registered: nothing is hidden."""

    def __init__(self, modalities, width, tokens):
        super().__init__(modalities, width, tokens)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.layers = [self.first, self.second]
        self.both = lambda x: self.second(self.first(x))

    def forward(self, tokens, mask):
        return one_branch(self.both(tokens).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1), mask.any(1))


class APlainTensor(Fusion):
    """It returns tokens alone."""

    def forward(self, tokens, mask):
        return tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)


class OtherLength(Fusion):
    """It returns one token and says that it returns three."""

    def forward(self, tokens, mask):
        return one_branch(tokens.masked_fill(~mask.unsqueeze(-1), 0.0).sum((1, 2)).unsqueeze(1), mask.any(1)[:, :1])


class NoFusion(nn.Module):
    """A module that is no Fusion."""

    def __init__(self, modalities, width, tokens):
        super().__init__()

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
        (FirstPresent, "gradients"),
        (InNestedLists, "no hidden tensors"),
        (BehindPyTorchsBack, "no hidden tensors"),
        (InAClosure, "no hidden tensors"),
        (InAnObject, "no hidden tensors"),
        (APlainTensor, "contract"),
        (OtherLength, "contract"),
        (NoFusion, "contract"),
    ],
)
def test_it_catches(strategy, check):
    (found,) = audit(of_class("it", strategy, {}), [check])
    assert found.verdict == "FAIL"
    assert "Error" not in found.detail or check == "save and load"  # the fault itself, and not a check that broke


class OverItsBatch(nn.Module):
    """What most image encoders do while they train."""

    def __init__(self, project):
        super().__init__()
        self.project, self.norm = project, nn.BatchNorm1d(project.out_features)

    def forward(self, x):
        return self.norm(self.project(x).transpose(1, 2)).transpose(1, 2)


def test_batch_statistics_of_an_encoder_are_no_fault_of_the_fusion():
    subject = of_option("sum")
    encoder = subject.model.encoders["a"]
    encoder.project = OverItsBatch(encoder.project)
    subject.model.eval()
    assert [f.verdict for f in audit(subject, ["train = eval", "samples are independent"])] == ["pass", "pass"]


def test_a_second_name_of_what_is_registered_hides_nothing():
    (found,) = audit(of_class("it", Named, {}), ["no hidden tensors"])
    assert found.verdict == "pass"


def test_what_breaks_the_contract_is_asked_nothing_else():
    first, *others = audit(of_class("it", APlainTensor, {}))
    assert first.detail.startswith("returns Tensor, not Fused")
    assert {f.verdict for f in others} == {"–"}


def test_the_command(capsys, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from crossfade.fusion.elementwise.mean import Mean\nclass Scaled(Mean):\n"
        "    def __init__(self, modalities, width, tokens, by):\n"
        "        super().__init__(modalities, width, tokens)\n        self.by = by\n",
        encoding="utf-8",
    )
    (tmp_path / "broken.py").write_text("class Mine(\n", encoding="utf-8")
    (tmp_path / "raises.py").write_text("raise RuntimeError('at home')\n", encoding="utf-8")
    (tmp_path / "needs.py").write_text(
        "from mine import Mean\nclass Mine(Mean):\n    def __init__(self, modalities, width, tokens, rank):\n"
        "        raise ValueError('rank must be 1')\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)  # where a class of one's own is looked for, too
    assert run("audit", ["sum"]) == 0
    assert "masked tokens are not read" in capsys.readouterr().out
    assert run("audit", ["mine.Scaled", "by=2.0"]) == 0
    assert run("audit", [f"{tmp_path}/mine.py", "by=2.0"]) == 0
    assert run("audit", ["lmf", "rank=2"]) == 0
    assert run("audit", ["weighted", "alpha={a: 0.2, b: 0.3, c: 0.5}"]) == 0
    assert run("audit", ["test_audit.InAList"]) == 1
    assert "a list of 3 tensors" in capsys.readouterr().out
    for arguments, said in (
        (["sun"], 'Did you mean "sum"'),
        (["mine.Scaled"], "cannot be made"),
        (["mine.Nothing"], "cannot be imported"),
        (["torch.nn.functional.relu"], "is no class of a torch.nn.Module"),
        (["lmf", "rnk=2"], 'fusion=lmf has no such field. Did you mean "rank"'),
        (["lmf", "rank=0"], "rank=0: must be at least 1. The default is rank=4."),
        (["experts", "experts=1.5"], "must be a whole number"),
        (["weighted", "alpha=2"], "outside the simplex"),
        (["rank=2"], "arguments go with one strategy"),
        (["lmf", "rank=[", "run="], "not readable as YAML"),
        (["sum", "max"], "audit one"),
        (["..Mine"], "is no class"),
        ([f"{tmp_path}/mine.py:Scaled"], "missing 1 required positional argument: 'by'"),
        ([f"{tmp_path}/mine.py:Skaled"], 'Did you mean "Scaled"'),
        ([f"{tmp_path}/yours.py"], "there is no file"),
        ([f"{tmp_path}/broken.py:Mine"], "SyntaxError"),
        (["broken.Mine"], "SyntaxError"),
        ([f"{tmp_path}/raises.py:Mine"], "RuntimeError: at home"),
        ([f"{tmp_path}/raises.py"], "RuntimeError: at home"),
        (["needs.Mine", "rank=0"], "ValueError: rank must be 1"),
        ([str(tmp_path)], "is not a run folder"),
    ):
        assert run("audit", arguments) == 2
        assert said in capsys.readouterr().err


def test_a_trained_run_is_audited_on_its_own_samples(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "run").mkdir()
    experiment.run(flow.config(flow.data_set(tmp_path / "data"), "trainer.epochs=1"), tmp_path / "run")
    assert run("audit", [f"run={tmp_path / 'run'}"]) == 0
    assert run("audit", [str(tmp_path / "run")]) == 0
    assert "audit one" in refused(capsys, ["sum", f"run={tmp_path / 'run'}"])
    sweep = tmp_path / "sweep" / "00_fusion=sum"
    shutil.copytree(tmp_path / "run", sweep, ignore=shutil.ignore_patterns("*.lock", "checkpoints"))
    assert "is a folder of 1 run, and not one run" in refused(capsys, [f"run={sweep.parent}"])
    assert "best.ckpt" in refused(capsys, [str(sweep)])


def refused(capsys, arguments):
    capsys.readouterr()
    assert run("audit", arguments) == 2
    return capsys.readouterr().err
