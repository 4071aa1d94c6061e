"""A trial reports the monitored metric after each epoch, and stops where it stands behind the others at that epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from crossfade.errors import Pruned
from crossfade.runs import read_json, write_json

FILE = "trial.json"  # in the trial's run folder: its study and number


def mark(folder: Path, storage: Path, study: str, number: int, pruner: str) -> None:
    """Tell the run in this folder, in whichever process, that it is this trial."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"storage": str(storage.resolve()), "study": study, "number": number, "pruner": pruner}
    write_json(folder / FILE, own)


def pruning_of(folder: Path, monitor: str) -> list[pl.Callback]:
    """The callback of a run that is a trial with a pruner; none of any other."""
    path = folder / FILE
    return [Pruning(read_json(path), monitor)] if path.exists() else []


def storage_of(path: Path) -> Any:
    """The study's file; writers wait for each other."""
    import optuna

    return optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}", engine_kwargs={"connect_args": {"timeout": 60}})


def pruner_of(name: str) -> Any:
    """Of a name in conf/search/optuna.yaml."""
    import optuna

    return {
        "none": optuna.pruners.NopPruner,
        "median": optuna.pruners.MedianPruner,
        "hyperband": optuna.pruners.HyperbandPruner,
    }[name]()


class Pruning(pl.Callback):
    """Raises Pruned at the end of the epoch at which the study's pruner gives the trial up."""

    def __init__(self, trial: dict[str, Any], monitor: str) -> None:
        self.of, self.monitor = trial, monitor
        self.trial: Any = None
        self.done = -1  # the last epoch that was reported before the run was interrupted

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        import optuna

        pruner = pruner_of(self.of["pruner"])
        study = optuna.load_study(
            study_name=self.of["study"], storage=storage_of(Path(self.of["storage"])), pruner=pruner
        )
        frozen = study.get_trials(deepcopy=False)[self.of["number"]]
        self.done = -1 if frozen.last_step is None else frozen.last_step
        self.trial = optuna.trial.Trial(study, frozen._trial_id)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or epoch <= self.done:
            return
        self.trial.report(float(value), epoch)
        if epoch + 1 < (trainer.max_epochs or 1) and self.trial.should_prune():
            at = f"epoch {epoch + 1} of {trainer.max_epochs}"
            raise Pruned(f"pruned after {at}, at {self.monitor} {float(value):.3f}")
