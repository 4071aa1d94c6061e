"""Which epochs are kept: the metric that they are chosen by, and the callbacks that keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint

from crossfade.config import RunConfig
from crossfade.targets import target_class


def main_metric(config: RunConfig) -> tuple[str, str]:
    """The metric that checkpoints are chosen by, "val/<target>/<metric>", and "max" or "min".

    By itself the target's main one; of several targets the loss, in which each has its weight.
    """
    monitor = config.callbacks.monitor
    if monitor == "auto":
        only = config.task.targets[0]
        many = len(config.task.targets) > 1
        monitor = "val/loss" if many else f"val/{only}/{target_class(config.target[only]).main}"
    _, _, place = monitor.partition("/")
    target, _, metric = place.partition("/")
    return monitor, target_class(config.target[target]).direction(metric) if target in config.target else "min"


def keep(folder: Path, name: str, **wanted: Any) -> ModelCheckpoint:
    """Writes <name>.ckpt at the end of an epoch, over the one before."""
    return ModelCheckpoint(
        dirpath=folder,
        filename=name,
        save_top_k=1,
        save_on_train_epoch_end=True,  # then the file says itself that the epoch is done
        enable_version_counter=False,
        auto_insert_metric_name=False,
        **wanted,
    )
