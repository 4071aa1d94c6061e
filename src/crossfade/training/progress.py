"""One line of progress per training: a live bar in a terminal, a plain line per epoch elsewhere."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class EpochProgress(pl.Callback):
    """Shows label, batches, loss and the monitored validation metric."""

    def __init__(self, label: str, monitor: str) -> None:
        self.label, self.monitor = label, monitor
        self.console = Console()
        self.bar: Progress | None = None
        self.task: Any = None
        self.drawn = 0.0
        self.started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.monotonic()
        if not (self.console.is_terminal and trainer.is_global_zero):
            return
        self.bar = Progress(
            TextColumn("[bold]{task.description:<12}"), BarColumn(24), MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TextColumn("<"), TimeRemainingColumn(),
            console=self.console,
        )  # fmt: skip
        total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        done = int(trainer.num_training_batches) * trainer.current_epoch
        self.task = self.bar.add_task(self.label, total=total, completed=done, note="")
        self.bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if self.bar is not None and now - self.drawn > 0.1:  # drawing every step would cost more than a small step
            self.drawn = now
            self.bar.update(
                self.task, completed=trainer.current_epoch * int(trainer.num_training_batches) + batch_idx + 1
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        value = trainer.callback_metrics.get(self.monitor)
        epoch = trainer.current_epoch + 1
        loss = getattr(pl_module, "epoch_loss", None)  # Lightning logs the module's own after this hook
        note = " ".join(
            part
            for part in (
                f"loss {float(loss):.3f}" if loss is not None else "",
                f"{self.monitor} {float(value):.3f}" if value is not None else "",
            )
            if part
        )
        if self.bar is not None:
            self.bar.update(self.task, completed=epoch * int(trainer.num_training_batches), note=note)
        else:
            seconds = time.monotonic() - self.started
            print(f"{self.label:<12} epoch {epoch}/{trainer.max_epochs}  {note}  {seconds:.0f} s", flush=True)

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()
