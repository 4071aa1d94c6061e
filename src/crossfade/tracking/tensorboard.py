"""TensorBoard event files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from crossfade.errors import UserError
from crossfade.runs import RunFolder


class TensorboardLogger(TensorBoardLogger):
    """Writes metrics and the resolved config to <run folder>/tensorboard; `tensorboard --logdir logs` shows all runs.

    Raises UserError where the package is not installed.
    """

    def __init__(self, folder: RunFolder, config: dict[str, Any]) -> None:
        try:
            super().__init__(folder.path, name="tensorboard", version="", default_hp_metric=False)
        except ModuleNotFoundError as error:
            raise UserError(
                'logger=tensorboard: the package is not installed. pip install "crossfade[tensorboard]"'
            ) from error
        self.config: dict[str, Any] | None = config

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self.config is not None:  # not in __init__: only the run itself makes event files
            text = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
            self.experiment.add_text("config", f"```yaml\n{text}```", 0)
            self.config = None
        super().log_metrics(metrics, step)
