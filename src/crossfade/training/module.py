"""The one LightningModule: optimisation and logging; it knows nothing of modalities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from crossfade.adversary.base import Adversary, NoAdversary
from crossfade.balance.base import Balance, NoBalance, total_loss
from crossfade.batch import Batch
from crossfade.config import OptimConfig
from crossfade.errors import Failure
from crossfade.model import FusionModel
from crossfade.seeding import derived
from crossfade.targets.base import Target
from crossfade.training.optim import make_optimizer, make_schedule


class FusionModule(pl.LightningModule):
    """Trains a FusionModel: L = Σ_targets w_t·L_t.

    An epoch is a function of (weights, optimiser, seed, epoch) alone: dropout is seeded anew at its start. That is
    what makes a resumed run end with the very weights of an uninterrupted one. Losses and predictions are gathered
    and logged once an epoch: logging each step costs more than a small model's step. `steps` are the optimiser's, of
    the whole training.

    Raises Failure when the loss is not finite, naming the step, the samples and the last good checkpoint.
    """

    def __init__(
        self,
        model: FusionModel,
        optim: OptimConfig,
        steps: int,
        seed: int,
        compile: bool = False,
        balance: Balance | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.balance = balance or NoBalance(model)
        self.adversary: Adversary = NoAdversary()  # `build_adversary`, once the features are computed
        self._embed = torch.compile(model.embed) if compile else model.embed
        self._decide = torch.compile(model.decide) if compile else model.decide
        self.optim, self.steps, self.seed = optim, steps, seed
        self._losses: list[Tensor] = []
        self._seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def target(self, name: str) -> Target:
        """The target of this name."""
        found = self.model.targets[name]
        assert isinstance(found, Target)
        return found

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self._decide(*self._embed(batch.inputs, batch.presence, batch.features))

    def loss(self, outputs: dict[str, Tensor], batch: Batch) -> Tensor:
        """Σ_t w_t·L_t over the targets."""
        return total_loss(self.model, outputs, batch.truth)

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(derived(self.seed, "epoch", self.current_epoch, self.global_rank))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        batch = self.adversary.perturb(self.model, batch)
        known = self._embed(batch.inputs, batch.presence, batch.features)
        self.model.imputation.observe(*known)
        tokens, mask = self.balance.hide(*known)
        loss = self.loss(self._decide(tokens, mask), batch)
        loss = self.balance.objective(loss, self.model, tokens, mask, batch.truth)
        loss = self.model.imputation.objective(loss, *known)
        if not torch.isfinite(loss):
            raise Failure(self._diverged(loss, batch))
        self._losses.append(loss.detach())
        return loss

    def _diverged(self, loss: Tensor, batch: Batch) -> str:
        kept = [c.best_model_path for c in self.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
        last = kept[-1] if kept and kept[-1] else "none yet"
        return diverged(loss.item(), self.global_step, self.current_epoch, batch.ids, last)

    @property
    def epoch_loss(self) -> Tensor:
        """Mean loss of the epoch so far, on this process."""
        return torch.stack(self._losses).mean()

    def on_train_epoch_end(self) -> None:
        self._losses.clear()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.balance.adjust(self.model)

    def validation_step(self, batch: Batch, index: int) -> None:
        tokens, mask = self._embed(batch.inputs, batch.presence, batch.features)
        self.balance.validated(self.model, tokens, mask, batch.truth)
        for name, output in self._decide(tokens, mask).items():
            self._seen.setdefault(name, []).append((output, batch.truth[name]))

    def on_validation_epoch_end(self) -> None:
        loss = torch.zeros((), device=self.device)
        for name, pairs in self._seen.items():
            target = self.target(name)
            output, truth = (torch.cat(parts) for parts in zip(*pairs, strict=True))
            loss = loss + target.spec.weight * target.loss(output, truth)
            metrics = compute_metrics(target, target.prediction(output), truth)
            self.log_dict({f"val/{name}/{metric}": value for metric, value in metrics.items()})
        self.log("val/loss", loss)
        # here and not at the epoch's end, where it would be written after the checkpoint: a kill between the two
        # would lose the number of an epoch that is done
        self.log("train/loss", self.epoch_loss, sync_dist=True)
        self._seen.clear()
        self.balance.epoch_ended(self.current_epoch)

    def configure_optimizers(self) -> Any:
        # sharded parameters need the plain kernel, and Lightning refuses to clip for the fused one in mixed precision
        sharded = "FSDP" in type(self.trainer.strategy).__name__
        fused = self.trainer.precision in ("32-true", "64-true") and not sharded
        optimizer = make_optimizer(self.model, self.optim, fused, self.balance)
        schedule = make_schedule(optimizer, self.optim, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def diverged(loss: float, step: int, epoch: int, ids: Sequence[str], last: str) -> str:
    """What is said where the loss is not finite; `last` is the last good checkpoint."""
    return (
        f"The loss is {loss} at step {step} (epoch {epoch}), on the samples "
        f"{', '.join(ids)}. Last good checkpoint: {last}. Look at those samples for extreme values, lower "
        "optim.lr, or train with trainer.precision=32-true."
    )


def compute_metrics(target: Target, prediction: Tensor, truth: Tensor) -> dict[str, float]:
    """All of a target's metrics over the samples whose truth is known; NaN where a metric is not defined."""
    prediction, truth = prediction.detach().float().cpu(), truth.cpu()
    known = target.known(truth)
    prediction, truth = prediction[known], target.measurable(truth[known])
    metrics = target.metrics()
    for metric in metrics.values():
        metric.sync_on_compute = False  # every rank holds all the samples
    with warnings.catch_warnings():  # of a label without positive samples, which our AUROC leaves out
        warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
        metrics.update(prediction, truth)
        return {name: float(value) for name, value in metrics.compute().items()}
