"""A run reopened from its folder alone: config, data, weights."""

from __future__ import annotations

import torch

from crossfade.build import build_data, build_model
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.encoders.base import Encoder
from crossfade.errors import UserError
from crossfade.model import FusionModel
from crossfade.runs import RunFolder
from crossfade.training.checkpoint import load_weights
from crossfade.training.journal import settle_unless_held


def reopen_config(folder: RunFolder) -> RunConfig:
    """The config that the run was made with."""
    return folder.run_config()


def reopen_data(config: RunConfig, folder: RunFolder) -> DataModule:
    """The run's data, with what its training split taught."""
    try:
        data = build_data(config)
        data.prepare(folder.fitted())
    except UserError as error:
        raise UserError(
            *error.problems,
            f"{folder.path} reads its data from where they were when it was made. If they have moved, put them back, "
            f"or say where they are now (manifest, root) under data and data.source in {folder.config_file}.",
        ) from error
    return data


def reopen_model(
    config: RunConfig, folder: RunFolder, checkpoint: str, known: dict[str, Encoder] | None = None
) -> FusionModel:
    """The run's model with the weights of checkpoints/<checkpoint>.ckpt, in evaluation mode.

    `known`: frozen encoders that other runs have built already, see `build_model`.
    """
    settle_unless_held(config, folder)
    model = build_model(config, folder.fitted(), given_weights=False, known=known)
    load_weights(model, folder.checkpoints / f"{checkpoint}.ckpt")
    return model.eval()


def device_of(config: RunConfig) -> torch.device:
    """Where the trainer's accelerator computes."""
    gpu = config.trainer.accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")
