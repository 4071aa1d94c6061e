"""No logger ends a training."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import Logger
from torch.utils.data import DataLoader

from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.tracking import CsvLogger, SafeLogger, make_loggers
from crossfade.tracking.results import Results


class Breaking(Logger):
    """Fails in one method, counts what reaches it."""

    name, version = "breaking", "0"

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.calls = where, []  # type: ignore[var-annotated]

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if method == self.where:
            raise ConnectionError("server is gone")

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self._call("log_hyperparams")

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._call("log_metrics")

    def save(self) -> None:
        self._call("save")

    def finalize(self, status: str) -> None:
        self._call("finalize")


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("where", ["log_metrics", "save", "finalize"])
def test_a_training_goes_on_and_the_failure_is_told_once(tmp_path, caplog, where):
    breaking = Breaking(where)
    csv = CsvLogger(tmp_path / "metrics.csv")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=[SafeLogger("breaking", breaking), csv],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        default_root_dir=tmp_path,
    )
    with caplog.at_level(logging.WARNING, "crossfade"):
        trainer.fit(Module(), DataLoader(torch.ones(4, 1), batch_size=2))
    for logger in trainer.loggers:
        logger.finalize("success")
    assert trainer.current_epoch == 3
    assert breaking.calls.count(where) == 1
    told = [record.getMessage() for record in caplog.records if record.name == "crossfade"]
    assert len(told) == 1
    assert "Logger breaking failed" in told[0]
    assert "ConnectionError: server is gone" in told[0]
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 4


def test_what_the_user_interrupts_is_not_swallowed():
    class Interrupted(Breaking):
        def _call(self, method: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SafeLogger("x", Interrupted("save")).save()


def test_loggers_are_made_from_their_parts_and_csv_is_always_there(tmp_path):
    def build(part: dict[str, Any], **given: Any) -> Logger:
        assert given == {"folder": RunFolder(tmp_path), "config": {"alpha": 0.3}}
        return Breaking(part["where"])

    loggers = make_loggers({"one": {"where": "save"}}, build, RunFolder(tmp_path), {"alpha": 0.3})
    assert [logger.name for logger in loggers] == ["csv", "one"]
    for logger in loggers:
        logger.log_metrics({"a": 1.0, "epoch": 0}, 0)
        logger.save()
        logger.save()
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,a\n0,0,1.0\n"


def test_a_metrics_file_that_cannot_be_written_does_not_end_the_training(tmp_path, caplog):
    folder = RunFolder(tmp_path / "file")
    (tmp_path / "file").write_text("a file where the folder should be")
    [csv] = make_loggers({}, lambda part: part, folder, {})
    csv.log_metrics({"a": 1.0, "epoch": 0}, 0)
    assert "Logger csv failed" in caplog.text


def test_what_is_wrong_before_training_is_told_before_training(tmp_path):
    def build(part: Any, **given: Any) -> Logger:
        raise UserError("not installed")

    with pytest.raises(UserError, match="not installed"):
        make_loggers({"tensorboard": {}}, build, RunFolder(tmp_path), {})


def test_results_go_to_the_loggers_that_take_them_and_a_failure_there_is_told(tmp_path, caplog):
    class Concluding(Breaking):
        def conclude(self, results: Results | None) -> None:
            self._call("conclude")

    for where, told in (("save", 0), ("conclude", 1)):
        inner = Concluding(where)
        logger = SafeLogger("concluding", inner)
        logger.conclude(Results())
        logger.conclude(None)
        assert inner.calls == ["conclude"] * (2 - told)
        assert caplog.text.count("Logger concluding failed") == told
    SafeLogger("csv", CsvLogger(tmp_path / "metrics.csv")).conclude(Results())  # it takes none
    assert not (tmp_path / "metrics.csv").exists()
